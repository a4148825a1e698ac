import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import type { DaemonEvent, DaemonOutcome, KeptDaemon } from '../../src/kernel/ports.ts'
import type { Cast, Subscriber } from '../../src/kernel/protocol.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import { same } from '../catalog/same.ts'
import { proxiesRef } from '../proxies/protocol.ts'
import type { Daemon, DaemonStatus, DaemonsArgs, DaemonsProtocol, WantedDaemon } from './protocol.ts'

type DaemonsOwn = {
  loaded: Cast<Result<DaemonOutcome>>
  loadAgain: Cast<null>
  wanted: Cast<readonly WantedDaemon[]>
  arrange: Cast<null>
  started: Cast<{ id: string; outcome: Result<DaemonOutcome> }>
  ended: Cast<{ id: string; event: DaemonEvent }>
  /** It has run long enough to count as well. */
  healthy: Cast<{ id: string }>
  startAgain: Cast<{ id: string }>
  /** It was asked to end and has not. */
  kill: Cast<{ id: string }>
  kept: Cast<Result<DaemonOutcome>>
  keepAgain: Cast<null>
}

type DaemonsState = {
  args: DaemonsArgs
  /** What an earlier life left is known: nothing is started before. */
  loaded: boolean
  mayRun: boolean
  /** Undefined before the first time that somebody said what is to run. */
  wanted: readonly WantedDaemon[] | undefined
  /** Since when changes wait to be carried out together; undefined if none does. */
  changedMs: number | undefined
  daemons: Map<string, Daemon>
  kept: KeptDaemon[]
  isKeeping: boolean
  subscribers: Subscriber<readonly DaemonStatus[]>[]
  told: readonly DaemonStatus[]
  tellings: number
}
type DaemonsTurn = Turn<DaemonsOwn>

/** Changes are carried out once there was none for so long, and at the latest after so long. Source: connect §8.1, the other times too. */
const QUIET_MS = 500
const QUIET_MS_MAX = 5_000
/** So many starts in a row happen at once. The n-th one after these waits 2^n seconds. */
const STARTS_AT_ONCE = 3
const START_AGAIN_MS_MAX = 60_000
const HEALTHY_AFTER_MS = 10_000
const KILL_AFTER_MS = 5_000
const AGAIN_MS = 1_000

/**
 * Keeps the third-party programs running that services have as their managed proxies. They outlive the agent: after a restart those that
 * still run are followed, not started anew.
 */
