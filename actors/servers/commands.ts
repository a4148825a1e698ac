import { type Table, type Transaction, table, type View } from '../../src/kernel/tables.ts'
import type { CommandFunction } from '../command.ts'

/** Who leads the servers that share a log: one record, under `leader`. Without it there is only one server. */
export const leaderTable: Table<{ id: string; index: number }> = table('leader', 77)

/** A server has been elected, by its node id. */
export const serversLead: CommandFunction<{ id: string }, null> = (tx, { index }, { id }) => {
  if (leaderOf(tx) !== id) tx.put(leaderTable, LEADER_KEY, { id, index })
  return null
}

/** The node id of the server that was elected last; undefined if there never was an election. */
export function leaderOf(view: View): string | undefined {
  return view.get(leaderTable, LEADER_KEY)?.id
}

/**
 * These tables become what a log begins with that several servers share, under this id; the log does not exist yet. Outside of the copies:
 * no snapshot has it.
 */
export const serversMigrate: CommandFunction<{ id: string }, null> = (tx, _context, { id }) => {
  tx.put(foundingTable, FOUNDING_KEY, { id })
  return null
}

/** The id of the log that these tables are to found; undefined if they are not. */
export function foundingOf(view: View): string | undefined {
  return view.get(foundingTable, FOUNDING_KEY)?.id
}

/** It exists. */
export function forgetFounding(tx: Transaction): void {
  tx.delete(foundingTable, FOUNDING_KEY)
}

export const LEADER_KEY = 'leader'
/** Beside what a replica has of its position. */
const foundingTable: Table<{ id: string }> = table('founding', 3)
const FOUNDING_KEY = 'founding'
