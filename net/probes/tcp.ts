import { connect } from 'node:net'
import { dialErrorText } from './dial-errors.ts'
import { critical, type Probe } from './probe.ts'

/** Connects and hangs up. Passing if the connection was made in time, else critical with Go's words for why not. */
export const tcpProbe: Probe<'tcp'> = ({ address, timeoutMs }, done) => {
  const target = targetOf(address)
  if (typeof target === 'string') return done(critical(`dial tcp: ${target}`))
  const socket = connect(target)
  const timer = setTimeout(
    () => {
      socket.destroy()
      done(critical(`dial tcp ${address}: i/o timeout`))
    },
    timeoutMs > 0 ? timeoutMs : TIMEOUT_MS_DEFAULT,
  )
  socket.on('connect', () => {
    clearTimeout(timer)
    socket.destroy()
    done({ status: 'passing', output: `TCP connect ${address}: Success` })
  })
  socket.on('error', (error) => {
    clearTimeout(timer)
    socket.destroy()
    done(critical(dialErrorText(error, address)))
  })
}

const TIMEOUT_MS_DEFAULT = 10_000
const PORT_MAX = 65_535

/** Host and port of `host:port` or `[v6]:port`, or Go's words for what is wrong. An empty host is this machine. */
function targetOf(address: string): { host: string; port: number } | string {
  const parts = /^(?:\[([^[\]]*)\]|([^:[\]]*)):([^:]*)$/.exec(address)
  if (!parts) {
    const why = /^[^:]*$|^\[[^[\]]*\]$/.test(address) ? 'missing port in address' : 'too many colons in address'
    return `address ${address}: ${why}`
  }
  const [, six, host, portText = ''] = parts
  if (!/^\d{1,5}$/.test(portText) || Number(portText) > PORT_MAX) return `address ${portText}: invalid port`
  return { host: (six ?? host) || 'localhost', port: Number(portText) }
}
