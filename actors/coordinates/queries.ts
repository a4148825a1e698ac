import { joined, type View } from '../../src/kernel/tables.ts'
import { indexOf } from '../command.ts'
import { COORDINATES, type CoordinateRecord, coordinateTable } from './tables.ts'

/** All coordinates, ordered by node. */
export function coordinateNodes(view: View): { index: number; coordinates: CoordinateRecord[] } {
  return listed(view, '')
}

/** Those of one node, one for each segment that it is in. */
export function coordinateNode(view: View, node: string): { index: number; coordinates: CoordinateRecord[] } {
  return listed(view, joined(node.toLowerCase(), ''))
}

function listed(view: View, prefix: string): { index: number; coordinates: CoordinateRecord[] } {
  const coordinates: CoordinateRecord[] = []
  for (const [, record] of view.range(coordinateTable, { prefix })) coordinates.push(record)
  return { index: indexOf(view, COORDINATES), coordinates }
}
