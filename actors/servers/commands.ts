import { type Table, table, type View } from '../../src/kernel/tables.ts'
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

const LEADER_KEY = 'leader'
