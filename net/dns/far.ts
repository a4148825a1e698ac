import { exchangeRef } from '../../actors/exchange/protocol.ts'
import { ledgerRef } from '../../actors/ledger.ts'
import { askNumber } from '../../src/http/ask-number.ts'
import { failOver } from '../../src/http/failover.ts'
import { isDatacenterName } from '../../src/http/other-datacenter.ts'
import { overRate } from '../../src/http/rate-limit.ts'
import { NO_PATH } from '../../src/kernel/far.ts'
import type { Host } from '../../src/kernel/host.ts'
import type { DnsAsked } from '../../src/kernel/ports.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { gone } from '../../src/kernel/wire.ts'
import { type Answer, type AnswerTurn, answerTo } from './answer.ts'
import { queryForm } from './question.ts'
import { type DnsRecord, RCODE } from './records.ts'
import type { DnsSettings } from './settings.ts'
import type { DnsSource } from './source.ts'
import { abroadInstance, dnsInstance, dnsSource } from './tables-source.ts'

/** Finds the answer to a question, wherever the catalog is; `done` is called once, maybe at once. */
export type Answers = (
  question: { name: string; type: number },
  settings: DnsSettings,
  turn: AnswerTurn,
  done: (answer: Result<Answer>) => void,
) => void

/** Resolvers ask again after some seconds. */
const WITHIN_MS = 5_000
/** A question whose server went away is asked once more: by then another one may be there. */
const AGAIN_AFTER_MS = 250

type SentTurn = Omit<AnswerTurn, 'chance' | 'outside'> & { outside?: [name: string, records: readonly DnsRecord[]][] }

/** Has the server that this agent uses find the records. What is for recursors only needs no server. */
export function askFar(host: Host): Answers {
  return ({ name, type }, settings, turn, done) => {
    const { form } = queryForm(name, type, settings)
    if (form === 'foreign') return done(answerTo({ name, type }, NOTHING_KNOWN, settings, turn))
    const question: DnsAsked = { name, type, settings, turn: sentTurn(turn) }
    const ask = (then: (result: Result<{ records: object }>) => void) => {
      const over = overRate(host)
      if (over) then(over)
      else host.ask(exchangeRef, 'dns', { number: askNumber(host), question }, WITHIN_MS, then)
    }
    const take = (result: Result<{ records: object }>) => {
      if (!isRefused(result)) return done(result.records as Answer)
      host.ports.print('debug', 'dns', 'no server answers a question', { question: name, error: result.why })
      done(form === 'reverse' ? answerTo({ name, type }, NOTHING_KNOWN, settings, turn) : result)
    }
    ask((result) => {
      if (isRefused(result) && result.refused === 'gone') host.ports.clock.after(AGAIN_AFTER_MS, () => ask(take))
      else take(result)
    })
  }
}

/** Finds records in the tables of this server, and asks other datacenters for what only they know. `agent` is the one that was asked. */
export function answerHere(host: Host, agent: string): Answers {
  const source = dnsSource(() => host.ports.tables.view(), agent)
  return (question, settings, turn, done) => answerFrom(host, agent, source, { question, settings, turn }, done)
}

/**
 * Answers what came to other agents from these tables, by the settings of those agents. What came from another datacenter is about this one, or
 * refused: it is asked in no third one.
 */
export function answerFar(
  host: () => Host,
  datacenter: string,
): (node: string, question: DnsAsked, done: (records: Result<object>) => void) => void {
  const view = () => host().ports.tables.view()
  const [shared, abroad] = [dnsSource(view, ''), dnsSource(view, '', true)]
  return (node, { name, type, settings: sent, turn: sentTurn, datacenter: meant }, done) => {
    if (meant !== undefined && meant !== datacenter) return done(gone(NO_PATH))
    const { outside, ...rest } = sentTurn as SentTurn
    const settings = sent as DnsSettings
    const turn: AnswerTurn = { ...rest, chance: Math.random, ...(outside && { outside: new Map(outside) }) }
    const tables = meant !== undefined && settings.translateWanAddrs ? abroad : shared
    const source: DnsSource = { ...tables, query: (wanted, asker) => tables.query(wanted, { ...asker, agent: node }) }
    answerFrom(host(), node, source, { question: { name, type }, settings, turn, isFromAbroad: meant !== undefined }, done)
  }
}

