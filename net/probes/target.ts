/** Host and port of `host:port` or `[v6]:port`, or Go's words for what is wrong. An empty host is this machine. */
export function targetOf(address: string): { host: string; port: number } | string {
  const parts = /^(?:\[([^[\]]*)\]|([^:[\]]*)):([^:]*)$/.exec(address)
  if (!parts) {
    const why = /^[^:]*$|^\[[^[\]]*\]$/.test(address) ? 'missing port in address' : 'too many colons in address'
    return `address ${address}: ${why}`
  }
  const [, six, host, portText = ''] = parts
  if (!/^\d{1,5}$/.test(portText) || Number(portText) > PORT_MAX) return `address ${portText}: invalid port`
  return { host: (six ?? host) || 'localhost', port: Number(portText) }
}

const PORT_MAX = 65_535
