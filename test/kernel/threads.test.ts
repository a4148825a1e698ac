import { MessageChannel } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { Piscina } from 'piscina'
import { linkOver } from '../../net/worker.ts'
import type { Host } from '../../src/kernel/host.ts'
import type { Ref } from '../../src/kernel/protocol.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { table } from '../../src/kernel/tables.ts'
import { type Goods, shopHost, shopRef, tillRef } from './threads-shop.ts'

const WORKER_URL = new URL('./threads-worker.ts', import.meta.url).href
const WITHIN_MS = 20_000
const GOODS: Goods = { bytes: new Uint8Array([0, 1, 255]), cents: 2n ** 63n, nothing: undefined, weight: 0.1 }

/** Thread 0 here, thread 1 in a real worker. `ended` is how the worker's task ended. */
async function market(t: ExecutionContext): Promise<{ host: Host; ended: Promise<unknown> }> {
  const pool = new Piscina({ filename: WORKER_URL, minThreads: 1, maxThreads: 1, concurrentTasksPerWorker: 1, atomics: 'disabled' })
  const link = new MessageChannel()
  const control = new MessageChannel()
  const host = shopHost(0)
  linkOver(
    { receive: (peer, batch) => host.receive(peer, batch as Uint8Array), link: (peer, send) => host.connect(peer, send) },
    1,
    link.port1,
  )
  host.start('till', '', null)
  const task = pool.run({ link: link.port2, control: control.port2 }, { transferList: [link.port2, control.port2] })
  const ended = task.then(
    () => 'told to',
    (error: Error) => error.message,
  )
  t.teardown(async () => {
    control.port1.postMessage('close')
    await ended
    host.close()
    for (const port of [link.port1, control.port1]) port.close()
    await pool.destroy()
  })
  return { host, ended }
}

/** Resolves with all values of a feed so far once the newest one is as wanted. */
function followUntil<Value>(host: Host, to: Ref, feed: string, wanted: (value: Value) => boolean): Promise<Value[]> {
  return new Promise((resolve) => {
    const seen: Value[] = []
    const stop = host.follow(to, feed, null, (value) => {
      seen.push(value as Value)
      if (!wanted(value as Value)) return
      // `follow` may deliver before it has returned.
      queueMicrotask(() => stop())
      resolve(seen)
    })
  })
}

test('calls, answers and refusals cross a real worker, with numbers, bytes and nothing in them', async (t) => {
  const { host } = await market(t)
  const answer = await host.asked(shopRef(), 'price', GOODS, WITHIN_MS)
  if (isRefused(answer)) return t.fail(answer.why)
  t.deepEqual([...answer.bytes], [255, 1, 0])
  t.is(answer.cents, 2n ** 63n)
  t.is(answer.weight, -0.1)
  t.true('nothing' in answer && answer.nothing === undefined)
  t.deepEqual(await host.asked(shopRef(), 'unknown', null, WITHIN_MS), { refused: 'missing', why: 'no such thing here' })
  t.deepEqual(await host.asked(shopRef('closed'), 'unknown', null, WITHIN_MS), {
    refused: 'gone',
    why: 'no actor shop/closed on thread 1',
  })
})

test('a call that is never answered is late', async (t) => {
  const { host } = await market(t)
  t.deepEqual(await host.asked(shopRef(), 'never', null, 20), { refused: 'late', why: 'no answer before the deadline' })
})

test('casts and feeds cross a real worker both ways', async (t) => {
  const { host } = await market(t)
  const sold = followUntil<number>(host, shopRef(), 'sold', (value) => value === 5)
  const rung = followUntil<string[]>(host, tillRef, 'rung', (value) => value.length === 2)
  t.is(await host.asked(tillRef, 'order', { times: 2 }, WITHIN_MS), null)
  t.is(await host.asked(tillRef, 'order', { times: 3 }, WITHIN_MS), null)
  t.is((await sold).at(-1), 5)
  t.deepEqual((await rung).at(-1), ['2 by ""', '3 by ""'])
})

test('actors are started and stopped on a real worker, with what they begin with', async (t) => {
  const { host } = await market(t)
  host.start('shop', 'corner', { extra: 7n })
  const answer = await host.asked(shopRef('corner'), 'price', { ...GOODS, cents: 1n }, WITHIN_MS)
  t.is(isRefused(answer) ? answer.why : answer.cents, 8n)
  host.stop('shop', 'corner')
  const after = await host.asked(shopRef('corner'), 'price', GOODS, WITHIN_MS)
  t.is(isRefused(after) ? after.refused : 'answered', 'gone')
})

test('a commit on a real worker wakes the readers of this thread', async (t) => {
  const { host } = await market(t)
  const rows = table<object>('rows', 900)
  const reads = { keys: new Map([[rows.id, new Set(['x'])]]), prefixes: new Map() }
  const woken = new Promise((resolve) => host.waiters.add(reads, resolve))
  t.is(await host.asked(shopRef(), 'commit', { index: 41, touched: [[rows.id, 'x']] }, WITHIN_MS), null)
  t.deepEqual(await woken, { index: 41, touched: [[rows.id, 'x']] })
  t.is(host.noticed, 41)
})

test('more messages than a credit covers all come back', async (t) => {
  const { host } = await market(t)
  const asked = Array.from({ length: 5_000 }, (_, at) => host.asked(shopRef(), 'price', { ...GOODS, cents: BigInt(at) }, WITHIN_MS))
  const answers = await Promise.all(asked)
  t.deepEqual(
    answers.map((answer) => (isRefused(answer) ? answer.why : answer.cents)),
    answers.map((_, at) => BigInt(at)),
  )
})

test('an error that nobody catches ends the task with its reason, and waiting calls are refused once the link is given up', async (t) => {
  const { host, ended } = await market(t)
  const waiting = host.asked(shopRef(), 'fail', null, WITHIN_MS)
  const why = await ended
  t.is(why, 'the worker failed on purpose')
  host.disconnect(1, String(why))
  t.deepEqual(await waiting, { refused: 'gone', why: 'the worker failed on purpose' })
})