export const daemons = defineActor<DaemonsProtocol, DaemonsOwn, DaemonsState, DaemonsArgs>({
  name: 'daemons',
  mailboxMax: 16_384,
  init(args, turn) {
    load(turn)
    turn.subscribe('wanted', proxiesRef, 'daemons', null, (wanted) => ({ name: 'wanted', request: wanted }))
    return {
      args,
      loaded: false,
      mayRun: false,
      wanted: undefined,
      changedMs: undefined,
      daemons: new Map(),
      kept: [],
      isKeeping: false,
      subscribers: [],
      told: [],
      tellings: 0,
    }
  },
  on: {
    ownerOf({ args, daemons: known }, { token }) {
      const daemon = token === '' ? undefined : [...known.values()].find((one) => one.token === token)?.wanted
      return daemon ? { daemon, telemetry: args.telemetry } : null
    },

    daemons(state, _request, turn, subscriber) {
      state.subscribers.push(subscriber)
      turn.emit(subscriber, ++state.tellings, state.told)
    },

    loaded(state, outcome, turn) {
      if (isRefused(outcome) && outcome.refused !== 'invalid') {
        turn.print('error', 'cannot read which proxies were running', { error: outcome.why, retryMs: AGAIN_MS })
        return turn.timer('load', AGAIN_MS, { name: 'loadAgain', request: null })
      }
      if (isRefused(outcome)) turn.print('error', 'it is not known which proxies were running', { error: outcome.why })
      const { kept = [], isRoot = true } = isRefused(outcome) ? {} : outcome
      state.loaded = true
      state.mayRun = state.args.allowRoot || !isRoot
      state.kept = kept
      for (const one of kept) state.daemons.set(one.id, followed(one, turn))
      if (!state.mayRun && state.wanted?.length) warnOfRoot(turn)
      later(state, turn)
    },

    loadAgain(_state, _request, turn) {
      load(turn)
    },

    wanted(state, wanted, turn) {
      state.wanted = wanted
      if (state.loaded && !state.mayRun && wanted.length > 0) warnOfRoot(turn)
      later(state, turn)
    },

    arrange(state, _request, turn) {
      state.changedMs = undefined
      if (!state.loaded || !state.wanted) return
      const wanted = new Map(state.wanted.map((one) => [one.id, one]))
      for (const daemon of state.daemons.values()) daemon.wanted = wanted.get(daemon.id)
      for (const one of wanted.values()) if (!state.daemons.has(one.id)) state.daemons.set(one.id, newDaemon(one, turn))
      for (const daemon of [...state.daemons.values()]) settle(state, daemon, turn)
      changed(state, turn)
    },

    started(state, { id, outcome }, turn) {
      const daemon = state.daemons.get(id)
      if (daemon?.phase !== 'starting') return
      if (isRefused(outcome)) {
        daemon.process = null
        failed(state, daemon, outcome.why, turn)
      } else {
        Object.assign(daemon, { process: outcome.process ?? daemon.process, phase: 'running', why: '' })
        turn.timer(`healthy/${id}`, HEALTHY_AFTER_MS, { name: 'healthy', request: { id } })
        settle(state, daemon, turn)
      }
      changed(state, turn)
    },

    ended(state, { id, event }, turn) {
      const daemon = state.daemons.get(id)
      if (!daemon || daemon.process?.pid !== event.pid) return
      daemon.process = null
      turn.cancel(`healthy/${id}`)
      turn.cancel(`kill/${id}`)
      if (daemon.phase === 'ending') {
        Object.assign(daemon, { phase: 'waiting', attempts: 0, why: '' })
        settle(state, daemon, turn)
      } else failed(state, daemon, event.why, turn)
      changed(state, turn)
    },

    healthy(state, { id }, turn) {
      const daemon = state.daemons.get(id)
      if (daemon?.phase !== 'running') return
      daemon.attempts = 0
      changed(state, turn)
    },

    startAgain(state, { id }, turn) {
      const daemon = state.daemons.get(id)
      if (daemon?.phase === 'waiting' && daemon.wanted) start(state, daemon, daemon.wanted, turn)
      changed(state, turn)
    },

    kill({ daemons: known }, { id }, turn) {
      if (known.get(id)?.phase === 'ending') turn.act('daemons', { do: 'signal', id, signal: 'kill' })
    },

    kept(state, result, turn) {
      state.isKeeping = false
      if (!isRefused(result)) return keep(state, turn)
      state.kept = []
      turn.print('warn', 'what is to be known of proxies after a restart is not kept', { error: result.why, retryMs: AGAIN_MS })
      turn.timer('keep', AGAIN_MS, { name: 'keepAgain', request: null })
    },

    keepAgain(state, _request, turn) {
      keep(state, turn)
    },
  },

  left(state, { peer, feed }) {
    state.subscribers = state.subscribers.filter((other) => other.peer !== peer || other.feed !== feed)
  },
})

function load(turn: DaemonsTurn): void {
  turn.act('daemons', { do: 'load' }, { then: (outcome) => ({ name: 'loaded', request: outcome }) })
}

function warnOfRoot(turn: DaemonsTurn): void {
  turn.print('warn', 'running as root, will not start managed proxies', { allowed_by: 'connect.proxy.allow_managed_root' })
}

/** Changes come in a row: they wait for each other. */
function later(state: DaemonsState, turn: DaemonsTurn): void {
  // A clock that was set back must not make it wait longer.
  const changedMs = Math.min(state.changedMs ?? turn.nowMs, turn.nowMs)
  state.changedMs = changedMs
  const leftMs = Math.max(0, changedMs + QUIET_MS_MAX - turn.nowMs)
  turn.timer('arrange', Math.min(QUIET_MS, leftMs), { name: 'arrange', request: null })
}

function newDaemon(wanted: WantedDaemon, turn: DaemonsTurn): Daemon {
  return { id: wanted.id, token: turn.random.uuid(), wanted, command: [], process: null, phase: 'waiting', why: '', attempts: 0 }
}

