import { parseDuration } from '../../src/config/durations.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import type { Estate } from '../estate.ts'
import type { Topic } from './propagation.ts'

/** From when until when, in ms. `fromMs` is undefined if the sentence does not say it: from when it was so for the first time. */
export type Window = { fromMs: number | undefined; toMs: number }

/** A sentence about a run. `node` is the agent that it is about; '' is every agent. */
export type Expectation = { text: string } & (
  | { form: 'reaches'; source: string; node: string; destination: string; withinMs: number; window: Window }
  | { form: 'never reaches'; source: string; node: string; destination: string; window: Window }
  | { form: 'health'; service: string; node: string; status: 'passing' | 'critical'; asked: string; withinMs: number; window: Window }
  | { form: 'propagation'; measure: 'p50' | 'p99' | 'max'; topic: Topic | ''; underMs: number }
  | { form: 'back'; node: string; withinMs: number }
  | { form: 'rest'; withinMs: number }
)

const WITHIN_MS = 5_000

/** Every form, for people. */
export const FORMS = `The forms are:
  SERVICE [on AGENT] reaches SERVICE [within TIME] [from TIME] [to TIME]
  SERVICE [on AGENT] never reaches SERVICE [from TIME] [to TIME]
  SERVICE [on AGENT] is passing|critical [on AGENT] [within TIME] [from TIME] [to TIME]
  p50|p99|max of [health|catalog|intentions] propagation under TIME
  AGENT is back within TIME
  comes to rest within TIME
where TIME is like 10s, 1m30s or 500ms.`

/** What an expectation may name. */
export type Known = Pick<Estate, 'agents' | 'upstreams'> & { endMs: number }

/** Reads a sentence. Whatever makes no sense is refused with the reason. */
export function readExpectation(text: string, known: Known): Result<Expectation> {
  const words = new Words(text.trim().split(/\s+/), known)
  const first = words.take()
  try {
    if (first === 'comes') return rest(text, words)
    if (/^(p50|p99|max)$/.test(first) && words.peek() === 'of') return propagation(text, words, first as 'p50')
    return aboutSomebody(text, words, first)
  } catch (thrown) {
    if (thrown instanceof Misread) return refuse('invalid', thrown.message)
    throw thrown
  }
}

function rest(text: string, words: Words): Expectation {
  words.expect('to', 'rest', 'within')
  return words.finish({ text, form: 'rest', withinMs: words.duration('within') })
}

function propagation(text: string, words: Words, measure: 'p50' | 'p99' | 'max'): Expectation {
  words.expect('of')
  words.needsSeveral()
  const topic = words.takeIf('health', 'catalog', 'intentions')
  words.expect('propagation', 'under')
  return words.finish({ text, form: 'propagation', measure, topic: topic as Topic | '', underMs: words.duration('under') })
}

function aboutSomebody(text: string, words: Words, name: string): Expectation {
  const node = words.place()
  const verb = words.take()
  if (verb === 'reaches') {
    const pair = words.pair(name, node, words.take())
    return words.finish({ text, form: 'reaches', ...pair, ...words.times(), window: words.window() })
  }
  if (verb === 'never') {
    words.expect('reaches')
    const pair = words.pair(name, node, words.take())
    return words.finish({ text, form: 'never reaches', ...pair, window: words.window() })
  }
  if (verb !== 'is') throw new Misread(`${verb === '' ? 'it ends too early' : `${JSON.stringify(verb)} is not understood`}. ${FORMS}`)
  const what = words.take()
  if (what === 'back') {
    if (node !== '') throw new Misread(`agents come back, and are not on other agents: say "${name} is back within 20s"`)
    words.expect('within')
    return words.finish({ text, form: 'back', node: words.agent(name), withinMs: words.duration('within') })
  }
  if (what !== 'passing' && what !== 'critical') throw new Misread(`nothing can be ${JSON.stringify(what)}. ${FORMS}`)
  const service = words.service(name, node)
  const asked = words.place()
  return words.finish({ text, form: 'health', service, node, status: what, asked, ...words.times(), window: words.window() })
}

class Misread extends Error {}

/** The words of a sentence, from left to right. */
class Words {
  readonly #words: string[]
  readonly #known: Known
  #at = 0
  #window: { from?: number; to?: number } = {}

