import { copyFileSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import test from 'ava'
import fc from 'fast-check'
import { type OpenTables, openTables } from '../../net/tables.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import { type Transaction, table } from '../../src/kernel/tables.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'
import { run } from './processes-kit.ts'

const numbers = table<number>('numbers', 1)
const blobs = table<Uint8Array>('blobs', 2)
const PAGE_BYTES = 4_096
/** Of what a machine that is cut off leaves behind. */
const FILES = ['data.mdb', 'checkpoint', 'format']

const open = (directory: string, boot: string) => openTables(directory, { durable: 'later', boot })

test('commits are visible at once; a process that ends, in whatever way, loses none of them', async (t) => {
  const directory = temporaryDirectory(t)
  const child = run('count-later', directory)
  let said = 0
  for (let lines = 0; lines < 300; lines++) said = Number(await child.line())
  await child.kill()
  const tables = openTables(directory, { durable: 'later' })
  t.teardown(() => tables.close())
  t.true((tables.view().get(numbers, 'n') ?? 0) >= said)
})

test('a power cut takes everything back to the last checkpoint, whatever of the later pages has reached the disk', async (t) => {
  const page = fc.constantFrom('old', 'new', 'zero')
  const plan = fc.record({
    before: fc.array(fc.tuple(fc.nat(40), fc.nat(9_000)), { minLength: 1, maxLength: 30 }),
    after: fc.array(fc.tuple(fc.nat(40), fc.nat(9_000)), { minLength: 1, maxLength: 30 }),
    pages: fc.array(page, { minLength: 1, maxLength: 64 }),
    again: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(plan, async ({ before, after, pages, again }) => {
      const directory = temporaryDirectory(t)
      const tables = open(directory, 'first')
      for (const change of before) await changed(tables, change)
      await checkpoint(tables)
      const kept = contents(tables)
      const old = readFileSync(join(directory, 'data.mdb'))
      for (const change of after) await changed(tables, change)
      const lost = temporaryDirectory(t)
      for (const file of FILES) copyFileSync(join(directory, file), join(lost, file))
      const data = readFileSync(join(lost, 'data.mdb'))
      for (let at = 0; at * PAGE_BYTES < data.length; at++) {
        const fate = pages[at % pages.length]
        const [from, to] = [at * PAGE_BYTES, (at + 1) * PAGE_BYTES]
        // What the disk has never had of a page is zeros.
        if (fate === 'old' || (fate === 'zero' && from < old.length)) data.set(old.subarray(from, to), from)
        else if (fate === 'zero') data.fill(0, from, to)
      }
      writeFileSync(join(lost, 'data.mdb'), data)
      tables.close()
      let found = open(lost, 'second')
      t.deepEqual(contents(found), kept)
      // It goes on from there, and may be cut off again before anything is written.
      if (again) {
        found.close()
        found = open(lost, 'third')
      }
      for (const change of after) await changed(found, change)
      await checkpoint(found)
      t.is(contents(found).length, new Set([...before, ...after].map(([key]) => key)).size)
      found.close()
    }),
    { numRuns: 40 },
  )
})

test('while nothing was checkpointed since the machine was started, what was there at the start is kept', async (t) => {
  const directory = temporaryDirectory(t)
  const first = openTables(directory, { durable: true })
  await changed(first, [1, 10])
  first.close()
  const tables = open(directory, 'first')
  const lost = temporaryDirectory(t)
  for (let n = 2; n < 40; n++) await changed(tables, [n, 5_000])
  for (const file of FILES) copyFileSync(join(directory, file), join(lost, file))
  tables.close()
  const found = open(lost, 'second')
  t.deepEqual(
    contents(found).map(([key]) => key),
    ['1'],
  )
  found.close()
})

test('tables that are closed are whole, and may be opened with commits that wait for the disk, and again without', async (t) => {
  const directory = temporaryDirectory(t)
  const first = open(directory, 'first')
  for (let n = 0; n < 20; n++) await changed(first, [n, 3_000])
  first.close()
  const durable = openTables(directory, { durable: true, boot: 'second' })
  t.is(contents(durable).length, 20)
  await changed(durable, [20, 1])
  durable.close()
  const again = open(directory, 'third')
  t.is(contents(again).length, 21)
  again.close()
})

test('a copy that is not whole does not count, and the one before it does', async (t) => {
  const directory = temporaryDirectory(t)
  const tables = open(directory, 'first')
  for (const n of [1, 2]) {
    await changed(tables, [n, 100])
    await checkpoint(tables)
  }
  const lost = temporaryDirectory(t)
  mkdirSync(lost, { recursive: true })
  for (const file of FILES) copyFileSync(join(directory, file), join(lost, file))
  tables.close()
  const copies = readFileSync(join(lost, 'checkpoint'))
  // The third copy is in the second place: torn in the middle.
  copies.fill(0, copies.length / 2 + 1_000, copies.length / 2 + 5_000)
  writeFileSync(join(lost, 'checkpoint'), copies)
  const found = open(lost, 'second')
  t.deepEqual(
    contents(found).map(([key]) => key),
    ['1'],
  )
  found.close()
})

test('those who ask for a checkpoint while one is made are answered by the next', async (t) => {
  const tables = open(temporaryDirectory(t), 'first')
  await changed(tables, [1, 1])
  const results = await Promise.all([checkpoint(tables), checkpoint(tables), checkpoint(tables)])
  t.deepEqual(results, [null, null, null])
  tables.close()
})

test('a checkpoint without the data that it is of does not count', async (t) => {
  const directory = temporaryDirectory(t)
  const first = open(directory, 'first')
  for (let n = 0; n < 20; n++) await changed(first, [n, 3_000])
  first.close()
  rmSync(join(directory, 'data.mdb'))
  const second = open(directory, 'second')
  t.deepEqual(contents(second), [])
  second.close()
  const third = open(directory, 'third')
  await changed(third, [1, 1])
  t.is(contents(third).length, 1)
  third.close()
})

test('much that is written without a checkpoint does not make the file grow without end', async (t) => {
  const directory = temporaryDirectory(t)
  const tables = open(directory, 'first')
  for (let n = 0; n < 3_000; n++) {
    await changed(tables, [n % 10, 100])
    if (n % 50 === 0) await nextTurn()
  }
  t.true(statSync(join(directory, 'data.mdb')).size < 40 * 2 ** 20)
  tables.close()
})

function contents(tables: OpenTables): (readonly [string, number])[] {
  return [...tables.view().range(blobs)].map(([key, bytes]) => [key, bytes.length] as const)
}

function changed(tables: OpenTables, [key, bytes]: readonly [key: number, bytes: number]): Promise<void> {
  const work = (tx: Transaction) => tx.put(blobs, String(key), new Uint8Array(bytes).fill(key))
  return new Promise((resolve, reject) => {
    tables.transact(work, (result) => (isRefused(result) ? reject(new Error(result.why)) : resolve()))
  })
}

function checkpoint(tables: OpenTables): Promise<Result<null>> {
  return new Promise((resolve) => tables.checkpoint(resolve))
}
