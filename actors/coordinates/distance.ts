import { joined, type View } from '../../src/kernel/tables.ts'
import { type Coordinate, coordinateTable } from './tables.ts'

/** The estimated round trip in seconds. Source: Consul's internals, §7: both heights are added, both adjustments if that leaves something. */
export function roundTripSeconds(a: Coordinate, b: Coordinate): number {
  let squares = 0
  a.vec.forEach((value, position) => {
    squares += (value - (b.vec[position] ?? 0)) ** 2
  })
  const seconds = Math.sqrt(squares) + a.height + b.height
  const adjusted = seconds + a.adjustment + b.adjustment
  return adjusted > 0 ? adjusted : seconds
}

/** The same things, those on the nodes nearest to `near` first. Nodes without a coordinate go last, equals keep their order. If
 * `near` has no coordinate, nothing moves. */
export function nearestFirst<Thing>(view: View, things: Thing[], nodeOf: (thing: Thing) => string, near: string): Thing[] {
  const from = placesOf(view, near)
  if (from.size === 0) return things
  const known = new Map<string, number>()
  const distanceTo = (node: string): number => {
    const key = node.toLowerCase()
    let seconds = known.get(key)
    if (seconds === undefined) {
      seconds = between(from, placesOf(view, key))
      known.set(key, seconds)
    }
    return seconds
  }
  const measured = things.map((thing) => ({ thing, seconds: distanceTo(nodeOf(thing)) }))
  // Two that are infinitely far are equal, and their difference is not a number.
  return measured.sort((a, b) => (a.seconds === b.seconds ? 0 : a.seconds - b.seconds)).map(({ thing }) => thing)
}

/** By segment. */
type Places = ReadonlyMap<string, Coordinate>

function placesOf(view: View, node: string): Places {
  const places = new Map<string, Coordinate>()
  for (const [, { segment, coordinate }] of view.range(coordinateTable, { prefix: joined(node.toLowerCase(), '') })) {
    places.set(segment, coordinate)
  }
  return places
}

/** In the segment of whoever is only in one: servers are in all. */
function between(a: Places, b: Places): number {
  let segment = ''
  for (const places of [a, b]) if (places.size === 1) for (const only of places.keys()) segment = only
  const from = a.get(segment)
  const to = b.get(segment)
  return from && to ? roundTripSeconds(from, to) : Number.POSITIVE_INFINITY
}
