import { addressBytes, ipv4Number } from './addresses.ts'
import { isDecimalEscape, nextDot } from './names.ts'
import { CLASS_IN, type ClientSubnet, type DnsRecord, HEADER_BYTES, type Question, type Sections, TYPE } from './records.ts'

/** A whole message. `flags` is the second 16-bit word of the header, rcode included. All names must be encodable. */
export type Message = Sections & { id: number; flags: number; question: Question | undefined }

export const MESSAGE_BYTES_MAX = 65_535

/** The message's bytes (RFC 1035 §4), names compressed or not; undefined if they are more than `bytesMax`. */
export function encoded(message: Message, compress: boolean, bytesMax = MESSAGE_BYTES_MAX): Buffer | undefined {
  const bytes = encodedBytes(message, compress, bytesMax)
  if (bytes === undefined) return undefined
  const copy = Buffer.allocUnsafe(bytes)
  scratch.copy(copy, 0, 0, bytes)
  return copy
}

/** How many bytes `encoded` would give. Takes no longer than writing `bytesMax` bytes takes. */
export function encodedBytes(message: Message, compress: boolean, bytesMax = MESSAGE_BYTES_MAX): number | undefined {
  const { id, flags, question, answers, authorities, additionals } = message
  put16(id, 0)
  put16(flags, 2)
  put16(question === undefined ? 0 : 1, 4)
  put16(answers.length, 6)
  put16(authorities.length, 8)
  put16(additionals.length, 10)
  offset = HEADER_BYTES
  offsets = compress ? new Map() : undefined
  if (question !== undefined) {
    writeName(question.name, true)
    push16(question.type)
    push16(question.class)
  }
  const isWritten = writeRecords(answers, bytesMax) && writeRecords(authorities, bytesMax) && writeRecords(additionals, bytesMax)
  return isWritten && offset <= bytesMax ? offset : undefined
}

const OPTION_SUBNET = 8
/** Names further back than this cannot be pointed at. */
const POINTER_MAX = 0x3fff
const POINTER_MARK = 0xc000
const TEXT_BYTES_MAX = 255
/** No record but a TXT takes more. */
const RECORD_BYTES_MAX = 1_024

const scratch = Buffer.alloc(MESSAGE_BYTES_MAX + RECORD_BYTES_MAX)
let offset = 0
/** Where each name and each end of a name was written; undefined without compression. */
let offsets: Map<string, number> | undefined

/** False if there are more than `bytesMax` bytes then. */
function writeRecords(records: readonly DnsRecord[], bytesMax: number): boolean {
  for (const record of records) {
    writeName(record.name, true)
    if (record.type === 'OPT') {
      push16(TYPE.opt)
      push16(record.udpSizeBytes)
      push32(0)
    } else {
      push16(TYPE_NUMBER[record.type])
      push16(CLASS_IN)
      push32(record.ttlSeconds)
    }
    const lengthAt = offset
    offset += 2
    if (!writeData(record) || offset > bytesMax) return false
    put16(offset - lengthAt - 2, lengthAt)
  }
  return true
}

const TYPE_NUMBER = {
  A: TYPE.a,
  AAAA: TYPE.aaaa,
  NS: TYPE.ns,
  CNAME: TYPE.cname,
  PTR: TYPE.ptr,
  SRV: TYPE.srv,
  TXT: TYPE.txt,
  SOA: TYPE.soa,
} as const

/** False if there is no room. */
function writeData(record: DnsRecord): boolean {
  switch (record.type) {
    case 'A':
      writeIpv4(record.address)
      return true
    case 'AAAA':
      writeIpv6(record.address)
      return true
    case 'SRV':
      push16(record.priority)
      push16(record.weight)
      push16(record.port)
      // RFC 2782: the target is written in full; later names may point at it.
      writeName(record.target, false)
      return true
    case 'TXT':
      return writeText(record.text)
    case 'SOA':
      writeName(record.server, true)
      writeName(record.mailbox, true)
      push32(record.serial)
      push32(record.refreshSeconds)
      push32(record.retrySeconds)
      push32(record.expireSeconds)
      push32(record.minimumSeconds)
      return true
    case 'OPT':
      if (record.subnet !== undefined) writeSubnet(record.subnet, record.scopeBits)
      return true
    default:
      writeName(record.target, true)
      return true
  }
}

