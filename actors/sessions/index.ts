import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import { type Caller, type Cast, LATER } from '../../src/kernel/protocol.ts'
import { recordReads } from '../../src/kernel/recording-view.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { currentCopy } from '../../src/kernel/tables.ts'
import { authorize } from '../authorize.ts'
import { indexOf } from '../command.ts'
import { commit } from '../ledger.ts'
import { type SessionsArgs, type SessionsProtocol, TTL_MS_MAX } from './protocol.ts'
import { type Session, sessionById } from './queries.ts'
import { LOCK_DELAYS, lockDelayTable, type SessionRecord, TERMS, termIndex, termTable } from './tables.ts'

/** A session's time, by the index at which it began. */
type Term = { id: string; began: number }
type SessionsOwn = {
  created: Cast<{ caller: Caller<{ id: string }>; result: Result<{ id: string }> }>
  destroyed: Cast<{ caller: Caller<null>; result: Result<null> }>
  renewed: Cast<{ caller: Caller<Session>; id: string; result: Result<SessionRecord> }>
  termsBegan: Cast<null>
  termsOver: Cast<{ terms: Term[]; copy: number }>
  expired: Cast<{ term: Term; result: Result<{ ended: boolean }> }>
  delaysBegan: Cast<null>
  delayOver: Cast<{ key: string; began: number }>
  delayEnded: Cast<{ key: string; began: number; result: Result<null> }>
}
type SessionsState = SessionsArgs & {
  /** The copy of the tables that is timed: others take their place in a restore, and all times begin anew. */
  copy: number
  /** The newest term that is timed, by its key; '' before the first. */
  lastTerm: string
  /** How many timers for terms there have been: their names. */
  timers: number
  /** Lock delays that are timed: when they began, by key. */
  delays: Map<string, number>
}
type SessionsTurn = Turn<SessionsOwn>

/** A session ends when it was not renewed for so many times its TTL. Source: internals, leader duties. */
const GRACE = 2
const RETRY_MS = 1_000
/** Commands proposed in one turn. */
const PROPOSED_MAX = 1_000

/**
 * Makes and ends sessions, and times what is timed: how long a session lives without being renewed, and how long a key may not be
 * taken after its holder was lost. Only timers count, so a clock that is set changes nothing; a restart begins all times anew.
 * Each server does this: a command names what it saw begin, so that of several the first one counts.
 */
