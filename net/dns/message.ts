import { labelText } from './names.ts'
import { type ClientSubnet, type Edns, HEADER_BYTES, type Question, RCODE, TYPE } from './records.ts'

/** The first question of a query, with what its header and its OPT record say. */
export type Query = { id: number; recursionDesired: boolean; checkingDisabled: boolean; question: Question; edns?: Edns }

export type Decoded =
  | { kind: 'query'; query: Query }
  /** To be answered with these header bytes and nothing else. */
  | { kind: 'wrong'; reply: Buffer }
  /** A response, or too short for an id: not to be answered. */
  | { kind: 'ignored' }

/** Reads a packet that should be a query (RFC 1035 §4, RFC 6891 §6). Never throws. */
export function decodeQuery(packet: Buffer): Decoded {
  if (packet.length < ANSWERABLE_BYTES_MIN || (packet[2]! & QR) !== 0) return IGNORED
  if ((packet[2]! & OPCODE_BITS) !== 0) return { kind: 'wrong', reply: headerOnly(packet, RCODE.notImplemented) }
  const query = packet.length < HEADER_BYTES ? undefined : readQuery(packet)
  return query === undefined ? { kind: 'wrong', reply: headerOnly(packet, RCODE.formatError) } : { kind: 'query', query }
}

/** Enough for an id and for telling a query from a response. */
const ANSWERABLE_BYTES_MIN = 3
const IGNORED: Decoded = { kind: 'ignored' }
const QR = 0x80
const OPCODE_BITS = 0x78
const RD = 0x01
const CD = 0x10
const LABEL_BYTES_MAX = 63
const NAME_BYTES_MAX = 255
const POINTER_BITS = 0xc0
const RECORD_FIXED_BYTES = 10
const OPTION_SUBNET = 8
const FAMILY_BITS_MAX: Readonly<Record<number, number>> = { 0: 0, 1: 32, 2: 128 }

/** The header of an answer without any section. */
function headerOnly(packet: Buffer, rcode: number): Buffer {
  const reply = Buffer.alloc(HEADER_BYTES)
  reply.set(packet.subarray(0, 2), 0)
  reply[2] = QR | (packet[2]! & (OPCODE_BITS | RD))
  reply[3] = rcode
  return reply
}

function readQuery(packet: Buffer): Query | undefined {
  const questions = packet.readUInt16BE(4)
  const records = packet.readUInt16BE(6) + packet.readUInt16BE(8) + packet.readUInt16BE(10)
  if (questions === 0) return undefined
  const named = readQuestion(packet)
  if (named === undefined) return undefined
  const { question } = named
  const query: Query = {
    id: packet.readUInt16BE(0),
    recursionDesired: (packet[2]! & RD) !== 0,
    checkingDisabled: (packet[3]! & CD) !== 0,
    question,
  }
  if (questions === 1 && records === 0) return query
  let at = named.next
  for (let count = 1; count < questions; count++) {
    at = skipName(packet, at) + 4
    if (!(at <= packet.length)) return undefined
  }
  const edns = readEdns(packet, at, records)
  if (edns === 'wrong') return undefined
  return edns === undefined ? query : { ...query, edns }
}

function readQuestion(packet: Buffer): { question: Question; next: number } | undefined {
  let name = ''
  let at = HEADER_BYTES
  for (;;) {
    const length = packet[at]
    if (length === undefined || length > LABEL_BYTES_MAX) return undefined
    at += 1
    if (length === 0) break
    if (at + length > packet.length || at + length - HEADER_BYTES >= NAME_BYTES_MAX) return undefined
    name += `${labelText(packet, at, at + length)}.`
    at += length
  }
  if (at + 4 > packet.length) return undefined
  const question = { name: name === '' ? '.' : name, type: packet.readUInt16BE(at), class: packet.readUInt16BE(at + 2) }
  return { question, next: at + 4 }
}

/** The position after a name that may end in a pointer; NaN if it is cut off. */
function skipName(packet: Buffer, from: number): number {
  let at = from
  while (at < packet.length) {
    const length = packet[at]!
    if (length === 0) return at + 1
    if (length >= POINTER_BITS) return at + 2
    if (length > LABEL_BYTES_MAX) return Number.NaN
    at += length + 1
  }
  return Number.NaN
}

/** The OPT record among the records after the questions. Two of them are wrong, as is one with a name. */
function readEdns(packet: Buffer, from: number, records: number): Edns | 'wrong' | undefined {
  let edns: Edns | undefined
  let at = from
  for (let count = 0; count < records; count++) {
    const fixedAt = skipName(packet, at)
    const dataAt = fixedAt + RECORD_FIXED_BYTES
    if (!(dataAt <= packet.length)) return 'wrong'
    const next = dataAt + packet.readUInt16BE(dataAt - 2)
    if (next > packet.length) return 'wrong'
    if (packet.readUInt16BE(fixedAt) === TYPE.opt) {
      const subnet = readSubnet(packet.subarray(dataAt, next))
      if (edns !== undefined || packet[at] !== 0 || subnet === 'wrong') return 'wrong'
      edns = { udpSizeBytes: packet.readUInt16BE(fixedAt + 2), ...(subnet === undefined ? {} : { subnet }) }
    }
    at = next
  }
  return edns
}

/** The client subnet among the options of an OPT record (RFC 7871 §6). */
function readSubnet(options: Buffer): ClientSubnet | 'wrong' | undefined {
  let subnet: ClientSubnet | undefined
  let at = 0
  while (at < options.length) {
    if (at + 4 > options.length) return 'wrong'
    const code = options.readUInt16BE(at)
    const next = at + 4 + options.readUInt16BE(at + 2)
    if (next > options.length) return 'wrong'
    if (code === OPTION_SUBNET) {
      if (next - at < 8) return 'wrong'
      const family = options.readUInt16BE(at + 4)
      const sourceBits = options[at + 6]!
      const address = Uint8Array.from(options.subarray(at + 8, next))
      if (sourceBits > (FAMILY_BITS_MAX[family] ?? -1) || address.length !== Math.ceil(sourceBits / 8)) return 'wrong'
      subnet = { family, sourceBits, address }
    }
    at = next
  }
  return subnet
}