  constructor(words: string[], known: Known) {
    this.#words = words
    this.#known = known
  }

  /** The next word; '' at the end. */
  peek(): string {
    return this.#words[this.#at] ?? ''
  }

  take(): string {
    const word = this.peek()
    this.#at++
    return word
  }

  takeIf(...wanted: readonly string[]): string {
    return wanted.includes(this.peek()) ? this.take() : ''
  }

  expect(...wanted: readonly string[]): void {
    for (const word of wanted) {
      const found = this.take()
      if (found !== word) {
        throw new Misread(
          `${JSON.stringify(word)} is missing${found === '' ? ' at the end' : ` before ${JSON.stringify(found)}`}. ${FORMS}`,
        )
      }
    }
  }

  duration(after: string): number {
    const word = this.take()
    const ms = parseDuration(word)
    if (word === '' || isRefused(ms) || ms < 0) {
      throw new Misread(`${after}: ${word === '' ? 'the time is missing' : `${JSON.stringify(word)} is not a time`}. ${FORMS}`)
    }
    return ms
  }

  /** The agent after an `on`; '' if there is none. */
  place(): string {
    return this.takeIf('on') === '' ? '' : this.agent(this.take())
  }

  agent(name: string): string {
    const { agents } = this.#known
    if (agents.some((agent) => agent.name === name)) return name
    throw new Misread(`there is no agent ${JSON.stringify(name)}; there are ${agents.map((agent) => agent.name).join(', ')}`)
  }

  needsSeveral(): void {
    if (this.#known.agents.length < 2) throw new Misread('with a single agent nothing propagates')
  }

  /** A service that runs there. */
  service(name: string, node: string): string {
    const { agents } = this.#known
    const places = agents.filter(({ config }) => config.services.some((one) => one.name === name)).map((agent) => agent.name)
    if (places.length === 0) {
      const services = new Set(agents.flatMap(({ config }) => config.services.map((one) => one.name)))
      throw new Misread(`there is no service ${JSON.stringify(name)}; there are ${[...services].join(', ')}`)
    }
    if (node !== '' && !places.includes(node)) throw new Misread(`${name} does not run on ${node}, but on ${places.join(', ')}`)
    return name
  }

  /** A service and its upstream. */
  pair(source: string, node: string, destination: string): { source: string; node: string; destination: string } {
    this.service(source, node)
    this.service(destination, '')
    const upstreams = this.#known.upstreams.filter((one) => one.source === source && (node === '' || one.node === node))
    if (upstreams.some((one) => one.destination === destination)) return { source, node, destination }
    const names = [...new Set(upstreams.map((one) => one.destination))]
    const has = names.length === 0 ? 'it has none that is simulated' : `its upstreams are ${names.join(', ')}`
    throw new Misread(`${source}${node === '' ? '' : ` on ${node}`} has no upstream ${JSON.stringify(destination)}: ${has}`)
  }

  /** `within`, if it is said. `from` and `to` may stand before or after it. */
  times(): { withinMs: number } {
    this.#readWindow()
    const withinMs = this.takeIf('within') === '' ? WITHIN_MS : this.duration('within')
    return { withinMs }
  }

  window(): Window {
    this.#readWindow()
    const { endMs } = this.#known
    const { from, to = endMs } = this.#window
    for (const [name, ms] of Object.entries(this.#window)) {
      if (ms > endMs) throw new Misread(`${name} ${ms / 1_000}s is beyond the end of the run, ${endMs / 1_000}s`)
    }
    if ((from ?? 0) >= to) throw new Misread(`from ${(from ?? 0) / 1_000}s is not before to ${to / 1_000}s`)
    return { fromMs: from, toMs: to }
  }

  #readWindow(): void {
    for (let name = this.takeIf('from', 'to'); name !== ''; name = this.takeIf('from', 'to')) {
      const key = name as 'from' | 'to'
      if (this.#window[key] !== undefined) throw new Misread(`${key} is there twice`)
      this.#window[key] = this.duration(key)
    }
  }

  /** Nothing may follow. */
  finish(expectation: Expectation): Expectation {
    if (this.peek() !== '') throw new Misread(`${JSON.stringify(this.peek())} is too much. ${FORMS}`)
    return expectation
  }
}
