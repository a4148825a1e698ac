import type { Handlers, Turn } from '../../src/kernel/actor.ts'
import type { Random } from '../../src/kernel/ports.ts'
import { type Caller, LATER, type Subscriber } from '../../src/kernel/protocol.ts'
import { type Refusal, refuse } from '../../src/kernel/refusal.ts'
import { type Chance, chanceFrom } from './chance.ts'
import type { MembershipProtocol, Recorded } from './protocol.ts'
import {
  FORMAT,
  lineOf,
  type RecordedInput,
  type RecordingEnd,
  type RecordingHeader,
  type StandIns,
  VERSION,
  written,
} from './recording.ts'
import type { MembershipOwn, MembershipState, MembershipTurn } from './state.ts'

/** A recording under way. */
export type Recording = {
  caller: Caller<Recorded>
  /** All chance is drawn from here, so that it can be drawn again. */
  chance: Chance
  lines: string[]
  length: number
  standIns: StandIns
}

/** Characters of one recording; the input with which it has more is its last. */
const LENGTH_MAX = 8 * 1_024 * 1_024
const FOR_MS_MAX = 600_000

export type MembershipHandlers = Handlers<MembershipProtocol, MembershipOwn, MembershipState>
type Handler = (state: MembershipState, request: unknown, turn: MembershipTurn, from?: Caller | Subscriber) => unknown

/** Handlers that write down what they get and do while there is a recording. */
export function recordable(handlers: MembershipHandlers): MembershipHandlers {
  const pairs = Object.entries(handlers as unknown as Record<string, Handler>)
  return Object.fromEntries(pairs.map(([name, handler]) => [name, recorded(name, handler)])) as unknown as MembershipHandlers
}

/** Begins one. It ends by itself: see `endRecording`. */
export function beginRecording(
  state: MembershipState,
  turn: MembershipTurn,
  { forMs }: { forMs: number },
  caller: Caller<Recorded>,
): Refusal | typeof LATER {
  if (!state.args.enabled) return refuse('invalid', 'this agent does not gossip')
  if (!(forMs >= 1 && forMs <= FOR_MS_MAX)) return refuse('invalid', `for: must be between 1 and ${FOR_MS_MAX} ms`)
  if (state.recording !== undefined) return refuse('conflict', 'there is a recording already')
  const seed = turn.random.int(0, 2 ** 32 - 1)
  const { args, ...known } = state
  const { members: _earlier, ...argsNow } = args
  const header: RecordingHeader = {
    format: FORMAT,
    version: VERSION,
    node: turn.node,
    atMs: turn.nowMs,
    forMs,
    seed,
    args: argsNow,
    state: written(known),
  }
  const standIns: StandIns = new Map()
  const line = lineOf(header, standIns)
  state.recording = { caller, chance: { at: seed }, lines: [line], length: line.length, standIns }
  turn.timer(TIMER, forMs, { name: 'recordOver', request: null })
  return LATER
}

/** It is over, or there is no room for more. */
export function endRecording(state: MembershipState, turn: MembershipTurn, ended: RecordingEnd['ended']): void {
  const { recording } = state
  if (recording === undefined) return
  state.recording = undefined
  turn.cancel(TIMER)
  const { caller, lines, standIns } = recording
  const members = [...state.members.values()].map(({ name, status, incarnation }) => ({ name, status, incarnation }))
  const end: RecordingEnd = { ended, inputs: lines.length - 1, members }
  turn.answer(caller, { lines: [...lines, lineOf(end, standIns)], ended })
}

const TIMER = 'record'
/** What makes recordings is not in them. */
const ABOUT_RECORDINGS: ReadonlySet<string> = new Set(['record', 'recordOver'] satisfies (keyof MembershipHandlers)[])

function recorded(name: string, handler: Handler): Handler {
  if (ABOUT_RECORDINGS.has(name)) return handler
  return (state, request, turn, from) => {
    if (state.recording === undefined) return handler(state, request, turn, from)
    return noted(state, turn, { name, request, from }, (noting) => handler(state, request, noting, from))
  }
}