/** Who answers: `settings` are those of whoever was asked. */
type Asked = { question: { name: string; type: number }; settings: DnsSettings; turn: AnswerTurn; isFromAbroad?: boolean }

function answerFrom(host: Host, node: string, source: DnsSource, asked: Asked, done: (answer: Result<Answer>) => void): void {
  const { question, settings } = asked
  if (isFreshEnough(host, settings) || queryForm(question.name, question.type, settings).form === 'foreign')
    return answerNow(host, node, source, asked, done)
  host.ask(ledgerRef, 'catchUp', null, WITHIN_MS, (result) => {
    if (isRefused(result)) done(result)
    else answerNow(host, node, source, asked, done)
  })
}

/** Whether this server may answer by what it knows. Who has not heard of its log yet knows what it knew when it was started. */
function isFreshEnough({ ports }: Host, { maxStaleMs }: DnsSettings): boolean {
  const contact = ports.contact?.()
  return contact === undefined || (maxStaleMs > 0 && Math.min(contact.silentMs, ports.clock.monotonicMs()) <= maxStaleMs)
}

function answerNow(host: Host, node: string, source: DnsSource, asked: Asked, done: (answer: Result<Answer>) => void): void {
  const { question, settings, turn, isFromAbroad = false } = asked
  const answer = attempt(host, question, () => answerTo(question, source, settings, turn))
  if (isRefused(answer) || !answer.elsewhere) return done(answer)
  const { elsewhere, ...otherwise } = answer
  if ('datacenter' in elsewhere) {
    if (isFromAbroad || !isDatacenterName(elsewhere.datacenter)) return done(otherwise)
    return askAbroad(host, elsewhere.datacenter, asked, otherwise, done)
  }
  failOver(host, { node, datacenter: settings.datacenter }, elsewhere.failover, ({ datacenter, instances: found }) => {
    if (found.length === 0) return done(otherwise)
    const complete = () => {
      const instances = found.map(settings.translateWanAddrs ? abroadInstance : dnsInstance)
      return answerTo(question, source, settings, { ...turn, failedOver: { datacenter, instances } })
    }
    done(attempt(host, question, complete))
  })
}

/** A datacenter that nobody knows has no names; one that does not answer fails. Source: dns.md §4, http-api §16. */
function askAbroad(
  host: Host,
  datacenter: string,
  { question, settings, turn }: Asked,
  otherwise: Answer,
  done: (answer: Result<Answer>) => void,
): void {
  const asked: DnsAsked = { ...question, settings: { ...settings, datacenter }, turn: sentTurn(turn), datacenter }
  host.ask({ ...exchangeRef, datacenter }, 'dns', { number: askNumber(host), question: asked }, WITHIN_MS, (result) => {
    if (!isRefused(result)) return done(result.records as Answer)
    if (result.why.includes(NO_PATH)) return done(otherwise)
    host.ports.print('debug', 'dns', 'another datacenter does not answer a question', {
      question: question.name,
      datacenter,
      error: result.why,
    })
    done({ ...otherwise, rcode: RCODE.serverFailure, authorities: [] })
  })
}

/** What others send may be anything, so nothing is thrown. */
function attempt(host: Host, question: Asked['question'], work: () => Answer): Result<Answer> {
  try {
    return work()
  } catch (error) {
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error)
    host.ports.print('error', 'dns', 'a DNS query could not be answered', { question: question.name, error: why })
    return refuse('invalid', `the question cannot be answered: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function sentTurn({ chance: _chance, outside, failedOver: _failedOver, ...rest }: AnswerTurn): SentTurn {
  return { ...rest, ...(outside && { outside: [...outside] }) }
}

const NOTHING_KNOWN: DnsSource = {
  node: () => undefined,
  nodeByAddress: () => undefined,
  service: () => [],
  connect: () => [],
  serviceByAddress: () => undefined,
  query: () => undefined,
  servers: () => [],
}
