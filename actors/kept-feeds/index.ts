import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import type { StoreOutcome } from '../../src/kernel/ports.ts'
import { type Cast, refOf, type Subscriber } from '../../src/kernel/protocol.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import { type FeedsProtocol, feedsRef } from '../feeds/protocol.ts'

/** The feeds of the server that this agent uses, which go on with what they said last while there is none. */
export const keptFeedsRef = refOf<FeedsProtocol>('kept-feeds')

export type KeptFeedsArgs = { enabled: boolean }
type Question =
  | { feed: 'roots'; request: null }
  | { feed: 'intentions'; request: { destination: string } }
  | { feed: 'instances'; request: { service: string } }
  | { feed: 'query'; request: { query: string } }
type KeptValue = { index: number; value: unknown; atMs: number }
type Entry = { question: Question; subscribers: Subscriber[]; known: KeptValue | undefined; isDirty: boolean }

type KeptFeedsOwn = {
  loaded: Cast<Result<StoreOutcome>>
  loadAgain: Cast<null>
  arrived: Cast<{ name: string; index: number; value: unknown }>
  save: Cast<null>
  saved: Cast<{ outcome: Result<StoreOutcome> }>
}
export type KeptFeedsState = { loaded: boolean; entries: Map<string, Entry>; isSaveDue: boolean }

const KIND = 'feed'
const LOAD_AGAIN_MS = 1_000
/** Values change in bursts; the newest of each is written. */
const SAVE_AFTER_MS = 500
/** What nobody has followed for so long is forgotten at the next start. */
const UNUSED_MS_MAX = 7 * 86_400_000

/** Follows for the sidecars of this agent, once for all of them, and keeps the newest values in the data directory. */
export const keptFeeds = defineActor<FeedsProtocol, KeptFeedsOwn, KeptFeedsState, KeptFeedsArgs>({
  name: 'kept-feeds',
  mailboxMax: 16_384,
  init({ enabled }, turn) {
    if (enabled) load(turn)
    return { loaded: false, entries: new Map(), isSaveDue: false }
  },
  on: {
    roots: (state, request, turn, subscriber) => follow(state, { feed: 'roots', request }, subscriber, turn),
    intentions: (state, request, turn, subscriber) => follow(state, { feed: 'intentions', request }, subscriber, turn),
    instances: (state, request, turn, subscriber) => follow(state, { feed: 'instances', request }, subscriber, turn),
    query: (state, request, turn, subscriber) => follow(state, { feed: 'query', request }, subscriber, turn),

    loaded(state, outcome, turn) {
      if (isRefused(outcome)) {
        turn.print('error', 'cannot read what the cluster said last', { error: outcome.why, retryMs: LOAD_AGAIN_MS })
        return turn.timer('load', LOAD_AGAIN_MS, { name: 'loadAgain', request: null })
      }
      state.loaded = true
      for (const { kind, key, record } of outcome.records) if (kind === KIND) takeKept(state, key, record as KeptValue, turn)
    },

    loadAgain: (_state, _request, turn) => load(turn),

    arrived(state, { name, index, value }, turn) {
      const entry = state.entries.get(name)
      if (!entry) return
      entry.known = { index, value, atMs: turn.nowMs }
      entry.isDirty = true
      for (const subscriber of entry.subscribers) turn.emit<unknown>(subscriber, index, value)
      if (state.isSaveDue) return
      state.isSaveDue = true
      turn.timer('save', SAVE_AFTER_MS, { name: 'save', request: null })
    },

    save(state, _request, turn) {
      state.isSaveDue = false
      for (const [key, entry] of state.entries) {
        if (!entry.isDirty) continue
        entry.isDirty = false
        const then = (outcome: Result<StoreOutcome>) => ({ name: 'saved' as const, request: { outcome } })
        turn.act('store', { do: 'save', kind: KIND, key, record: entry.known }, { then })
      }
    },

    saved(_state, { outcome }, turn) {
      if (isRefused(outcome)) turn.print('warn', 'what the cluster said last is not kept', { error: outcome.why })
    },
  },

  /** The value stays: a sidecar that starts again may find no server. */
  left({ entries }, { peer, feed }, turn) {
    for (const [name, entry] of entries) {
      const before = entry.subscribers.length
      entry.subscribers = entry.subscribers.filter((other) => other.peer !== peer || other.feed !== feed)
      if (before > 0 && entry.subscribers.length === 0) turn.unsubscribe(name)
    }
  },
})

function load(turn: Turn<KeptFeedsOwn>): void {
  turn.act('store', { do: 'load' }, { then: (outcome) => ({ name: 'loaded', request: outcome }) })
}

/** What came from a server in the meantime is newer. */
function takeKept({ entries }: KeptFeedsState, key: string, known: KeptValue, turn: Turn<KeptFeedsOwn>): void {
  const entry = entries.get(key)
  if (!entry && turn.nowMs - known.atMs > UNUSED_MS_MAX) return turn.act('store', { do: 'remove', kind: KIND, key })
  if (!entry) return void entries.set(key, { question: JSON.parse(key) as Question, subscribers: [], known, isDirty: false })
  if (entry.known) return
  entry.known = known
  for (const subscriber of entry.subscribers) turn.emit<unknown>(subscriber, known.index, known.value)
}

function follow({ entries }: KeptFeedsState, question: Question, subscriber: Subscriber, turn: Turn<KeptFeedsOwn>): void {
  const name = JSON.stringify(question)
  const entry = entries.get(name) ?? { question, subscribers: [], known: undefined, isDirty: false }
  entries.set(name, entry)
  if (entry.subscribers.length === 0) {
    turn.subscribe(name, feedsRef, question.feed, question.request as never, (value, index) => ({
      name: 'arrived',
      request: { name, index, value },
    }))
  }
  entry.subscribers.push(subscriber)
  if (entry.known) turn.emit<unknown>(subscriber, entry.known.index, entry.known.value)
}
