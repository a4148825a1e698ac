import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import { type HeardOf, isFirst } from '../../src/kernel/heard-of.ts'
import { type Caller, type Cast, LATER, type Subscriber } from '../../src/kernel/protocol.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import { compileRegexp } from '../../src/kernel/regexp.ts'
import { authorize, type Token } from '../authorize.ts'
import { type LocalList, localRef } from '../local/protocol.ts'
import { membershipRef, type Told } from '../membership/protocol.ts'
import { remoteExecRef } from '../remote-exec/protocol.ts'
import { type EventFire, type EventsProtocol, eventIndex, type RecentEvents, type UserEvent } from './protocol.ts'
import { sizeFault } from './size.ts'
import { EVENT_TOPIC, packEvent, readEvent } from './travel.ts'

type EventsOwn = {
  /** The newest that members told each other, this one included. */
  told: Cast<{ told: readonly Told[] }>
  /** The members hear of an event that was fired here. */
  sent: Cast<{ event: UserEvent; caller: Caller<{ id: string }>; result: Result<{ lamportTime: number }> }>
  /** What this agent runs, for an event that is only for some services. */
  placed: Cast<{ event: UserEvent; result: Result<LocalList> }>
}
type EventsState = {
  /** What was told when it was looked at last; undefined: nothing was heard yet. */
  seen: ReadonlySet<string> | undefined
  /** Fired before that. */
  early: { event: UserEvent; caller: Caller<{ id: string }> }[]
  /** The ids of events that reached this agent: an event of its own does so twice. */
  heardOf: HeardOf
  /** The oldest first, at most KEPT_MAX. */
  events: UserEvent[]
  lamportTime: number
  /** How many events were kept: the index of the feed. */
  count: number
  followers: { name: string; token: Token; subscriber: Subscriber<RecentEvents> }[]
}

const KEPT_MAX = 256
const HEARD_OF_MAX = 1_024
const VERSION = 1
/** In Consul a new leader is the first event of all. */
const LAMPORT_TIME_FIRST = 1
const LOCAL_WITHIN_MS = 5_000
const TELL_WITHIN_MS = 5_000
/** Asks agents to run a command. It is never among the events of a user. */
const REMOTE_EXEC = '_rexec'

/** Sends user events to all agents, and keeps the newest that concerned this one. */
export const events = defineActor<EventsProtocol, EventsOwn, EventsState>({
  name: 'events',
  mailboxMax: 4_096,
  init(_args, turn) {
    turn.subscribe('told', membershipRef, 'told', { topic: EVENT_TOPIC }, (told) => ({ name: 'told', request: { told } }))
    const none = { seen: undefined, early: [], heardOf: new Set<string>(), events: [], followers: [] }
    return { ...none, lamportTime: LAMPORT_TIME_FIRST, count: 0 }
  },
  on: {
    fire(state, { token, ...fire }, turn, caller) {
      const denied = authorize(turn.view, token, { resource: 'event', name: fire.name, access: 'write' })
      if (denied) return denied
      const wrong = fireWrong(fire)
      if (wrong) return wrong
      const event: UserEvent = { ...fire, id: turn.random.uuid(), version: VERSION, lamportTime: state.lamportTime + 1 }
      const fault = sizeFault(event)
      if (fault !== undefined) return refuse('conflict', fault)
      // Which time it is, tells what was told before this actor began anew.
      if (state.seen === undefined) state.early.push({ event, caller })
      else send(state, event, caller, turn)
      return LATER
    },

    sent(state, { event, caller, result }, turn) {
      if (isRefused(result)) return turn.answer(caller, result)
      // Who asks as soon as this is answered sees it, although what members told may come later.
      arrive(state, event, turn)
      turn.answer(caller, { id: event.id })
    },

    recent(state, { name, token }, turn, subscriber) {
      state.followers.push({ name, token, subscriber })
      turn.emit(subscriber, state.count, recentEvents(state, name, token, turn))
    },

    told(state, { told }, turn) {
      const { seen } = state
      state.seen = new Set(told.map(({ id }) => id))
      for (const { id, from, body } of told) {
        if (seen?.has(id)) continue
        const event = readEvent(body)
        if (isRefused(event)) turn.print('warn', 'A member told of an event that is none', { from, error: event.why })
        // What was known before this actor began anew was run before, too.
        else if (seen === undefined && event.name === REMOTE_EXEC) isFirst(state.heardOf, event.id, HEARD_OF_MAX)
        else arrive(state, event, turn)
      }
      for (const { event, caller } of state.early.splice(0)) send(state, event, caller, turn)
    },

    placed(state, { event, result }, turn) {
      if (isRefused(result))
        turn.print('warn', 'It is not known whether an event is for this agent', { event: event.name, error: result.why })
      else if (isFor(event, result)) take(state, event, turn)
    },
  },
  left(state, subscriber) {
    state.followers = state.followers.filter((one) => one.subscriber.peer !== subscriber.peer || one.subscriber.feed !== subscriber.feed)
  },
})

