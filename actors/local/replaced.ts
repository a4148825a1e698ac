import { recordReads } from '../../src/kernel/recording-view.ts'
import { currentCopy } from '../../src/kernel/tables.ts'
import { catalogNode } from '../catalog/queries.ts'
import { commit } from '../ledger.ts'
import { syncAll } from './announce.ts'
import type { LocalState, LocalTurn } from './state.ts'

/** Comes back when other tables take the place of these. */
export function watchTables(state: LocalState, turn: LocalTurn): void {
  const { view, reads } = recordReads(turn.view)
  state.copy = currentCopy(view)
  turn.wake('replaced', reads, { name: 'replaced', request: null })
}

/**
 * Makes the catalog agree again. It may have another machine under this one's name, from the cluster it was saved in: that one is
 * no more, and its id would keep this one out.
 */
export function tablesReplaced(state: LocalState, turn: LocalTurn): void {
  const before = state.copy
  watchTables(state, turn)
  if (state.copy === before) return
  const { node, nodeId } = state.args.facts
  const holder = catalogNode(turn.view, node).node
  if (!holder || holder.id === '' || holder.id === nodeId.toLowerCase()) return syncAll(state, turn)
  turn.print('warn', 'the restored catalog had another machine under the name of this one', { node, id: holder.id })
  commit(turn, 'catalog.deregister', { node, serviceId: '', checkId: '' }, () => ({ name: 'sync', request: null }))
}
