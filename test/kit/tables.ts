import { applyGroup } from '../../actors/commands.ts'
import { type Overlay, overlay } from '../../src/kernel/overlay.ts'
import { type ReadSet, Waiters } from '../../src/kernel/recording-view.ts'
import type { Result } from '../../src/kernel/refusal.ts'
import type { ChangeNotice, View } from '../../src/kernel/tables.ts'

/** Tables in memory for tests: commands are applied as the ledger does, and those who wait are woken. */
export type TestTables = {
  view(): View
  /** Applies commands (`{ kind, atMs, request }`) as one group and gives their outcomes. */
  apply(group: readonly object[]): Result<unknown>[]
  /** The notice of the last group. */
  readonly notice: ChangeNotice
  wait(reads: ReadSet, wake: () => void): () => void
}

export function emptyTables(): TestTables {
  const tables: Overlay = overlay({ get: () => undefined, range: () => [] })
  const waiters = new Waiters()
  let last: ChangeNotice = { index: 0, touched: [] }
  return {
    view: () => tables,
    apply(group) {
      const { outcomes, notice } = applyGroup(tables, group)
      last = notice
      waiters.notify(notice)
      return outcomes
    },
    get notice() {
      return last
    },
    wait: (reads, wake) => waiters.add(reads, wake),
  }
}