/** Tells the members of an event that was fired here. */
function send(state: EventsState, fired: UserEvent, caller: Caller<{ id: string }>, turn: Turn<EventsOwn>): void {
  const event = { ...fired, lamportTime: ++state.lamportTime }
  turn.call(
    membershipRef,
    'tell',
    { topic: EVENT_TOPIC, body: packEvent(event) },
    { withinMs: TELL_WITHIN_MS, then: (result) => ({ name: 'sent', request: { event, caller, result } }) },
  )
}

/** An event reached this agent, for the first time or again. */
function arrive(state: EventsState, event: UserEvent, turn: Turn<EventsOwn>): void {
  if (!isFirst(state.heardOf, event.id, HEARD_OF_MAX)) return
  state.lamportTime = Math.max(state.lamportTime, event.lamportTime)
  if (!matches(event.nodeFilter, turn.node)) return
  if (event.serviceFilter === '') return take(state, event, turn)
  turn.call(localRef, 'list', null, { withinMs: LOCAL_WITHIN_MS, then: (result) => ({ name: 'placed', request: { event, result } }) })
}

function take(state: EventsState, event: UserEvent, turn: Turn<EventsOwn>): void {
  if (event.name === REMOTE_EXEC) turn.cast(remoteExecRef, 'asked', { id: event.id, payload: event.payload })
  else keep(state, event, turn)
}

function keep(state: EventsState, event: UserEvent, turn: Turn<EventsOwn>): void {
  state.events.push(event)
  if (state.events.length > KEPT_MAX) state.events.shift()
  state.count += 1
  turn.count('events.kept')
  turn.count('serf.events')
  for (const { name, token, subscriber } of state.followers) {
    if (name === '' || name === event.name) turn.emit(subscriber, state.count, recentEvents(state, name, token, turn))
  }
}

function recentEvents({ events }: EventsState, name: string, token: Token, turn: Turn<EventsOwn>): RecentEvents {
  const seen = events.filter(
    (event) =>
      (name === '' || event.name === name) &&
      authorize(turn.view, token, { resource: 'event', name: event.name, access: 'read' }) === undefined,
  )
  return { events: seen, index: eventIndex(seen) }
}

/** Source: http-api §10. */
function fireWrong({ name, nodeFilter, serviceFilter, tagFilter }: EventFire): Refusal | undefined {
  if (name === '') return refuse('conflict', 'User event missing name')
  if (tagFilter !== '' && serviceFilter === '') return refuse('conflict', 'Cannot provide tag filter without service filter')
  for (const [what, filter] of [
    ['node', nodeFilter],
    ['service', serviceFilter],
    ['tag', tagFilter],
  ] as const) {
    const regexp = compileRegexp(filter)
    if (isRefused(regexp)) return refuse('conflict', `Invalid ${what} filter: ${regexp.why}`)
  }
  return undefined
}

function isFor({ serviceFilter, tagFilter }: UserEvent, { services }: LocalList): boolean {
  return services.some(
    ({ definition }) =>
      matches(serviceFilter, definition.id) && (tagFilter === '' || definition.tags.some((tag) => matches(tagFilter, tag))),
  )
}

/** No filter matches everything; one that cannot be read matches nothing. */
function matches(filter: string, text: string): boolean {
  if (filter === '') return true
  const regexp = compileRegexp(filter)
  return !isRefused(regexp) && regexp.matches(text)
}
