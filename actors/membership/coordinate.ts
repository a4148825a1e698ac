import { roundTripSeconds } from '../coordinates/distance.ts'
import { type Coordinate, ERROR_MAX, HEIGHT_SECONDS_MIN, origin, VEC_LENGTH } from '../coordinates/tables.ts'

/** Where this agent is, and what it needs to find that out. Sources: Vivaldi (Dabek et al., 2004), with the constants of Consul's internals, §7. */
export type Whereabouts = {
  readonly coordinate: Coordinate
  /** The newest differences between measured and estimated round trips, in seconds. */
  readonly differences: readonly number[]
}

/** How fast the error and the place follow what is measured. */
const ERROR_WEIGHT = 0.25
const FORCE_WEIGHT = 0.25
const ADJUSTMENT_WINDOW = 20
/** So far from the origin everybody is drawn back by as much. */
const GRAVITY_SECONDS = 150
const SECONDS_MIN = 1e-6
/** Longer round trips are no measure of distance. */
const ROUND_TRIP_SECONDS_MAX = 10
const NUMBER_MAX = 1e9

/**
 * The place after one more measurement: `seconds` is a round trip to a member that says to be at `other`. `aside` tells for each dimension,
 * from -0.5 to 0.5, where to go from somebody who is at the same place. What makes no sense changes nothing; what comes out as no place
 * begins anew.
 */
export function measured(before: Whereabouts, other: Coordinate, seconds: number, aside: (dimension: number) => number): Whereabouts {
  if (coordinateFault(other) !== undefined || !(seconds >= 0 && seconds <= ROUND_TRIP_SECONDS_MAX)) return before
  const pulled = attracted(follow(before.coordinate, other, Math.max(seconds, SECONDS_MIN), aside), aside)
  const differences = [...before.differences, seconds - rawSeconds(pulled, other)].slice(-ADJUSTMENT_WINDOW)
  const adjustment = differences.reduce((sum, one) => sum + one, 0) / (2 * ADJUSTMENT_WINDOW)
  const coordinate = { ...pulled, adjustment }
  return coordinateFault(coordinate) === undefined ? { coordinate, differences } : nowhere()
}

/** Nothing was measured yet. */
export function nowhere(): Whereabouts {
  return { coordinate: origin(), differences: [] }
}

/** Why something is no coordinate; undefined if it is one. */
export function coordinateFault(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return 'coordinate: must be an object'
  const { vec, error, adjustment, height } = value as Record<string, unknown>
  if (!Array.isArray(vec) || vec.length !== VEC_LENGTH || !vec.every(isBounded)) return `vec: must be ${VEC_LENGTH} numbers`
  if (!isBounded(error) || error < 0) return 'error: must be a number from 0 on'
  if (!isBounded(adjustment)) return 'adjustment: must be a number'
  return isBounded(height) && height >= 0 ? undefined : 'height: must be a number from 0 on'
}

/** The middle one of some round trips: one that was held up does not count. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

/** Moves towards or away from somebody, the further the surer that one is and the less sure this one. */
function follow(own: Coordinate, other: Coordinate, seconds: number, aside: (dimension: number) => number): Coordinate {
  const estimated = roundTripSeconds(own, other)
  const weight = own.error / Math.max(own.error + other.error, SECONDS_MIN)
  const wrongness = Math.abs(estimated - seconds) / seconds
  const error = Math.min(ERROR_MAX, ERROR_WEIGHT * weight * wrongness + own.error * (1 - ERROR_WEIGHT * weight))
  return pushed({ ...own, error }, FORCE_WEIGHT * weight * (seconds - estimated), other, aside)
}

/** Keeps all together near the origin: only differences are measured, so all could drift away. */
function attracted(own: Coordinate, aside: (dimension: number) => number): Coordinate {
  const centre = origin()
  return pushed(own, -((rawSeconds(own, centre) / GRAVITY_SECONDS) ** 2), centre, aside)
}

/** By so many seconds away from somebody. */
function pushed(own: Coordinate, seconds: number, from: Coordinate, aside: (dimension: number) => number): Coordinate {
  const difference = own.vec.map((value, at) => value - (from.vec[at] as number))
  const distance = lengthOf(difference)
  const isApart = distance > SECONDS_MIN
  const towards = isApart ? difference : difference.map((_, at) => aside(at))
  const length = lengthOf(towards)
  const vec = own.vec.map((value, at) => (length > SECONDS_MIN ? value + ((towards[at] as number) / length) * seconds : value))
  const height = isApart ? Math.max(HEIGHT_SECONDS_MIN, own.height + ((own.height + from.height) * seconds) / distance) : own.height
  return { ...own, vec, height }
}

/** The estimated round trip without adjustments. */
function rawSeconds(a: Coordinate, b: Coordinate): number {
  return lengthOf(a.vec.map((value, at) => value - (b.vec[at] as number))) + a.height + b.height
}

function lengthOf(vec: readonly number[]): number {
  return Math.sqrt(vec.reduce((sum, value) => sum + value * value, 0))
}

function isBounded(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= NUMBER_MAX
}
