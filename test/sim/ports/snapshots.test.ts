import test from 'ava'
import { lastIndex } from '../../../actors/command.ts'
import { applyGroup } from '../../../actors/commands.ts'
import { kvGet } from '../../../actors/kv/queries.ts'
import { createSimSnapshots, readSnapshot, SnapshotFiles } from '../../../sim/ports/snapshots.ts'
import { createSimTables } from '../../../sim/ports/tables.ts'
import type { SnapshotOutcome, SnapshotRequest } from '../../../src/kernel/ports.ts'
import { isRefused, type Result } from '../../../src/kernel/refusal.ts'

/** A machine on which everything happens at once, until it crashes after so many commits of a load. */
function machine() {
  const waiting: (() => void)[] = []
  const tables = createSimTables({ after: (_ms, work) => waiting.push(work), drawCommitMs: () => 0 })
  const files = new SnapshotFiles()
  const later = (_ms: number, work: () => void) => void waiting.push(work)
  const device = createSimSnapshots({ tables, files, wallMs: () => 7, later, drawPortionMs: () => 1 })
  const run = (steps = Number.POSITIVE_INFINITY) => {
    for (let step = 0; step < steps && waiting.length > 0; step++) waiting.shift()?.()
  }
  return {
    tables,
    files,
    run,
    commit(...commands: object[]) {
      const done: { outcomes?: Result<unknown>[] } = {}
      tables.transact(
        (tx) => applyGroup(tx, commands),
        (result) => Object.assign(done, result),
      )
      run()
      return done.outcomes
    },
    perform(request: SnapshotRequest, steps?: number): Result<SnapshotOutcome> | undefined {
      let outcome: Result<SnapshotOutcome> | undefined
      device.perform(
        request,
        (result) => {
          outcome = result
        },
        () => undefined,
      )
      run(steps)
      return outcome
    },
    value: (key: string) => kvGet(tables.view(), key).entry?.value.toString(),
  }
}

const put = (key: string, value: string) => ({
  kind: 'kv.put',
  atMs: 0,
  request: { key, value: Buffer.from(value), flags: 0n },
})
const take = (id: string) => ({ kind: 'snapshots.take', atMs: 0, request: { id } })

function saved(m: ReturnType<typeof machine>): Uint8Array {
  const outcome = m.perform({ do: 'save' })
  if (!outcome || isRefused(outcome)) throw new Error('it is saved')
  return m.files.take(outcome.path) as Uint8Array
}

test('what was saved takes the place of everything in one step, at an index above both', (t) => {
  const m = machine()
  m.commit(...Array.from({ length: 50 }, (_, at) => put(`k${at}`, 'old')))
  const bytes = saved(m)
  m.commit(put('k1', 'new'), put('more', 'new'))
  const before = lastIndex(m.tables.view())
  const loaded = m.perform({ do: 'load', path: m.files.add(bytes) })
  if (!loaded || isRefused(loaded)) return t.fail()
  t.is(m.value('k1'), 'new', 'it is only loaded')
  t.deepEqual(m.commit(take(loaded.id)), [null])
  t.is(m.value('k1'), 'old')
  t.is(m.value('more'), undefined)
  t.is(lastIndex(m.tables.view()), before + 1)
  m.perform({ do: 'clear' })
  t.is(m.value('k49'), 'old')
  const again = readSnapshot(saved(m))
  t.is(isRefused(again) ? undefined : again.header.index, before + 1)
})

test('a crash while it is loaded leaves everything as it was, and it can be loaded again', (t) => {
  const m = machine()
  m.commit(...Array.from({ length: 50 }, (_, at) => put(`k${at}`, 'old')))
  const bytes = saved(m)
  m.commit(put('k1', 'new'))
  for (const steps of [1, 3, 5, 7]) {
    m.perform({ do: 'load', path: m.files.add(bytes) }, steps)
    m.tables.crash()
    t.is(m.value('k1'), 'new')
  }
})

test('a changed bit, a file that was cut off and a full disk are refused', (t) => {
  const m = machine()
  m.commit(put('a', 'old'))
  const bytes = saved(m)
  const changed = Buffer.from(bytes)
  changed[bytes.byteLength >> 1] = (changed[bytes.byteLength >> 1] as number) ^ 4
  for (const damaged of [changed, bytes.subarray(0, -1), bytes.subarray(0, 10), Buffer.alloc(0)]) {
    t.like(m.perform({ do: 'load', path: m.files.add(damaged) }), { refused: 'invalid' })
  }
  t.like(m.perform({ do: 'load', path: '/gone' }), { refused: 'busy' })
  m.tables.full = true
  t.like(m.perform({ do: 'load', path: m.files.add(bytes) }), { refused: 'busy' })
  t.like(m.perform({ do: 'save' }), { refused: 'busy' })
  t.is(m.value('a'), 'old')
})