/** Does `work` for an input and writes down what came of it, if there is a recording. */
export function noted<R>(
  state: MembershipState,
  turn: MembershipTurn,
  { name, request, from }: { name: string; request: unknown; from: Caller | Subscriber | undefined },
  work: (turn: MembershipTurn) => R,
): R {
  const { recording } = state
  if (recording === undefined) return work(turn)
  // Before anything of it may change.
  const input = written(request)
  const { count } = state.trace
  const did: unknown[] = []
  const result = work(notingTurn(turn, chanceFrom(recording.chance), did))
  noteResult(result, from, did)
  const entries = traceSince(state, count)
  const line: RecordedInput = { atMs: turn.nowMs, name, ...(from && { from }), request: input, did, trace: entries }
  const text = lineOf(line, recording.standIns)
  recording.lines.push(text)
  recording.length += text.length
  if (recording.length > LENGTH_MAX) endRecording(state, turn, 'full')
  return result
}

/** What a handler answered at once. */
export function noteResult(result: unknown, from: Caller | Subscriber | undefined, did: unknown[]): void {
  if (from !== undefined && 'call' in from && result !== LATER) did.push({ did: 'answer', result: written(result) })
}

/** What became known since there were so many entries. */
export function traceSince({ trace }: MembershipState, count: number): MembershipState['trace']['entries'] {
  return trace.entries.filter(({ number }) => number > count)
}

/** A turn of which it is written down what is wished for: what goes to others in full, the rest by its name. What is stored says
 * nothing that messages do not. */
export function notingTurn(turn: MembershipTurn, random: Random, did: unknown[]): MembershipTurn {
  const noting: Turn<MembershipOwn> = {
    nowMs: turn.nowMs,
    random,
    self: turn.self,
    node: turn.node,
    view: turn.view,
    cast(to, name, request) {
      did.push({ did: 'cast', to: to.actor, name, request: written(request) })
      turn.cast(to, name, request)
    },
    call(to, name, request, options) {
      did.push({ did: 'call', to: to.actor, name, request: written(request) })
      turn.call(to, name, request, options)
    },
    answer(caller, result) {
      did.push({ did: 'answer', call: caller.call, result: written(result) })
      turn.answer(caller, result)
    },
    subscribe(name, to, feed, request, then) {
      did.push({ did: 'subscribe', name })
      turn.subscribe(name, to, feed, request, then)
    },
    unsubscribe(name) {
      did.push({ did: 'unsubscribe', name })
      turn.unsubscribe(name)
    },
    emit(subscriber, index, value) {
      did.push({ did: 'emit', feed: subscriber.feed, index })
      turn.emit(subscriber, index, value)
    },
    wake(name, reads, message) {
      did.push({ did: 'wake', name })
      turn.wake(name, reads, message)
    },
    unwake(name) {
      did.push({ did: 'unwake', name })
      turn.unwake(name)
    },
    start(actor, key, args, lane) {
      did.push({ did: 'start', actor, key })
      turn.start(actor, key, args, lane)
    },
    stop(actor, key) {
      did.push({ did: 'stop', actor, key })
      turn.stop(actor, key)
    },
    timer(name, afterMs, message) {
      did.push({ did: 'timer', name, afterMs })
      turn.timer(name, afterMs, message)
    },
    cancel(name) {
      did.push({ did: 'cancel', name })
      turn.cancel(name)
    },
    act(device, request, options) {
      did.push({ did: 'act', device, request: device === 'store' ? null : written(request) })
      turn.act(device, request, options)
    },
    again(message) {
      did.push({ did: 'again', name: message.name })
      turn.again(message)
    },
    print(level, line, facts) {
      did.push({ did: 'print', level, line, facts: written(facts ?? {}) })
      turn.print(level, line, facts)
    },
    count: (metric, by) => turn.count(metric, by),
    measure: (metric, value) => turn.measure(metric, value),
  }
  return noting
}
