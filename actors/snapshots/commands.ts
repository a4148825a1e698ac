import type { Overlay } from '../../src/kernel/overlay.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import { CURRENT_COPY, copyTable, currentCopy, LOADED_COPY, type Transaction } from '../../src/kernel/tables.ts'
import { caSerialTable, SERIAL_KEY } from '../ca/tables.ts'
import { type CommandFunction, lastIndex } from '../command.ts'
import { LEADER_KEY, leaderTable } from '../servers/commands.ts'

/**
 * Replaces all tables by the copy that a snapshot was loaded into. Every server must have loaded the snapshot of this id before it
 * applies the command; all take the same one then. The index goes on above both: that of the snapshot and the present one.
 */
export const snapshotsTake: CommandFunction<{ id: string }, null> = (tx, _context, { id }) => {
  const loaded = tx.get(copyTable, LOADED_COPY)
  if (loaded?.id !== id) return refuse('conflict', `snapshot ${id} is not loaded here`)
  tx.delete(copyTable, LOADED_COPY)
  if (currentCopy(tx) === 1) tx.delete(copyTable, CURRENT_COPY)
  else tx.put(copyTable, CURRENT_COPY, loaded)
  return null
}

/**
 * Makes the changes by which other tables take the place of these, and keeps what must never go back: serial numbers of
 * certificates, and the index; and which server leads. Answers the index of the change, which is above that of both.
 */
export function replaceTables(tx: Transaction, changes: Overlay, index: number): number {
  const serial = tx.get(caSerialTable, SERIAL_KEY)
  const leader = tx.get(leaderTable, LEADER_KEY)
  changes.applyTo(tx)
  if (leader) tx.put(leaderTable, LEADER_KEY, leader)
  else tx.delete(leaderTable, LEADER_KEY)
  if (serial && serial.next > (tx.get(caSerialTable, SERIAL_KEY)?.next ?? 0)) tx.put(caSerialTable, SERIAL_KEY, serial)
  return Math.max(index, lastIndex(tx) + 1)
}
