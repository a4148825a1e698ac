import { isRefused } from '../../src/kernel/refusal.ts'
import { addressText } from './addresses.ts'
import type { Answer, AnswerTurn } from './answer.ts'
import type { Message } from './encode.ts'
import type { Answers } from './far.ts'
import { decodeQuery, type Query } from './message.ts'
import { isInZone } from './question.ts'
import { type DnsRecord, FLAG, RCODE, TYPE } from './records.ts'
import type { RecursorClient } from './recursor.ts'
import type { DnsSettings } from './settings.ts'
import { answersBeyond, fittingBytes, type Transport } from './trim.ts'

/** What was done with a packet; the first two are Consul's metrics. */
export type DnsQueryKind = 'domain_query' | 'ptr_query' | 'recursor_query' | 'foreign_query' | 'malformed'

export type ResponderOptions = {
  answers: Answers
  /** Asked for each query, so that a reload counts at once. */
  settings: () => DnsSettings
  recursors: RecursorClient
  /** Once for each packet that was answered, with the time it took. */
  report: (kind: DnsQueryKind, ms: number) => void
  /** A bug: the query was answered with SERVFAIL. */
  failed: (question: string, error: unknown) => void
  chance: () => number
  nowMs: () => number
}

/** Takes one packet, with the IP address that it came from. True: `reply` will be called once, later, because recursors or other agents have to be asked. False: it was called already,
 * or the packet gets no answer. */
export type Responder = (packet: Buffer, transport: Transport, from: string, reply: (bytes: Buffer) => void) => boolean

export function createResponder({ answers, settings, recursors, report, failed, chance, nowMs }: ResponderOptions): Responder {
  return (packet, transport, from, give) => {
    const startMs = performance.now()
    let isGiven = false
    const reply = (bytes: Buffer) => {
      isGiven = true
      give(bytes)
    }
    const decoded = decodeQuery(packet)
    if (decoded.kind === 'ignored') return false
    if (decoded.kind === 'wrong') {
      reply(decoded.reply)
      report('malformed', performance.now() - startMs)
      return false
    }
    const { query } = decoded
    const current = settings()
    const udpSizeBytes = query.edns?.udpSizeBytes ?? 0
    const answersMax = answersBeyond(transport, udpSizeBytes, current)
    const turn: AnswerTurn = { nowMs: nowMs(), chance, ip: ipOf(query, from), edns: query.edns !== undefined, answersMax }
    const send = (answer: Answer) => {
      reply(fittingBytes(messageOf(query, answer), transport, udpSizeBytes, current))
      report(kindOf(query, answer), performance.now() - startMs)
    }
    const broken = (error: unknown) => {
      send(BROKEN)
      failed(query.question.name, error)
    }
    const look = (outside: AnswerTurn['outside'], then: (answer: Answer) => void) => {
      answers(query.question, current, outside ? { ...turn, outside } : turn, (answer) => {
        try {
          then(isRefused(answer) ? BROKEN : answer)
        } catch (error) {
          broken(error)
        }
      })
    }
    try {
      look(undefined, (answer) => {
        if (answer.forward && current.recursors.length > 0) forward(answer)
        else if (answer.wanted.length > 0) resolveOutside(answer.wanted)
        else send(answer)
      })
    } catch (error) {
      broken(error)
    }
    return !isGiven

    function forward(otherwise: Answer): void {
      recursors
        .forward(packet, transport, current)
        .then((bytes) => {
          if (bytes === undefined) {
            send({ ...otherwise, rcode: RCODE.serverFailure })
            return
          }
          reply(bytes)
          report('recursor_query', performance.now() - startMs)
        })
        .catch(broken)
    }

    function resolveOutside(names: readonly string[]): void {
      Promise.all(names.map(async (name): Promise<[string, readonly DnsRecord[]]> => [name, await recordsOf(name)]))
        .then((found) => look(new Map(found), send))
        .catch(broken)
    }

    /** Of a name in another datacenter, without where that leads to again: so nothing goes in circles. */
    function recordsOf(name: string): Promise<readonly DnsRecord[]> {
      if (!isInZone(name, current)) return recursors.lookup(name, current)
      return new Promise((resolve) =>
        answers({ name, type: TYPE.any }, current, turn, (answer) => resolve(isRefused(answer) ? [] : answer.answers)),
      )
    }
  }
}

const BROKEN: Answer = {
  rcode: RCODE.serverFailure,
  answers: [],
  authorities: [],
  additionals: [],
  authoritative: true,
  recursionAvailable: false,
  personal: false,
  forward: false,
  wanted: [],
}

/** Where the asker is; a resolver that asks for somebody else may say where that one is. */
function ipOf({ edns }: Query, from: string): string {
  const { subnet } = edns ?? {}
  const bytesMax = subnet === undefined ? undefined : FAMILY_BYTES[subnet.family]
  if (subnet === undefined || bytesMax === undefined) return from
  const bytes = new Uint8Array(bytesMax)
  bytes.set(subnet.address)
  return addressText(bytes)
}

/** Bytes of an address by its family, as EDNS numbers them. */
const FAMILY_BYTES: Readonly<Record<number, number>> = { 1: 4, 2: 16 }

/** The answer as a message to the asker. Refusals of foreign names have no OPT record, everything else echoes the query's. */
function messageOf({ id, question, recursionDesired, checkingDisabled, edns }: Query, answer: Answer): Message {
  const flags =
    FLAG.response |
    (answer.authoritative ? FLAG.authoritative : 0) |
    (recursionDesired ? FLAG.recursionDesired : 0) |
    (answer.recursionAvailable ? FLAG.recursionAvailable : 0) |
    (checkingDisabled ? FLAG.checkingDisabled : 0) |
    answer.rcode
  const { answers, authorities } = answer
  if (edns === undefined || answer.rcode === RCODE.refused)
    return { id, flags, question, answers, authorities, additionals: answer.additionals }
  const opt: DnsRecord = { type: 'OPT', name: '.', ...edns, scopeBits: answer.personal ? (edns.subnet?.sourceBits ?? 0) : 0 }
  return { id, flags, question, answers, authorities, additionals: [...answer.additionals, opt] }
}

function kindOf(query: Query, answer: Answer): DnsQueryKind {
  if (answer.rcode === RCODE.refused) return 'foreign_query'
  return query.question.name.toLowerCase().endsWith('arpa.') ? 'ptr_query' : 'domain_query'
}
