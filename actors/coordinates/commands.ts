import { joined, type Transaction } from '../../src/kernel/tables.ts'
import { nodeTable } from '../catalog/records.ts'
import { same } from '../catalog/same.ts'
import { nodeKey } from '../catalog/tables.ts'
import { bump, type CommandFunction } from '../command.ts'
import { COORDINATES, type CoordinateRecord, coordinateKey, coordinateTable } from './tables.ts'

/** Writes where nodes are. Nodes that the catalog does not know are passed over: they went since, and would stay here for ever. */
export const coordinatesUpdate: CommandFunction<{ updates: CoordinateRecord[] }, null> = (tx, { index }, { updates }) => {
  for (const update of updates) {
    if (!nodeTable.get(tx, nodeKey(update.node))) continue
    const key = coordinateKey(update.node, update.segment)
    if (same(tx.get(coordinateTable, key), update)) continue
    tx.put(coordinateTable, key, update)
    bump(tx, COORDINATES, index)
  }
  return null
}

/** A node went, and its coordinates with it. */
export function removeCoordinates(tx: Transaction, index: number, node: string): void {
  for (const [key] of [...tx.range(coordinateTable, { prefix: joined(nodeKey(node), '') })]) {
    tx.delete(coordinateTable, key)
    bump(tx, COORDINATES, index)
  }
}
