import type { Subscriber } from '../../src/kernel/protocol.ts'
import { withCentralDefaults } from '../config-entries/merge.ts'
import type { LocalService } from './protocol.ts'
import { isProbed, type LocalState, type LocalTurn } from './state.ts'

/** The feed of all checks waits this long for more changes, and longer the more checks there are. */
const CHECKS_QUIET_MS = 5
const CHECKS_PER_MS = 20

/** What a feed says has changed: all its subscribers are told once the changes at hand are over. */
export function mark(state: LocalState, turn: LocalTurn, feed: 'services' | 'checks'): void {
  if (state.feeds.due.has(feed)) return
  state.feeds.due.add(feed)
  if (feed === 'services') turn.again({ name: 'tell', request: { feed } })
  else turn.timer('tell/checks', CHECKS_QUIET_MS + state.checks.size / CHECKS_PER_MS, { name: 'tell', request: { feed } })
}

export function tell(state: LocalState, turn: LocalTurn, feed: 'services' | 'checks'): void {
  state.feeds.due.delete(feed)
  state.feeds.index++
  const value = feed === 'services' ? managedServices(state) : probedChecks(state)
  for (const subscriber of state.feeds[feed]) turn.emit<unknown>(subscriber, state.feeds.index, value)
}

/** Somebody takes a feed: the present value, and then each change. */
export function subscribe(state: LocalState, turn: LocalTurn, feed: 'services' | 'checks', subscriber: Subscriber): void {
  state.feeds[feed] = [...others(state.feeds[feed], subscriber), subscriber]
  if (!state.loaded) return
  turn.emit<unknown>(subscriber, state.feeds.index, feed === 'services' ? managedServices(state) : probedChecks(state))
}

export function subscribeService(state: LocalState, turn: LocalTurn, serviceId: string, subscriber: Subscriber): void {
  const { byService } = state.feeds
  byService.set(serviceId, [...others(byService.get(serviceId) ?? [], subscriber), subscriber])
  if (state.loaded) turn.emit<unknown>(subscriber, state.feeds.index, localService(state, turn, serviceId))
}

export function unsubscribe(state: LocalState, subscriber: Subscriber): void {
  const { feeds } = state
  feeds.services = others(feeds.services, subscriber)
  feeds.checks = others(feeds.checks, subscriber)
  for (const [serviceId, subscribers] of feeds.byService) {
    const left = others(subscribers, subscriber)
    if (left.length === 0) feeds.byService.delete(serviceId)
    else feeds.byService.set(serviceId, left)
  }
}

/** A service came, changed or went. */
export function markService(state: LocalState, turn: LocalTurn, serviceId: string): void {
  const subscribers = state.feeds.byService.get(serviceId)
  if (!subscribers || !state.loaded) return
  state.feeds.index++
  for (const subscriber of subscribers) turn.emit<unknown>(subscriber, state.feeds.index, localService(state, turn, serviceId))
}

/** Everything was loaded: those who subscribed before get their first value. */
export function tellAll(state: LocalState, turn: LocalTurn): void {
  tell(state, turn, 'services')
  tell(state, turn, 'checks')
  for (const serviceId of state.feeds.byService.keys()) markService(state, turn, serviceId)
}

/** A service as it is announced: a proxy has what the central settings say. */
export function localService(state: LocalState, turn: LocalTurn, serviceId: string): LocalService | null {
  const entry = state.services.get(serviceId)
  return entry ? { definition: withCentralDefaults(turn.view, entry.definition, state.args), origin: entry.origin } : null
}

function managedServices(state: LocalState): unknown {
  return sorted([...state.services.values()].map(({ definition }) => definition).filter(({ connect }) => connect?.proxy))
}

function probedChecks(state: LocalState): unknown {
  return sorted([...state.checks.values()].filter(({ type }) => isProbed(type)).map(({ definition }) => definition))
}

function sorted<T extends { id: string }>(list: T[]): T[] {
  return list.sort((a, b) => (a.id < b.id ? -1 : 1))
}

function others(subscribers: readonly Subscriber[], without: Subscriber): Subscriber[] {
  return subscribers.filter(({ peer, feed }) => peer !== without.peer || feed !== without.feed)
}
