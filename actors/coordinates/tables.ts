import { joined, table } from '../../src/kernel/tables.ts'

/** A place in a space in which distances are round trips. Seconds. Source: Vivaldi, with a height and an adjustment. */
export type Coordinate = {
  /** VEC_LENGTH numbers. */
  vec: number[]
  /** How sure the node is of the place; less is surer. */
  error: number
  adjustment: number
  height: number
}
export type CoordinateRecord = {
  /** As it was written. */
  node: string
  segment: string
  coordinate: Coordinate
}

export const VEC_LENGTH = 8
export const ERROR_MAX = 1.5
export const HEIGHT_SECONDS_MIN = 1e-5

/** By node in lower case and segment. */
export const coordinateTable = table<CoordinateRecord>('coordinates', 70)

export function coordinateKey(node: string, segment: string): string {
  return joined(node.toLowerCase(), segment)
}

/** The name in the table of indexes. */
export const COORDINATES = 'coordinates'

/** Where a node is that has not measured anything yet. */
export function origin(): Coordinate {
  return { vec: new Array<number>(VEC_LENGTH).fill(0), error: ERROR_MAX, adjustment: 0, height: HEIGHT_SECONDS_MIN }
}
