import { assert } from '../../src/kernel/refusal.ts'
import { encoded, encodedBytes, MESSAGE_BYTES_MAX, type Message } from './encode.ts'
import { type DnsRecord, FLAG, TYPE } from './records.ts'
import type { DnsSettings } from './settings.ts'

export type Transport = 'udp' | 'tcp'

type TrimSettings = Pick<DnsSettings, 'udpAnswerLimit' | 'enableTruncate' | 'disableCompression'>

/** A client without EDNS takes this much (RFC 1035 §4.2.1). */
const UDP_BYTES_DEFAULT = 512
/** The most that UDP over IP carries. */
const UDP_BYTES_MAX = 65_467
const UDP_ANSWERS_MAX = 8
/** Kept free of what a client's size allows. */
const UDP_BYTES_SLACK = 7
const TCP_BYTES_MAX = 65_523
/** An address with a compressed name; SRV records are longer. */
const ANSWER_BYTES_MIN = 16
const TCP_ANSWERS_MAX = 4_096
const TCP_SRV_ANSWERS_MAX = 1_024

/**
 * The bytes of a message, cut down to what the client takes. Answers go from the end; the additional section then keeps one
 * record for each SRV target that is left, which also loses the OPT record, as in Consul. A message of one answer loses
 * additional records instead; one answer that is too long by itself is left out, with the truncation flag.
 */
export function fittingBytes(message: Message, transport: Transport, udpSizeBytes: number, settings: TrimSettings): Buffer {
  const compress = !settings.disableCompression
  if (transport === 'tcp') return bytesOf(trimmedForTcp(message, compress, settings), compress)
  const bytesMax = Math.min(Math.max(udpSizeBytes, UDP_BYTES_DEFAULT), UDP_BYTES_MAX)
  const answersMax = bytesMax === UDP_BYTES_DEFAULT ? Math.min(UDP_ANSWERS_MAX, settings.udpAnswerLimit) : Number.POSITIVE_INFINITY
  if (message.answers.length <= answersMax) {
    const whole = encoded(message, compress, bytesMax - UDP_BYTES_SLACK)
    if (whole !== undefined) return whole
  }
  return bytesOf(trimmedForUdp(message, bytesMax, answersMax, compress, settings), compress)
}

/** So many answers that one of them is certainly left out: nobody needs to find more. */
export function answersBeyond(
  transport: Transport,
  udpSizeBytes: number,
  { udpAnswerLimit }: Pick<TrimSettings, 'udpAnswerLimit'>,
): number {
  if (transport === 'tcp') return TCP_ANSWERS_MAX + 1
  if (udpSizeBytes <= UDP_BYTES_DEFAULT) return Math.min(UDP_ANSWERS_MAX, udpAnswerLimit) + 1
  return Math.ceil(Math.min(udpSizeBytes, UDP_BYTES_MAX) / ANSWER_BYTES_MIN)
}

function bytesOf(message: Message, compress: boolean): Buffer {
  const bytes = encoded(message, compress)
  assert(bytes !== undefined, 'a trimmed message fits into a packet')
  return bytes
}

function trimmedForUdp(message: Message, bytesMax: number, answersMax: number, compress: boolean, settings: TrimSettings): Message {
  const isCut = message.answers.length > answersMax
  const cut = isCut ? withAnswers(message, answersMax, additionalIndex(message)) : message
  const fitting = withinBytes(cut, bytesMax - UDP_BYTES_SLACK, compress && !isCut)
  const flagged = fitting.answers.length < message.answers.length ? truncatedIf(settings.enableTruncate, fitting) : fitting
  return withinLimit(flagged, bytesMax, compress)
}

function trimmedForTcp(message: Message, compress: boolean, settings: TrimSettings): Message {
  const answersMax = message.question?.type === TYPE.srv ? TCP_SRV_ANSWERS_MAX : TCP_ANSWERS_MAX
  const cut = message.answers.length > answersMax ? { ...message, answers: message.answers.slice(0, answersMax) } : message
  const fitting = withinBytes(cut, TCP_BYTES_MAX, compress)
  const flagged = fitting.answers.length < cut.answers.length ? truncatedIf(settings.enableTruncate, fitting) : fitting
  return withinLimit(flagged, MESSAGE_BYTES_MAX, compress)
}

/** Without the authority section, and with as many of the first answers as fit, if everything does not. */
function withinBytes(message: Message, bytesMax: number, compress: boolean): Message {
  if (message.answers.length <= 1 || fits(message, bytesMax, compress)) return message
  const bare = message.authorities.length === 0 ? message : { ...message, authorities: [] }
  if (bare !== message && fits(bare, bytesMax, compress)) return bare
  const index = additionalIndex(bare)
  const count = largestThatFits(bare.answers.length - 1, (answers) => fits(withAnswers(bare, answers, index), bytesMax, compress))
  return withAnswers(bare, Math.max(1, count), index)
}

/** What Consul would send too long: additional records go first, from the end, then the authority section, then the answer. */
function withinLimit(message: Message, bytesMax: number, compress: boolean): Message {
  if (fits(message, bytesMax, compress)) return message
  const opt = message.additionals.filter(({ type }) => type === 'OPT')
  const others = message.additionals.filter(({ type }) => type !== 'OPT')
  const withAdditionals = (count: number): Message => ({ ...message, additionals: [...others.slice(0, count), ...opt] })
  const count = largestThatFits(others.length, (additionals) => fits(withAdditionals(additionals), bytesMax, compress))
  const least = withAdditionals(count)
  if (fits(least, bytesMax, compress)) return least
  const bare: Message = { ...least, authorities: [] }
  return fits(bare, bytesMax, compress) ? bare : truncatedIf(true, { ...bare, answers: [] })
}

function fits(message: Message, bytesMax: number, compress: boolean): boolean {
  return encodedBytes(message, compress, bytesMax) !== undefined
}

/** The largest count up to `most` that fits, 0 if none does. What fits with more fits with less. */
function largestThatFits(most: number, fitsWith: (count: number) => boolean): number {
  let fitting = 0
  let tooMany = most + 1
  while (tooMany - fitting > 1) {
    const middle = (fitting + tooMany) >>> 1
    if (fitsWith(middle)) fitting = middle
    else tooMany = middle
  }
  return fitting
}

function truncatedIf(flag: boolean, message: Message): Message {
  return flag ? { ...message, flags: message.flags | FLAG.truncated } : message
}

/** The first additional record for each name, in lower case. */
function additionalIndex({ additionals }: Message): Map<string, DnsRecord> {
  const index = new Map<string, DnsRecord>()
  for (const record of additionals) {
    const name = record.name.toLowerCase()
    if (!index.has(name)) index.set(name, record)
  }
  return index
}

/** The first answers, with the additional records that their targets lead to. */
function withAnswers(message: Message, count: number, index: ReadonlyMap<string, DnsRecord>): Message {
  const answers = message.answers.slice(0, count)
  if (index.size === 0) return { ...message, answers }
  const additionals: DnsRecord[] = []
  const led = new Set<string>()
  for (const answer of answers) {
    let target = answer.type === 'SRV' ? answer.target.toLowerCase() : undefined
    while (target !== undefined && !led.has(target)) {
      led.add(target)
      const record = index.get(target)
      if (record !== undefined) additionals.push(record)
      target = record?.type === 'CNAME' ? record.target.toLowerCase() : undefined
    }
  }
  return { ...message, answers, additionals }
}
