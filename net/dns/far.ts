import { exchangeRef } from '../../actors/exchange/protocol.ts'
import type { Host } from '../../src/kernel/host.ts'
import type { DnsAsked } from '../../src/kernel/ports.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import type { View } from '../../src/kernel/tables.ts'
import { type Answer, type AnswerTurn, answerTo } from './answer.ts'
import { queryForm } from './question.ts'
import type { DnsRecord } from './records.ts'
import type { DnsSettings } from './settings.ts'
import type { DnsSource } from './source.ts'
import { dnsSource } from './tables-source.ts'

/** Finds the answer to a question where the catalog is; `done` is called once. */
export type FarAnswers = (
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
export function askFar(host: Host): FarAnswers {
  let last = 0
  return ({ name, type }, settings, turn, done) => {
    const { form } = queryForm(name, type, settings)
    if (form === 'foreign') return done(answerTo({ name, type }, NOTHING_KNOWN, settings, turn))
    const { chance: _chance, outside, ...rest } = turn
    const sent: SentTurn = { ...rest, ...(outside && { outside: [...outside] }) }
    const question: DnsAsked = { name, type, settings, turn: sent }
    const ask = (then: (result: Result<{ records: object }>) => void) =>
      host.ask(exchangeRef, 'dns', { number: ++last, question }, WITHIN_MS, then)
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

/** Answers what came to other agents from these tables, by the settings of those agents. */
export function answerFar(view: () => View): (node: string, question: DnsAsked) => Result<object> {
  const shared = dnsSource(view, '')
  return (node, { name, type, settings, turn }) => {
    const { outside, ...rest } = turn as SentTurn
    const source: DnsSource = { ...shared, query: (wanted, asker) => shared.query(wanted, { ...asker, agent: node }) }
    const complete: AnswerTurn = { ...rest, chance: Math.random, ...(outside && { outside: new Map(outside) }) }
    try {
      return answerTo({ name, type }, source, settings as DnsSettings, complete)
    } catch (error) {
      return refuse('invalid', `the question cannot be answered: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
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
