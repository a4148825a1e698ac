import test from 'ava'
import { snapshots } from '../../actors/snapshots/index.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import { copyTable, currentCopy, LOADED_COPY, type Transaction } from '../../src/kernel/tables.ts'
import { emptyTables } from '../kit/tables.ts'
import { tryActor } from '../kit/try-actor.ts'

const LOADED = { path: '', id: 'sum', index: 7, bytes: 100 }

/** Tables whose other copy was filled. */
function loadedTables() {
  const tables = emptyTables()
  ;(tables.view() as Transaction).put(copyTable, LOADED_COPY, { id: LOADED.id, index: LOADED.index })
  return tables
}

test('a restore fills the other copy, takes it by a command and empties what was replaced', (t) => {
  const tables = loadedTables()
  const a = tryActor(snapshots, { args: undefined, tables })
  const restore = a.call('restore', { path: '/x', token: '' })
  t.deepEqual(a.acts('snapshots'), [{ do: 'load', path: '/x' }])
  t.is(restore.result, undefined)
  a.outcome('snapshots', LOADED)
  t.deepEqual(restore.result, { index: 7 })
  t.is(currentCopy(tables.view()), 1)
  t.is(tables.view().get(copyTable, LOADED_COPY), undefined)
  t.deepEqual(a.acts('snapshots'), [{ do: 'clear' }])
})

test('one is restored at a time; the file of the other is removed', (t) => {
  const a = tryActor(snapshots, { args: undefined, tables: loadedTables() })
  const first = a.call('restore', { path: '/1', token: '' })
  const second = a.call('restore', { path: '/2', token: '' })
  t.deepEqual(second.result, refuse('busy', 'another snapshot is being restored'))
  t.deepEqual(a.acts('snapshots'), [
    { do: 'load', path: '/1' },
    { do: 'remove', path: '/2' },
  ])
  a.outcome('snapshots', LOADED)
  t.deepEqual(first.result, { index: 7 })
})

test('a file that cannot be used changes nothing, and the next one may be restored', (t) => {
  const tables = emptyTables()
  const a = tryActor(snapshots, { args: undefined, tables })
  const bad = a.call('restore', { path: '/bad', token: '' })
  a.outcome('snapshots', refuse('invalid', 'failed to decompress snapshot: EOF'))
  t.deepEqual(bad.result, refuse('invalid', 'failed to decompress snapshot: EOF'))
  t.is(currentCopy(tables.view()), 0)
  a.call('restore', { path: '/good', token: '' })
  t.deepEqual(a.acts('snapshots'), [{ do: 'load', path: '/good' }])
})

test('a copy that was filled with something else meanwhile is not taken', (t) => {
  const a = tryActor(snapshots, { args: undefined })
  const restore = a.call('restore', { path: '/x', token: '' })
  a.outcome('snapshots', LOADED)
  t.deepEqual(restore.result, refuse('conflict', 'snapshot sum is not loaded here'))
})
