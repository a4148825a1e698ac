import { lastIndex } from '../../actors/command.ts'
import { snapshotsTake } from '../../actors/snapshots/commands.ts'
import type { Tables } from '../../src/kernel/ports.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import { type ChangeNotice, CURRENT_COPY, copyTable } from '../../src/kernel/tables.ts'
import { setApplied } from '../../src/replica.ts'
import type { Place } from './follower.ts'
import type { Received } from './transfer.ts'

/** Turns to the tables that were loaded, in one commit: they are a copy of the log up to an entry, so indexes stay what they are there. */
export function takeTables(
  tables: Pick<Tables, 'view' | 'transact'>,
  received: Received,
): Promise<Result<{ place: Place; notice: ChangeNotice }>> {
  const { position, revision, snapshotId } = received
  return new Promise((resolve) => {
    tables.transact(
      (tx) => {
        const taken = snapshotsTake(tx, { index: 0, nowMs: 0 }, { id: snapshotId })
        if (!isRefused(taken)) setApplied(tx, { position, mark: revision })
        return taken
      },
      (result) => {
        const notice: ChangeNotice = { index: lastIndex(tables.view()), touched: [[copyTable.id, CURRENT_COPY]] }
        resolve(isRefused(result) ? result : { place: { position, revision }, notice })
      },
    )
  })
}
