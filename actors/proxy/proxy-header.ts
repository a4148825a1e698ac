import { addressKey } from '../catalog/addresses.ts'

/** A connection as the application is told of it: `from` and `to` are addresses with ports, `uri` the SPIFFE id of who connects. */
export type Introduction = { from: string; to: string; uri: string }

/**
 * A header of the PROXY protocol, version 2: where a connection comes from, and the SPIFFE id as PP2_TYPE_AUTHORITY. Addresses that are
 * not known, or not of one family, are left out. Source: haproxy.org, "The PROXY protocol", versions 1 & 2, section 2.2.
 */
export function proxyHeader({ from, to, uri }: Introduction): Uint8Array {
  const addresses = addressBlock(endOf(from), endOf(to))
  const authority = bytesOf(uri)
  const rest = [...addresses.bytes, TYPE_AUTHORITY, ...twoBytes(authority.length), ...authority]
  return Uint8Array.from([...SIGNATURE, VERSION_2_PROXY, addresses.family, ...twoBytes(rest.length), ...rest])
}

const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]
const VERSION_2_PROXY = 0x21
const FAMILY_NONE = 0x00
const FAMILY_TCP4 = 0x11
const FAMILY_TCP6 = 0x21
const TYPE_AUTHORITY = 0x02

type End = { bytes: number[]; port: number }

function addressBlock(from: End | undefined, to: End | undefined): { family: number; bytes: number[] } {
  if (!from || !to || from.bytes.length !== to.bytes.length) return { family: FAMILY_NONE, bytes: [] }
  return {
    family: from.bytes.length === 4 ? FAMILY_TCP4 : FAMILY_TCP6,
    bytes: [...from.bytes, ...to.bytes, ...twoBytes(from.port), ...twoBytes(to.port)],
  }
}

/** '10.0.0.7:4000' and '[fd00::7]:4000'; IPv4-mapped addresses are IPv4. */
function endOf(text: string): End | undefined {
  const parts = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text)
  const address = addressKey(parts?.[1] ?? parts?.[2] ?? '')
  return address === undefined ? undefined : { bytes: addressBytes(address), port: Number(parts?.[3]) }
}

function addressBytes(address: string): number[] {
  if (!address.includes(':')) return address.split('.').map(Number)
  const [head = '', tail] = address.split('::')
  const groups = (half: string) => (half === '' ? [] : half.split(':').map((group) => Number.parseInt(group, 16)))
  const zeros = new Array<number>(tail === undefined ? 0 : 8 - groups(head).length - groups(tail).length).fill(0)
  return [...groups(head), ...zeros, ...groups(tail ?? '')].flatMap(twoBytes)
}

function twoBytes(number: number): number[] {
  return [(number >>> 8) & 255, number & 255]
}

/** Of a URI, which is ASCII; what is not is left out. */
function bytesOf(uri: string): number[] {
  return [...uri].map((character) => character.charCodeAt(0)).filter((code) => code < 128)
}