function writeIpv4(address: string): void {
  const number = ipv4Number(address)
  if (number === undefined) writeBytes(addressBytes(address) ?? NO_ADDRESS)
  else push32(number)
}

function writeIpv6(address: string): void {
  const bytes = addressBytes(address) ?? NO_ADDRESS
  if (bytes.length === 4) writeBytes(MAPPED_PREFIX)
  writeBytes(bytes)
}

const NO_ADDRESS = new Uint8Array(4)
const MAPPED_PREFIX = new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255])

/** Strings of at most 255 bytes, as many as the text needs. */
function writeText(text: string): boolean {
  const bytes = Buffer.from(text, 'utf8')
  if (offset + bytes.length + bytes.length / TEXT_BYTES_MAX + 1 > MESSAGE_BYTES_MAX) return false
  let from = 0
  do {
    const part = bytes.subarray(from, from + TEXT_BYTES_MAX)
    scratch[offset++] = part.length
    writeBytes(part)
    from += part.length
  } while (from < bytes.length)
  return true
}

function writeSubnet({ family, sourceBits, address }: ClientSubnet, scopeBits: number): void {
  push16(OPTION_SUBNET)
  push16(4 + address.length)
  push16(family)
  scratch[offset++] = sourceBits
  scratch[offset++] = scopeBits
  writeBytes(address)
}

/** Writes a name; one that was written before, or the end of one, becomes a pointer if `mayPoint`. */
function writeName(name: string, mayPoint: boolean): void {
  if (name === '.') {
    scratch[offset++] = 0
    return
  }
  let from = 0
  while (from < name.length) {
    if (offsets !== undefined) {
      const rest = from === 0 ? name : name.slice(from)
      const earlier = offsets.get(rest)
      if (earlier === undefined) {
        if (offset <= POINTER_MAX) offsets.set(rest, offset)
      } else if (mayPoint) {
        push16(POINTER_MARK | earlier)
        return
      }
    }
    from = writeLabel(name, from) + 1
  }
  scratch[offset++] = 0
}

/** Writes the label at `from`; the answer is the position of the dot that ends it. */
function writeLabel(name: string, from: number): number {
  const lengthAt = offset++
  for (let at = from; at < name.length; at++) {
    const code = name.charCodeAt(at)
    if (code === DOT) {
      scratch[lengthAt] = offset - lengthAt - 1
      return at
    }
    if (code === BACKSLASH || code >= 0x80) {
      offset = lengthAt + 1
      return writeRareLabel(name, from, lengthAt)
    }
    scratch[offset++] = code
  }
  scratch[lengthAt] = offset - lengthAt - 1
  return name.length
}

const DOT = 46
const BACKSLASH = 92

/** A label with escapes or with characters that UTF-8 writes in several bytes. */
function writeRareLabel(name: string, from: number, lengthAt: number): number {
  const dot = nextDot(name, from)
  const end = dot === -1 ? name.length : dot
  let at = from
  while (at < end) {
    if (name.charCodeAt(at) !== BACKSLASH) {
      const character = String.fromCodePoint(name.codePointAt(at) ?? 0)
      offset += scratch.write(character, offset)
      at += character.length
    } else if (isDecimalEscape(name, at)) {
      scratch[offset++] = Number(name.slice(at + 1, at + 4))
      at += 4
    } else {
      scratch[offset++] = name.charCodeAt(at + 1)
      at += 2
    }
  }
  scratch[lengthAt] = offset - lengthAt - 1
  return end
}

function writeBytes(bytes: Uint8Array): void {
  scratch.set(bytes, offset)
  offset += bytes.length
}

function push16(value: number): void {
  put16(value, offset)
  offset += 2
}

function push32(value: number): void {
  scratch[offset++] = value >>> 24
  scratch[offset++] = value >>> 16
  scratch[offset++] = value >>> 8
  scratch[offset++] = value
}

function put16(value: number, at: number): void {
  scratch[at] = value >>> 8
  scratch[at + 1] = value
}
