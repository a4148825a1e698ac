import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { caSerialTable, SERIAL_KEY } from '../actors/ca/tables.ts'
import { lastIndex } from '../actors/command.ts'
import { applyGroup } from '../actors/commands.ts'
import { kvGet, kvList } from '../actors/kv/queries.ts'
import { createSnapshots, prepareSnapshotDirectory, snapshotDirectory } from '../net/snapshots.ts'
import { type OpenTables, openTables } from '../net/tables.ts'
import type { SnapshotOutcome, SnapshotRequest } from '../src/kernel/ports.ts'
import { isRefused, type Result } from '../src/kernel/refusal.ts'
import { copyTable, currentCopy, LOADED_COPY } from '../src/kernel/tables.ts'
import { openSnapshot } from '../src/snapshot/read.ts'
import { temporaryDirectory } from './kit/temporary-directory.ts'

const NOW_MS = 1_795_413_630_171

/** Tables on a disk, with the device that saves and fills them. */
function server(t: ExecutionContext) {
  const directory = temporaryDirectory(t)
  let tables = openTables(directory, { durable: false })
  prepareSnapshotDirectory(snapshotDirectory(directory))
  let snapshots = createSnapshots({ tables, clock: { wallMs: () => NOW_MS } })
  t.teardown(() => tables.close())
  const perform = (request: SnapshotRequest) =>
    new Promise<Result<SnapshotOutcome>>((resolve) => snapshots.perform(request, resolve, () => undefined))
  return {
    get tables(): OpenTables {
      return tables
    },
    perform,
    apply(...group: object[]): unknown[] {
      let outcomes: unknown[] = []
      tables.transact(
        (tx) => {
          outcomes = applyGroup(tx, group).outcomes
        },
        () => undefined,
      )
      return outcomes
    },
    put(key: string, value: string): void {
      this.apply({ kind: 'kv.put', atMs: 0, request: { key, value: Buffer.from(value), flags: 2n ** 64n - 1n } })
    },
    keys(): [string, string][] {
      return kvList(tables.view(), '').entries.map(([key, { value }]) => [key, Buffer.from(value).toString()])
    },
    async save(): Promise<{ path: string; bytes: Buffer; id: string; index: number }> {
      const saved = await perform({ do: 'save' })
      if (isRefused(saved)) throw new Error(saved.why)
      return { ...saved, bytes: readFileSync(saved.path) }
    },
    /** Loads a file with this content; with `take`, it also takes the place of everything. */
    async load(bytes: Uint8Array, take = true): Promise<Result<SnapshotOutcome>> {
      const path = join(snapshotDirectory(directory), 'incoming')
      writeFileSync(path, bytes)
      const loaded = await perform({ do: 'load', path })
      if (!isRefused(loaded) && take) t.deepEqual(this.apply({ kind: 'snapshots.take', atMs: 0, request: { id: loaded.id } }), [null])
      return loaded
    },
    async restart(): Promise<void> {
      await snapshots.close()
      tables.close()
      tables = openTables(directory, { durable: false })
      snapshots = createSnapshots({ tables, clock: { wallMs: () => NOW_MS } })
    },
    files: () => readdirSync(snapshotDirectory(directory)),
  }
}

test('what was saved takes the place of everything, at an index above both', async (t) => {
  const one = server(t)
  one.put('a', '1')
  one.put('b', '2')
  const { bytes, id, index } = await one.save()
  t.is(id, `1-2-${NOW_MS}`)
  t.is(index, 2)
  for (const value of ['x', 'y', 'z']) one.put('a', value)
  one.put('c', 'new')
  await one.load(bytes)
  t.deepEqual(one.keys(), [['a', '1'], ['b', '2']]) // biome-ignore format: one line
  t.is(lastIndex(one.tables.view()), 7)
  t.is(kvGet(one.tables.view(), 'a').entry?.flags, 2n ** 64n - 1n)
  one.put('d', 'later')
  t.is(kvGet(one.tables.view(), 'd').entry?.modifyIndex, 8)

  const fresh = server(t)
  fresh.put('old', '1')
  await fresh.load(bytes)
  t.deepEqual(fresh.keys(), [['a', '1'], ['b', '2']]) // biome-ignore format: one line
  t.is(lastIndex(fresh.tables.view()), 3)
})

test('restoring again and again goes from one copy to the other, and a restart finds the one in use', async (t) => {
  const one = server(t)
  one.put('a', '1')
  const first = await one.save()
  one.put('a', '2')
  const second = await one.save()
  for (const [{ bytes }, value, copy] of [
    [first, '1', 1],
    [second, '2', 0],
    [first, '1', 1],
  ] as const) {
    // biome-ignore format: one line
    await one.load(bytes)
    t.deepEqual(one.keys(), [['a', value]])
    t.is(currentCopy(one.tables.view()), copy)
    await one.restart()
    t.deepEqual(one.keys(), [['a', value]])
    t.deepEqual(await one.perform({ do: 'clear' }), { path: '', id: '', index: 0, bytes: 0 })
    t.deepEqual(one.keys(), [['a', value]])
  }
})