/** One that an earlier life of the agent knew. */
function followed({ id, token, command, process }: KeptDaemon, turn: DaemonsTurn): Daemon {
  const daemon: Daemon = { id, token, wanted: undefined, command, process, phase: process ? 'starting' : 'waiting', why: '', attempts: 0 }
  if (process) turn.act('daemons', { do: 'follow', id, process }, outcomesOf(id))
  return daemon
}

function outcomesOf(id: string) {
  return {
    then: (outcome: Result<DaemonOutcome>) => ({ name: 'started' as const, request: { id, outcome } }),
    on: (event: DaemonEvent) => ({ name: 'ended' as const, request: { id, event } }),
  }
}

/** Does what is next for one program. While it starts or ends, its outcome is waited for; so is news of what is wanted. */
function settle(state: DaemonsState, daemon: Daemon, turn: DaemonsTurn): void {
  const { id, wanted, phase } = daemon
  if (!state.wanted || state.changedMs !== undefined) return
  if (phase === 'starting' || phase === 'ending') return
  if (phase === 'running') {
    if (!wanted || !state.mayRun || !same(wanted.command, daemon.command)) end(daemon, turn)
    return
  }
  if (!wanted) {
    turn.cancel(`start/${id}`)
    state.daemons.delete(id)
  } else if (!state.mayRun) {
    Object.assign(daemon, { phase: 'forbidden', why: 'not started as root unless connect.proxy.allow_managed_root is true' })
  } else if (daemon.attempts === 0 || !same(wanted.command, daemon.command)) {
    daemon.attempts = 0
    start(state, daemon, wanted, turn)
  }
}

function start({ args }: DaemonsState, daemon: Daemon, { id, command }: WantedDaemon, turn: DaemonsTurn): void {
  turn.cancel(`start/${id}`)
  Object.assign(daemon, { phase: 'starting', command, attempts: daemon.attempts + 1 })
  const environment = { ...args.environment, CONNECT_PROXY_ID: id, CONNECT_PROXY_TOKEN: daemon.token }
  turn.act('daemons', { do: 'start', id, command: [...command], environment }, outcomesOf(id))
}

function end(daemon: Daemon, turn: DaemonsTurn): void {
  const { id } = daemon
  daemon.phase = 'ending'
  turn.cancel(`healthy/${id}`)
  turn.act('daemons', { do: 'signal', id, signal: 'interrupt' })
  turn.timer(`kill/${id}`, KILL_AFTER_MS, { name: 'kill', request: { id } })
}

/** It ended by itself or could not be started. */
function failed(state: DaemonsState, daemon: Daemon, why: string, turn: DaemonsTurn): void {
  const { id, attempts } = daemon
  Object.assign(daemon, { phase: 'waiting', why })
  if (!daemon.wanted) return settle(state, daemon, turn)
  const exponent = attempts + 1 - STARTS_AT_ONCE
  const waitMs = exponent <= 0 ? 0 : Math.min(START_AGAIN_MS_MAX, 1_000 * 2 ** Math.min(exponent, 16))
  turn.print('warn', 'a managed proxy does not run', { proxy: id, command: daemon.command[0], error: why, retryMs: waitMs })
  turn.count('connect.daemon.failures')
  if (!same(daemon.wanted.command, daemon.command) || waitMs === 0) start(state, daemon, daemon.wanted, turn)
  else turn.timer(`start/${id}`, waitMs, { name: 'startAgain', request: { id } })
}

function changed(state: DaemonsState, turn: DaemonsTurn): void {
  keep(state, turn)
  const list = [...state.daemons.values()]
    .map(({ id, phase, why, process, attempts }) => ({ id, phase, why, pid: process?.pid ?? 0, attempts }))
    .sort((a, b) => (a.id < b.id ? -1 : 1))
  if (same(list, state.told)) return
  state.told = list
  state.tellings++
  for (const subscriber of state.subscribers) turn.emit(subscriber, state.tellings, list)
}

/** One write is under way at most; what changes meanwhile goes with the next. */
function keep(state: DaemonsState, turn: DaemonsTurn): void {
  const list = [...state.daemons.values()].map(({ id, token, command, process }) => ({ id, token, command: [...command], process }))
  if (state.isKeeping || same(list, state.kept)) return
  state.kept = list
  state.isKeeping = true
  turn.cancel('keep')
  turn.act('daemons', { do: 'keep', daemons: list }, { then: (result) => ({ name: 'kept', request: result }) })
}
