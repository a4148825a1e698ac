import type { Coordinate } from '../coordinates/tables.ts'
import { measured, median, nowhere, type Whereabouts } from './coordinate.ts'
import { placeOf } from './ring.ts'
import { type MembershipState, type MembershipTurn, send } from './state.ts'

/** One after the other, those with whom there is a connection are asked where they are. */
const LOCATE_MS = 2_000
/** Whoever has not answered by then is not waited for. */
const ANSWER_MS = 10_000
/** So many round trips to each member are looked at together. */
const LATENCIES = 3
const PLACES = 2 ** 32

/** Which members were asked, and what was measured. */
export type Location = {
  whereabouts: Whereabouts
  /** The question under way. */
  asked: { seq: number; name: string; atMs: number } | undefined
  /** Who was asked last. */
  last: string
  /** The newest round trips in seconds, by member. */
  latencies: Map<string, number[]>
  /** Where others said to be, by name. */
  places: Map<string, Coordinate>
}

export function newLocation(): Location {
  return { whereabouts: nowhere(), asked: undefined, last: '', latencies: new Map(), places: new Map() }
}

/** Asks the next member where it is, if it is time to. `nowMs` of the actor's own time. */
export function locate(state: MembershipState, turn: MembershipTurn): void {
  const { location, next, nowMs } = state
  if (nowMs < next.locateMs) return
  next.locateMs = nowMs + LOCATE_MS
  if (location.asked !== undefined && turn.nowMs - location.asked.atMs < ANSWER_MS) return
  for (const name of location.latencies.keys()) if (!state.connected.has(name)) location.latencies.delete(name)
  const names = [...state.connected.keys()].sort()
  const name = names.find((one) => one > location.last) ?? names[0]
  if (name === undefined) return
  location.last = name
  location.asked = { seq: ++state.seq, name, atMs: turn.nowMs }
  send(turn, state.connected.get(name) as string, { do: 'where', seq: location.asked.seq })
}

/** What is known of where members are, this agent in front. */
export function placesOf({ location, members, self }: MembershipState): { name: string; coordinate: Coordinate }[] {
  for (const name of location.places.keys()) if (!members.has(name)) location.places.delete(name)
  const others = [...location.places].map(([name, coordinate]) => ({ name, coordinate }))
  return [{ name: self.name, coordinate: location.whereabouts.coordinate }, ...others.sort((a, b) => (a.name < b.name ? -1 : 1))]
}

/** A member says where it is. `roundTripMs`: as the device has measured it, closer than turns can. */
export function located(
  state: MembershipState,
  turn: MembershipTurn,
  name: string,
  { seq, coordinate }: { seq: number; coordinate: Coordinate },
  roundTripMs: number | undefined,
): void {
  const { location } = state
  const { asked } = location
  if (asked === undefined || asked.seq !== seq || asked.name !== name) return
  location.asked = undefined
  const seconds = (roundTripMs ?? turn.nowMs - asked.atMs) / 1_000
  if (seconds < 0) return
  const latencies = [...(location.latencies.get(name) ?? []), seconds].slice(-LATENCIES)
  location.latencies.set(name, latencies)
  const aside = (dimension: number) => placeOf(`${state.self.id}/${seq}/${dimension}`) / PLACES - 0.5
  location.places.set(name, coordinate)
  location.whereabouts = measured(location.whereabouts, coordinate, median(latencies), aside)
}