test('a copy that was filled is seen by nobody until it is taken, and only by its name', async (t) => {
  const one = server(t)
  one.put('a', '1')
  const { bytes } = await one.save()
  one.put('a', '2')
  const loaded = await one.load(bytes, false)
  t.deepEqual(one.keys(), [['a', '2']])
  const [refused] = one.apply({ kind: 'snapshots.take', atMs: 0, request: { id: 'another' } })
  t.like(refused, { refused: 'conflict', why: 'snapshot another is not loaded here' })
  await one.restart()
  t.deepEqual(one.keys(), [['a', '2']])
  if (isRefused(loaded)) return t.fail()
  t.deepEqual(one.tables.view().get(copyTable, LOADED_COPY), { id: loaded.id, index: 1 })
  one.apply({ kind: 'snapshots.take', atMs: 0, request: { id: loaded.id } })
  t.deepEqual(one.keys(), [['a', '1']])
  t.like(one.apply({ kind: 'snapshots.take', atMs: 0, request: { id: loaded.id } })[0], { refused: 'conflict' })
})

test('commands in the same group see what was there before, or what came after', async (t) => {
  const one = server(t)
  one.put('a', '1')
  const { bytes } = await one.save()
  const loaded = await one.load(bytes, false)
  if (isRefused(loaded)) return t.fail()
  const put = (key: string) => ({ kind: 'kv.put', atMs: 0, request: { key, value: Buffer.from('g'), flags: 0n } })
  one.apply(put('before'), { kind: 'snapshots.take', atMs: 0, request: { id: loaded.id } }, put('after'))
  t.deepEqual(one.keys(), [['a', '1'], ['after', 'g']]) // biome-ignore format: one line
  t.is(kvGet(one.tables.view(), 'after').entry?.modifyIndex, 4)
})

test('serial numbers of certificates never go back', async (t) => {
  const one = server(t)
  one.apply({ kind: 'ca.next-serial', atMs: 0, request: { count: 10 } })
  const { bytes } = await one.save()
  one.apply({ kind: 'ca.next-serial', atMs: 0, request: { count: 10 } })
  const before = one.tables.view().get(caSerialTable, SERIAL_KEY)?.next
  await one.load(bytes)
  t.is(one.tables.view().get(caSerialTable, SERIAL_KEY)?.next, before)
})

test('a snapshot shows one moment, whatever is written while it is taken', async (t) => {
  const one = server(t)
  const putBoth = (value: number) => {
    const requests = ['a', 'z'].map((key) => ({ key, value: Buffer.from(String(value)), flags: 0n }))
    one.apply(...requests.map((request) => ({ kind: 'kv.put', atMs: 0, request })))
  }
  for (let at = 0; at < 3_000; at++) one.put(`k${at}`, 'x')
  putBoth(0)
  let isSaved = false
  const saving = one.save().finally(() => {
    isSaved = true
  })
  let written = 0
  while (!isSaved) {
    putBoth(++written)
    await nextTurn()
  }
  const { bytes } = await saving
  await one.load(bytes)
  const values = new Map(one.keys())
  t.is(values.size, 3_002)
  t.is(values.get('a'), values.get('z'))
  t.true(written > 2)
})

test('saved, restored and saved again, it is the same', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }), fc.string({ maxLength: 2_000 }), fc.boolean()), {
        maxLength: 40,
      }),
      async (changes) => {
        const one = server(t)
        for (const [key, value, isDelete] of changes) {
          if (isDelete) one.apply({ kind: 'kv.delete', atMs: 0, request: { key } })
          else one.put(key, value)
        }
        const first = await one.save()
        const another = server(t)
        another.put('something', 'else')
        await another.load(first.bytes)
        const second = await another.save()
        t.deepEqual(await rowsOf(second.path), await rowsOf(first.path))
      },
    ),
    { numRuns: 15 },
  )
})

async function rowsOf(path: string): Promise<unknown> {
  const snapshot = await openSnapshot(path)
  if (isRefused(snapshot)) return snapshot
  const rows: unknown[] = []
  for await (const portion of snapshot.portions()) rows.push(...portion.rows)
  return { tables: snapshot.header.tables, rows }
}

test('a changed bit is refused wherever it is, and so is a file that was cut off or goes on; nothing changes and nothing is left', async (t) => {
  const one = server(t)
  one.put('a', '1')
  const { bytes, path } = await one.save()
  await one.perform({ do: 'remove', path })
  one.put('a', '2')
  const refusedAs = async (changed: Uint8Array) => {
    const loaded = await one.load(changed, false)
    return isRefused(loaded) ? loaded.why : 'loaded'
  }
  const said = new Set<string>()
  for (let bit = 0; bit < bytes.byteLength * 8; bit++) {
    const changed = Buffer.from(bytes)
    changed[bit >> 3]! ^= 1 << (bit & 7)
    said.add(await refusedAs(changed))
  }
  const cutOff = 'failed to decompress snapshot: unexpected EOF (no checksum at its end: it is cut off, or none of this program)'
  t.deepEqual([...said].sort(), [
    'failed to decompress snapshot: gzip: invalid header',
    cutOff,
    'failed to read snapshot: its SHA-256 does not match, so it was damaged',
  ])
  t.is(await refusedAs(bytes.subarray(0, -1)), cutOff)
  t.is(await refusedAs(bytes.subarray(0, 40)), 'failed to decompress snapshot: unexpected EOF')
  t.is(await refusedAs(Buffer.alloc(0)), 'failed to decompress snapshot: EOF')
  t.is(await refusedAs(Buffer.concat([bytes, Buffer.of(0)])), cutOff)
  t.deepEqual(one.files(), [])
  t.deepEqual(one.keys(), [['a', '2']])
})
