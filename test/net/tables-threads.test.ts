import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { openTables } from '../../net/tables.ts'
import { table } from '../../src/kernel/tables.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'

const counters = table<number>('counters', 1)
const rows = table<{ commit: number }>('rows', 2)

type Seen = { asked: number; commit: number; consistent: boolean }

test('another thread sees each commit when a message sent after it arrives, and a view is of one commit', async (t) => {
  const directory = temporaryDirectory(t)
  const tables = openTables(directory, { durable: false })
  const threads = await Promise.all([1, 2].map(() => start(directory)))
  const commits = 400
  const answers = threads.map((thread) => collect(thread, commits))
  let commit = 0
  const next = () => {
    tables.transact(
      (tx) => write(tx, ++commit),
      () => {
        for (const thread of threads) thread.postMessage({ commit })
        if (commit < commits) next()
      },
    )
  }
  next()
  for (const seen of await Promise.all(answers)) {
    t.true(seen.every(({ asked, commit }) => commit >= asked))
    t.true(seen.every(({ consistent }) => consistent))
  }
  await Promise.all(threads.map(end))
  tables.close()
})

test('threads may come and go, by closing, by an error or by being ended, while others read and write', async (t) => {
  const directory = temporaryDirectory(t)
  const tables = openTables(directory, { durable: false })
  let commit = 0
  const step = () => new Promise((resolve) => tables.transact((tx) => write(tx, ++commit), resolve))
  const stays = await start(directory)
  for (let round = 0; round < 4; round++) {
    await step()
    const [closes, fails, ended] = await Promise.all([start(directory), start(directory), start(directory)])
    t.deepEqual(await ask([closes!, fails!, ended!, stays], commit), Array(4).fill({ asked: commit, commit, consistent: true }))
    const failed = once(fails!, 'error')
    fails!.postMessage({ crash: true })
    await Promise.all([end(closes!), failed, ended!.terminate()])
    await step()
    t.deepEqual(await ask([stays], commit), [{ asked: commit, commit, consistent: true }])
    t.is(tables.view().get(counters, 'commit'), commit)
  }
  await end(stays)
  tables.close()

  const again = openTables(directory, { durable: false })
  t.is(again.view().get(counters, 'commit'), commit)
  again.close()
})

test('the writing thread may close and open again while others read on', async (t) => {
  const directory = temporaryDirectory(t)
  const thread = await openAndWrite(directory, 1, () => start(directory))
  t.deepEqual(await ask([thread], 1), [{ asked: 1, commit: 1, consistent: true }])
  await openAndWrite(directory, 2, async () => undefined)
  t.deepEqual(await ask([thread], 2), [{ asked: 2, commit: 2, consistent: true }])
  await end(thread)
})

test('what is read in one synchronous stretch is of one commit, even if another thread commits meanwhile', async (t) => {
  const directory = temporaryDirectory(t)
  const tables = openTables(directory, { durable: false })
  await new Promise((resolve) => tables.transact((tx) => write(tx, 1), resolve))
  const flags = new Int32Array(new SharedArrayBuffer(8))
  const writer = new Worker(
    `
    import { workerData } from 'node:worker_threads'
    const { flags, directory, tables, kernel } = workerData
    const { openTables } = await import(tables)
    const { table } = await import(kernel)
    const open = openTables(directory, { durable: false })
    Atomics.store(flags, 0, 1)
    Atomics.notify(flags, 0)
    Atomics.wait(flags, 1, 0)
    open.transact((tx) => tx.put(table('counters', 1), 'commit', 2), () => {
      open.close()
      Atomics.store(flags, 0, 2)
      Atomics.notify(flags, 0)
    })`,
    {
      eval: true,
      execArgv: ['--input-type=module'],
      workerData: {
        flags,
        directory,
        tables: new URL('../../net/tables.ts', import.meta.url).href,
        kernel: new URL('../../src/kernel/tables.ts', import.meta.url).href,
      },
    },
  )
  const exited = once(writer, 'exit')
  await Atomics.waitAsync(flags, 0, 0).value
  const view = tables.view()
  t.is(view.get(counters, 'commit'), 1)
  Atomics.store(flags, 1, 1)
  Atomics.notify(flags, 1)
  // This thread stands still, as a long query would, until the other has committed.
  Atomics.wait(flags, 0, 1)
  t.is(view.get(counters, 'commit'), 1)
  t.is(tables.view().get(counters, 'commit'), 1)
  await exited
  t.is(view.get(counters, 'commit'), 2)
  tables.close()
})

test('a thread that only reads must not write, and a closed table is not read', (t) => {
  const directory = temporaryDirectory(t)
  const tables = openTables(directory, { durable: false })
  const reading = openTables(directory, { durable: false, readOnly: true })
  t.throws(() => reading.transact(() => 1, () => t.fail()), { message: /by the one thread that writes/ }) // biome-ignore format: one call
  reading.close()
  t.throws(() => reading.view().get(counters, 'a'), { message: /tables are read while they are open/ })
  t.is(tables.view().get(counters, 'a'), undefined)
  tables.close()
  tables.close()
  t.throws(() => tables.transact(() => 1, () => t.fail()), { message: /on open tables/ }) // biome-ignore format: one call
})

function write(tx: Parameters<Parameters<ReturnType<typeof openTables>['transact']>[0]>[0], commit: number): void {
  tx.put(counters, 'commit', commit)
  for (let n = 0; n < 100; n++) tx.put(rows, `${n}`, { commit })
  tx.put(counters, 'copy', commit)
}

async function openAndWrite<R>(directory: string, commit: number, before: () => Promise<R>): Promise<R> {
  const tables = openTables(directory, { durable: true })
  const result = await before()
  await new Promise((resolve) => tables.transact((tx) => write(tx, commit), resolve))
  tables.close()
  return result
}

async function start(directory: string): Promise<Worker> {
  const thread = new Worker(new URL('./tables-thread.ts', import.meta.url), { workerData: { directory } })
  await once(thread, 'message')
  return thread
}

function collect(thread: Worker, count: number): Promise<Seen[]> {
  const seen: Seen[] = []
  return new Promise((resolve, reject) => {
    thread.once('error', reject)
    thread.on('message', (message: Seen) => {
      if (seen.push(message) === count) resolve(seen)
    })
  })
}

async function ask(threads: Worker[], commit: number): Promise<Seen[]> {
  const answers = threads.map((thread) => once(thread, 'message'))
  for (const thread of threads) thread.postMessage({ commit })
  return (await Promise.all(answers)).map(([seen]) => seen as Seen)
}

async function end(thread: Worker): Promise<void> {
  const exited = once(thread, 'exit')
  thread.postMessage({ close: true })
  await exited
}
