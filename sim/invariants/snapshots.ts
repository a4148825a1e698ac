import { lastIndex, metaTable } from '../../actors/command.ts'
import { type Table, table } from '../../src/kernel/tables.ts'
import { Replay, tableDifference } from '../models/replay.ts'
import { createSimTables } from '../ports/tables.ts'
import type { Run } from '../run.ts'
import { type Saved, snapshotsOf } from '../snapshots.ts'
import type { Invariant } from './invariant.ts'

/** Looked at of each run: the newest. */
const COMPARED_MAX = 8

export const snapshotsAreWhole: Invariant = {
  name: 'snapshots-are-whole',
  sentence:
    'a snapshot is what the log makes of nothing up to its index, a restore puts just that in the place of everything or does nothing, and what is damaged is refused',
  when: 'rest',
  marks: [{ name: 'snapshot compared', kind: 'snapshot.save', events: 6, chance: 0.8 }],
  broken(run) {
    const { saved, wrong } = snapshotsOf(run)
    if (wrong !== undefined || saved.length === 0) return wrong
    const [lone] = run.cluster.servers
    const entries = run.cluster.log?.entries ?? run.cluster.recording.upTo(lone ? lastIndex(lone.tables.view()) : 0)
    const replay = new Replay(entries, saved)
    const left = saved.slice(-COMPARED_MAX)
    do {
      for (const snapshot of left.filter(({ index }) => index === replay.index)) {
        left.splice(left.indexOf(snapshot), 1)
        const fault = savedFault(run, replay, snapshot)
        if (fault !== undefined) return fault
      }
    } while (replay.next())
    for (const { node, index } of left)
      return `${node} saved a snapshot at index ${index}, which the log never comes to between two entries`
    if (run.cluster.log || !lone) return undefined
    const difference = tableDifference(replay.view, lone.tables.view())
    return difference && `what was ordered and restored and the tables of ${lone.name} differ: ${difference}`
  },
}

function savedFault(run: Run, { view }: Replay, { node, index, rows }: Saved): string | undefined {
  const tables = createSimTables({ after: (_ms, work) => work(), drawCommitMs: () => 0 })
  tables.transact(
    (tx) => {
      for (const [key, record] of view.range(metaTable)) tx.put(metaTable, key, record)
      for (const [id, key, record] of rows) tx.put(table('', id) as Table<unknown>, key, record)
    },
    () => undefined,
  )
  run.reach('snapshot compared')
  const difference = tableDifference(view, tables.view())
  return difference && `the log and a snapshot that ${node} saved at index ${index} differ: ${difference}`
}
