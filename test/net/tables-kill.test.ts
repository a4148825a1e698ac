import test from 'ava'
import { openStore } from '../../net/store.ts'
import { openTables } from '../../net/tables.ts'
import type { StoreOutcome, StoreRequest } from '../../src/kernel/ports.ts'
import type { Result } from '../../src/kernel/refusal.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { table } from '../../src/kernel/tables.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'
import { type Running, run } from './processes-kit.ts'

const counters = table<number>('counters', 1)

test('tables: nothing acknowledged is lost when the process is killed while it writes', async (t) => {
  const directory = temporaryDirectory(t)
  let acknowledged = 0
  for (const lines of [1, 40, 200, 300]) {
    const child = run('count', directory)
    const before = acknowledged
    acknowledged = Number((await killAfter(child, lines)).at(-1))
    t.true(acknowledged >= before + lines)

    const tables = openTables(directory, { durable: true })
    const view = tables.view()
    const count = view.get(counters, 'n') ?? 0
    // The last commit may have been durable before anybody was told, or told before this test read the line.
    t.true(count >= acknowledged, `${count} of ${acknowledged}`)
    for (let n = 1; n <= count; n++) if (view.get(counters, `${n}`) !== n) t.fail(`${n} of ${count} is missing`)
    t.is([...view.range(counters)].length, count + 1)
    tables.close()
    acknowledged = count
  }
})

test('store: nothing acknowledged is lost when the process is killed while it writes', async (t) => {
  const directory = temporaryDirectory(t)
  const child = run('save', directory)
  const acknowledged = await killAfter(child, 300)
  const store = openStore(directory)
  const loaded = await new Promise<Result<StoreOutcome>>((resolve) => store.perform(LOAD, resolve, () => undefined))
  await store.close()
  if (isRefused(loaded)) return t.fail(loaded.why)
  const keys = new Set(loaded.records.map(({ key }) => key))
  t.deepEqual(acknowledged.filter((key) => !keys.has(key)), []) // biome-ignore format: one line
  t.true(loaded.records.every(({ key, record }) => (record as { n: number }).n === Number(key)))
})

const LOAD: StoreRequest = { do: 'load' }

/** Kills a process as soon as it has said so many lines, and gives all that it said. */
async function killAfter(child: Running, count: number): Promise<string[]> {
  const said: string[] = []
  for (;;) {
    const line = await child.line()
    if (line === undefined) return said
    said.push(line)
    if (said.length === count) await child.kill()
  }
}
