import { isIPv6 } from 'node:net'

/** The bytes of an IP address: 4 for IPv4 and IPv4-mapped IPv6, 16 for other IPv6, undefined for anything else. */
export function addressBytes(text: string): Uint8Array | undefined {
  const number = ipv4Number(text)
  if (number !== undefined) return new Uint8Array([number >>> 24, (number >>> 16) & 255, (number >>> 8) & 255, number & 255])
  if (!isIPv6(text) || text.includes('%')) return undefined
  const bytes = ipv6Bytes(text)
  return isMapped(bytes) ? bytes.slice(12) : bytes
}

/** An IPv4 address in dotted form as a whole number in network order; undefined for anything else. */
export function ipv4Number(text: string): number | undefined {
  let number = 0
  let part = -1
  let dots = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 46) {
      if (part === -1) return undefined
      number = number * 256 + part
      part = -1
      dots += 1
    } else if (code >= 48 && code <= 57 && part !== 0) {
      part = part === -1 ? code - 48 : part * 10 + code - 48
      if (part > 255) return undefined
    } else return undefined
  }
  return dots === 3 && part !== -1 ? number * 256 + part : undefined
}

/** The one text of an address: dotted for 4 bytes, RFC 5952 for 16. */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  const groups: string[] = []
  for (let at = 0; at < 16; at += 2) groups.push((bytes[at]! * 256 + bytes[at + 1]!).toString(16))
  const { from, length } = longestZeros(groups)
  if (length < 2) return groups.join(':')
  return `${groups.slice(0, from).join(':')}::${groups.slice(from + length).join(':')}`
}

/** The one text of an address that may be written in several ways; undefined if it is none. */
export function canonicalAddress(text: string): string | undefined {
  const bytes = addressBytes(text)
  return bytes === undefined ? undefined : addressText(bytes)
}

export function addressHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
}

/** The address that a lower-case name under `in-addr.arpa.` or `ip6.arpa.` stands for, in its one text. */
export function reversedAddress(labels: readonly string[]): string | undefined {
  const [zone, top] = labels.slice(-2)
  const parts = labels.slice(0, -2).reverse()
  if (top !== 'arpa') return undefined
  if (zone === 'in-addr' && parts.length === 4) return canonicalAddress(parts.join('.'))
  if (zone !== 'ip6' || parts.length !== 32 || !parts.every((part) => /^[0-9a-f]$/.test(part))) return undefined
  return addressText(Buffer.from(parts.join(''), 'hex'))
}

function ipv6Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(16)
  const [left, right] = text.split('::')
  const head = groupBytes(left ?? '')
  bytes.set(head, 0)
  if (right !== undefined) {
    const tail = groupBytes(right)
    bytes.set(tail, 16 - tail.length)
  }
  return bytes
}

function groupBytes(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number)
    const number = Number.parseInt(group, 16)
    return [number >>> 8, number & 255]
  })
}

function isMapped(bytes: Uint8Array): boolean {
  return bytes[10] === 255 && bytes[11] === 255 && bytes.subarray(0, 10).every((byte) => byte === 0)
}

function longestZeros(groups: readonly string[]): { from: number; length: number } {
  let best = { from: 0, length: 0 }
  for (let from = 0; from < groups.length; from++) {
    let length = 0
    while (groups[from + length] === '0') length += 1
    if (length > best.length) best = { from, length }
  }
  return best
}
