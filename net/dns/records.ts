/** The vocabulary of DNS messages that Tribune speaks: numbers from RFC 1035, 2782, 3596 and 6891. */

export const RCODE = { noError: 0, formatError: 1, serverFailure: 2, nameError: 3, notImplemented: 4, refused: 5 } as const

export const TYPE = { a: 1, ns: 2, cname: 5, soa: 6, ptr: 12, txt: 16, aaaa: 28, srv: 33, opt: 41, axfr: 252, any: 255 } as const

export const CLASS_IN = 1

export const HEADER_BYTES = 12

/** Bits of a header's second 16-bit word. */
export const FLAG = {
  response: 0x8000,
  authoritative: 0x0400,
  truncated: 0x0200,
  recursionDesired: 0x0100,
  recursionAvailable: 0x0080,
  checkingDisabled: 0x0010,
} as const

/** One question. `name` is in presentation form with its final dot, in the case in which it was asked. */
export type Question = { name: string; type: number; class: number }

/** The EDNS client subnet option (RFC 7871) as it was sent: `address` has only the bytes that `sourceBits` covers. */
export type ClientSubnet = { family: number; sourceBits: number; address: Uint8Array }

/** What a query's OPT record says. */
export type Edns = { udpSizeBytes: number; subnet?: ClientSubnet }

/** A resource record of class IN. Names are in presentation form with their final dot. */
export type DnsRecord =
  | { type: 'A' | 'AAAA'; name: string; ttlSeconds: number; address: string }
  | { type: 'NS' | 'CNAME' | 'PTR'; name: string; ttlSeconds: number; target: string }
  | { type: 'SRV'; name: string; ttlSeconds: number; priority: number; weight: number; port: number; target: string }
  | { type: 'TXT'; name: string; ttlSeconds: number; text: string }
  | SoaRecord
  | OptRecord

export type SoaRecord = {
  type: 'SOA'
  name: string
  ttlSeconds: number
  server: string
  mailbox: string
  serial: number
  refreshSeconds: number
  retrySeconds: number
  expireSeconds: number
  minimumSeconds: number
}

/** `scopeBits` is the ECS scope of the answer; it counts only with a subnet. */
export type OptRecord = { type: 'OPT'; name: '.'; udpSizeBytes: number; subnet?: ClientSubnet; scopeBits: number }

export type Sections = { answers: readonly DnsRecord[]; authorities: readonly DnsRecord[]; additionals: readonly DnsRecord[] }
