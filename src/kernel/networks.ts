/** Whether an IP address is in one of the networks, as CIDRs. No text that is no address is. `::ffff:10.0.0.1` is the address 10.0.0.1. */
export function isWithin(address: string, networks: readonly string[]): boolean {
  const bits = shortened(bitsOf(address))
  if (bits === undefined) return false
  return networks.some((network) => {
    const [from = '', length = ''] = network.split('/')
    const long = bitsOf(from)
    const start = shortened(long)
    if (long === undefined || start?.length !== bits.length) return false
    return bits.startsWith(start.slice(0, Math.max(0, Number(length) - (long.length - start.length))))
  })
}

const MAPPED = `${'0'.repeat(80)}${'1'.repeat(16)}`

/** An IPv4 address that is written as one of IPv6 as what it is. */
function shortened(bits: string | undefined): string | undefined {
  return bits?.length === 128 && bits.startsWith(MAPPED) ? bits.slice(MAPPED.length) : bits
}

/** 32 or 128 digits; undefined if it is no address. */
function bitsOf(address: string): string | undefined {
  return address.includes(':') ? bits6(address) : bits4(address)
}

function bits4(address: string): string | undefined {
  const parts = address.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return undefined
  return parts.map((part) => digits(Number(part), 8)).join('')
}

function bits6(address: string): string | undefined {
  const halves = address.split('::')
  if (halves.length > 2) return undefined
  const [before, after] = halves.map(groupsOf)
  if (before === undefined || (halves.length === 2 && after === undefined)) return undefined
  const missing = 128 - before.length - (after?.length ?? 0)
  if (halves.length === 2 ? missing < 16 : missing !== 0) return undefined
  return `${before}${'0'.repeat(missing)}${after ?? ''}`
}

/** The last group may be an IPv4 address. */
function groupsOf(text: string): string | undefined {
  if (text === '') return ''
  const groups = text.split(':').map((group, at, all) => {
    if (at === all.length - 1 && group.includes('.')) return bits4(group)
    return /^[0-9a-fA-F]{1,4}$/.test(group) ? digits(Number.parseInt(group, 16), 16) : undefined
  })
  return groups.includes(undefined) ? undefined : groups.join('')
}

function digits(value: number, length: number): string {
  return value.toString(2).padStart(length, '0')
}
