import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import type { OwnApiAnswer, ProbeOutcome, ProbeRequest } from '../../src/kernel/ports.ts'
import type { Cast } from '../../src/kernel/protocol.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import type { WatchDefinition, WatchesArgs, WatchesProtocol, WatchHandler } from './protocol.ts'
import { NOTHING_SEEN, payloadOf, type Seen, seenAfter, urlOf } from './questions.ts'

type WatchesOwn = {
  look: Cast<{ id: string }>
  answered: Cast<{ id: string; run: number; answer: Result<OwnApiAnswer> }>
  handled: Cast<{ id: string; run: number; result: Result<ProbeOutcome> }>
}

type Watch = {
  definition: WatchDefinition
  /** Tells this watch from one with the same id that was there before. */
  run: number
  seen: Seen
  /** What the handler was told last. */
  told: string | undefined
  failures: number
}
type WatchesState = { watches: Map<string, Watch>; runs: number }

/** After the n-th failure in a row a question waits for n² of these. Source: config §9. */
const RETRY_MS = 5_000
const RETRY_MS_MAX = 180_000
/** A program may take its time; nothing else of its watch happens meanwhile. */
const SCRIPT_MS_MAX = 24 * 3_600_000
const OUTPUT_BYTES_MAX = 4_096

/**
 * Asks the agent's own API what each watch wants to know, one question at a time, and has its handler told of each answer that is not
 * the one before. While a handler runs nothing is asked, so that it is told only of the newest answer afterwards.
 */
export const watches = defineActor<WatchesProtocol, WatchesOwn, WatchesState, WatchesArgs>({
  name: 'watches',
  mailboxMax: 4_096,
  init({ watches: wanted }, turn) {
    const state: WatchesState = { watches: new Map(), runs: 0 }
    follow(state, turn, wanted)
    return state
  },
  stays: () => true,
  on: {
    reload(state, { watches: wanted }, turn) {
      follow(state, turn, wanted)
      return null
    },

    look(state, { id }, turn) {
      const watch = state.watches.get(id)
      if (watch) ask(turn, id, watch)
    },

    answered(state, { id, run, answer }, turn) {
      const watch = state.watches.get(id)
      if (watch?.run !== run) return
      const payload = isRefused(answer) ? undefined : payloadOf(watch.definition.question, answer, watch.seen)
      if (payload === undefined || isRefused(answer)) return retry(turn, id, watch, isRefused(answer) ? answer.why : answer.text)
      watch.failures = 0
      const isSame = watch.told !== undefined && (payload === watch.told || answer.index === watch.seen.index)
      watch.seen = seenAfter(watch.seen, answer)
      if (!isSame) {
        watch.told = payload
        const probe = probeOf(watch.definition.handler, payload, answer.index === '' ? '0' : answer.index)
        return turn.act('probes', probe, { then: (result) => ({ name: 'handled', request: { id, run, result } }) })
      }
      // What says neither index nor hash cannot be waited for.
      if (answer.index === '' && answer.hash === '') turn.timer(`look/${id}`, RETRY_MS, { name: 'look', request: { id } })
      else ask(turn, id, watch)
    },

    handled(state, { id, run, result }, turn) {
      const watch = state.watches.get(id)
      report(turn, watch?.definition.handler, result)
      if (watch?.run !== run) return
      ask(turn, id, watch)
    },
  },
})

function follow(state: WatchesState, turn: Turn<WatchesOwn>, definitions: readonly WatchDefinition[]): void {
  const wanted = new Map<string, WatchDefinition>()
  for (const definition of definitions) wanted.set(freeId(wanted, JSON.stringify(definition)), definition)
  for (const id of [...state.watches.keys()]) {
    if (wanted.has(id)) continue
    state.watches.delete(id)
    turn.cancel(`look/${id}`)
    turn.act('api', { do: 'forget', asker: id })
  }
  for (const [id, definition] of wanted) {
    if (state.watches.has(id)) continue
    const watch: Watch = { definition, run: ++state.runs, seen: NOTHING_SEEN, told: undefined, failures: 0 }
    state.watches.set(id, watch)
    ask(turn, id, watch)
  }
}

/** Watches are told apart by all that they say; equal ones by how many came before. */
function freeId(taken: ReadonlyMap<string, unknown>, id: string): string {
  let free = id
  for (let count = 2; taken.has(free); count += 1) free = `${id} ${count}`
  return free
}

function ask(turn: Turn<WatchesOwn>, id: string, { definition, run, seen }: Watch): void {
  const request = { do: 'get', asker: id, url: urlOf(definition, seen), token: definition.token } as const
  turn.act('api', request, { then: (answer) => ({ name: 'answered', request: { id, run, answer } }) })
}

/** What was seen is forgotten: nobody knows whether its index still counts. */
function retry(turn: Turn<WatchesOwn>, id: string, watch: Watch, why: string): void {
  watch.failures += 1
  watch.seen = NOTHING_SEEN
  const waitMs = Math.min(RETRY_MS * watch.failures ** 2, RETRY_MS_MAX)
  turn.print('error', 'Watch errored', { type: watch.definition.question.type, error: why, retryMs: waitMs })
  turn.timer(`look/${id}`, waitMs, { name: 'look', request: { id } })
}

function probeOf(handler: WatchHandler, input: string, index: string): ProbeRequest {
  if (handler.kind === 'script') {
    const env = { CONSUL_INDEX: index }
    return { kind: 'script', args: [...handler.args], timeoutMs: SCRIPT_MS_MAX, outputMax: OUTPUT_BYTES_MAX, env, input }
  }
  const { url, method, timeoutMs, tlsSkipVerify } = handler
  const own = { 'User-Agent': ['Tribune'], 'Content-Type': ['application/json'], 'X-Consul-Index': [index] }
  return {
    kind: 'http',
    url,
    method,
    headers: overlaid(own, handler.headers),
    body: input,
    timeoutMs,
    outputMax: OUTPUT_BYTES_MAX,
    tlsServerName: '',
    tlsSkipVerify,
    disableRedirects: false,
  }
}

/** Names of headers are equal in any case. */
function overlaid(own: Record<string, string[]>, given: Readonly<Record<string, string[]>>): Record<string, string[]> {
  const names = new Set(Object.keys(given).map((name) => name.toLowerCase()))
  return { ...Object.fromEntries(Object.entries(own).filter(([name]) => !names.has(name.toLowerCase()))), ...given }
}

function report(turn: Turn<WatchesOwn>, handler: WatchHandler | undefined, result: Result<ProbeOutcome>): void {
  const name = handler && (handler.kind === 'script' ? handler.args.join(' ') : handler.url)
  const facts = name === undefined ? {} : { handler: name }
  if (isRefused(result)) turn.print('error', 'Watch handler failed', { ...facts, error: result.why })
  else if (result.status !== 'passing') turn.print('error', 'Watch handler failed', { ...facts, output: result.output.trimEnd() })
  else turn.print('debug', 'Watch handler output', { ...facts, output: result.output.trimEnd() })
}
