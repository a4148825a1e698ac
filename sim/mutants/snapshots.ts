import { coordinateTable } from '../../actors/coordinates/tables.ts'
import { tombstoneTable } from '../../actors/kv/tables.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import type { Table } from '../../src/kernel/tables.ts'
import { type AnyCommand, type Mutant, mutant, wrapApply } from './mutant.ts'

export const restoreLeavesOut: Mutant = mutant({
  name: 'restore-leaves-out',
  about: 'a restore leaves out where nodes are and which keys were deleted',
  caughtBy: 'snapshots-are-whole',
  nodes: 1,
  runsMax: 30,
  mutations: wrapApply((apply) => (tx, commands) => {
    const applied = apply(tx, commands)
    const isRestore = (commands as AnyCommand[]).some(({ kind }, at) => kind === 'snapshots.take' && !isRefused(applied.outcomes[at]))
    const left: readonly Table<unknown>[] = isRestore ? [coordinateTable, tombstoneTable] : []
    for (const table of left) for (const [key] of [...tx.range(table)]) tx.delete(table, key)
    return applied
  }),
})