export const sessions = defineActor<SessionsProtocol, SessionsOwn, SessionsState, SessionsArgs>({
  name: 'sessions',
  mailboxMax: 16_384,
  remote: ['create', 'destroy', 'renew'],
  init(args, turn) {
    turn.again({ name: 'termsBegan', request: null })
    turn.again({ name: 'delaysBegan', request: null })
    return { ...args, copy: currentCopy(turn.view), lastTerm: '', timers: 0, delays: new Map() }
  },
  on: {
    create({ ttlMinMs, ttlRange }, { token, ...session }, turn, caller) {
      const denied = authorize(turn.view, token, { resource: 'session', name: session.node, access: 'write' })
      if (denied) return denied
      const { ttlMs } = session
      if (ttlMs !== 0 && (ttlMs < ttlMinMs || ttlMs > TTL_MS_MAX)) {
        return refuse('conflict', `Invalid Session TTL '${Math.round(ttlMs * 1e6)}', must be between [${ttlRange}]`)
      }
      const request = { id: turn.random.uuid(), ...session }
      commit(turn, 'sessions.create', request, (result) => ({ name: 'created', request: { caller, result } }))
      return LATER
    },

    destroy(_state, { token, id }, turn, caller) {
      const denied = mayNotWrite(turn, token, id)
      if (denied) return denied
      commit(turn, 'sessions.destroy', { id }, (result) => ({ name: 'destroyed', request: { caller, result } }))
      return LATER
    },

    renew(_state, { token, id }, turn, caller) {
      const denied = mayNotWrite(turn, token, id)
      if (denied) return denied
      commit(turn, 'sessions.renew', { id }, (result) => ({ name: 'renewed', request: { caller, id, result } }))
      return LATER
    },

    created(_state, { caller, result }, turn) {
      turn.answer(caller, result)
    },

    destroyed(_state, { caller, result }, turn) {
      turn.answer(caller, result)
    },

    renewed(_state, { caller, id, result }, turn) {
      turn.answer(caller, isRefused(result) ? result : { id, ...result })
    },

    termsBegan(state, _request, turn) {
      wakeAt(turn, TERMS, { name: 'termsBegan', request: null })
      followRestore(state, turn)
      const byTtl = new Map<number, Term[]>()
      for (const [key, { id, ttlMs }] of turn.view.range(termTable, { after: state.lastTerm })) {
        const terms = byTtl.get(ttlMs) ?? []
        terms.push({ id, began: Number(key) })
        byTtl.set(ttlMs, terms)
        state.lastTerm = key
      }
      for (const [ttlMs, terms] of byTtl) timeTerms(state, turn, terms, ttlMs * GRACE)
    },

    termsOver(state, { terms, copy }, turn) {
      if (copy !== state.copy) return
      const over = terms.filter(({ id, began }) => indexOf(turn.view, termIndex(id)) === began)
      for (const term of over.slice(0, PROPOSED_MAX)) {
        commit(turn, 'sessions.expire', term, (result) => ({ name: 'expired', request: { term, result } }))
      }
      if (over.length > PROPOSED_MAX) timeTerms(state, turn, over.slice(PROPOSED_MAX), 0)
    },

    expired(state, { term, result }, turn) {
      if (isRefused(result)) return timeTerms(state, turn, [term], RETRY_MS)
      if (!result.ended) return
      turn.count('session_ttl.invalidate')
      turn.print('debug', 'Session TTL expired', { session: term.id })
    },

    delaysBegan(state, _request, turn) {
      wakeAt(turn, LOCK_DELAYS, { name: 'delaysBegan', request: null })
      followRestore(state, turn)
      for (const [key, { index: began, delayMs }] of turn.view.range(lockDelayTable)) {
        if (state.delays.get(key) === began) continue
        state.delays.set(key, began)
        timeDelay(turn, key, began, delayMs)
      }
    },

    delayOver(_state, { key, began }, turn) {
      commit(turn, 'sessions.end-lock-delay', { key, began }, (result) => ({ name: 'delayEnded', request: { key, began, result } }))
    },

    delayEnded({ delays }, { key, began, result }, turn) {
      if (delays.get(key) !== began) return
      if (isRefused(result)) return timeDelay(turn, key, began, RETRY_MS)
      delays.delete(key)
    },
  },
})

/** What is not there may be ended and renewed by anybody: nothing happens. */
function mayNotWrite(turn: SessionsTurn, token: string, id: string) {
  const [session] = sessionById(turn.view, id).sessions
  return session && authorize(turn.view, token, { resource: 'session', name: session.node, access: 'write' })
}

/** Sends the message once an index of the tables is another, or the tables themselves are. */
function wakeAt(turn: SessionsTurn, name: string, message: { name: 'termsBegan' | 'delaysBegan'; request: null }): void {
  const { view, reads } = recordReads(turn.view)
  indexOf(view, name)
  currentCopy(view)
  turn.wake(name, reads, message)
}

/** Forgets what was timed of tables that are gone. */
function followRestore(state: SessionsState, turn: SessionsTurn): void {
  const copy = currentCopy(turn.view)
  if (copy === state.copy) return
  state.copy = copy
  state.lastTerm = ''
  state.delays.clear()
}

function timeTerms(state: SessionsState, turn: SessionsTurn, terms: Term[], afterMs: number): void {
  turn.timer(`term/${++state.timers}`, afterMs, { name: 'termsOver', request: { terms, copy: state.copy } })
}

function timeDelay(turn: SessionsTurn, key: string, began: number, afterMs: number): void {
  turn.timer(`delay/${key}`, afterMs, { name: 'delayOver', request: { key, began } })
}
