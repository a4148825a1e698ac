import { EventEmitter, once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { createClientLimit, createClientTable } from '../../net/http/client-limit.ts'
import { until } from '../kit/running.ts'

const THREADS = 4
const LIMIT = 20

test('a client has as many connections as the limit says on all threads together, never one more', async (t) => {
  const { port } = await listening(t)
  const clients = await Promise.all(Array.from({ length: LIMIT * 3 }, () => dial(t, port)))
  const open = clients.filter(({ said }) => said.startsWith('thread '))
  t.is(open.length, LIMIT)
  t.true(new Set(open.map(({ said }) => said)).size > 1, 'the system shares connections among threads')
  for (const { said } of clients.filter((one) => !open.includes(one))) {
    t.regex(said, /^HTTP\/1\.1 429 Too Many Requests\r\n.*\r\n\r\nYour IP is issuing too many concurrent connections/s)
  }
  t.regex((await dial(t, port, '127.0.0.2')).said, /^thread /)

  for (const { socket } of open.slice(0, 5)) socket.destroy()
  const more = async () => (await dial(t, port)).said.startsWith('thread ')
  for (let at = 0; at < 5; at++) await until('a connection that became free', more, (isOpen) => isOpen)
  t.false(await more())
})

test('what a thread counted that has ended is free again once it is started anew', async (t) => {
  const { port, workers, start } = await listening(t)
  const clients = await Promise.all(Array.from({ length: LIMIT }, () => dial(t, port)))
  const lost = clients.filter(({ said }) => said === 'thread 0\n').length
  await workers[0]?.terminate()
  await start(0)
  const again = await Promise.all(Array.from({ length: LIMIT }, () => dial(t, port)))
  t.is(again.filter(({ said }) => said.startsWith('thread ')).length, lost)
})

test('a thread that ended while it held the lock does not keep the others out', (t) => {
  const table = createClientTable(2)
  const take = createClientLimit({ table, thread: 1, limit: () => 1 })
  new Int32Array(table)[0] = 1
  createClientLimit({ table, thread: 0, limit: () => 1 })
  t.deepEqual(
    [1, 2].map(() => accept(take, '10.0.0.1').refused),
    [false, true],
  )
})

test('connections of any clients that come and go are counted as one would by hand', (t) => {
  const thread = fc.nat({ max: 1 })
  const come = fc.record({ thread, address: fc.nat({ max: 3_000 }) })
  const step = fc.oneof(
    { weight: 3, arbitrary: come },
    fc.nat().map((closed) => ({ closed })),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 2_000, size: 'max' }), (steps) => {
      const table = createClientTable(2)
      const takes = [0, 1].map((number) => createClientLimit({ table, thread: number, limit: () => 2 }))
      const open: { address: string; close(): void }[] = []
      for (const one of steps) {
        if ('closed' in one) {
          open.splice(one.closed % (open.length + 1), 1)[0]?.close()
          continue
        }
        const address = `10.0.0.${one.address % (one.address > 1_000 ? 5 : 1_000)}`
        const { refused, close } = accept(takes[one.thread]!, address)
        t.is(refused, open.filter((other) => other.address === address).length >= 2)
        if (!refused) open.push({ address, close })
      }
      for (const { close } of open) close()
      t.true(new Int32Array(table).every((word) => word === 0))
    }),
    { numRuns: 10 },
  )
})

test('an IPv4 address is the same client on listeners of both families, and no limit is no limit', (t) => {
  const table = createClientTable(1)
  const take = createClientLimit({ table, thread: 0, limit: () => 1 })
  t.false(accept(take, '10.0.0.1').refused)
  t.true(accept(take, '::ffff:10.0.0.1').refused)
  t.false(accept(take, '::1').refused)
  const all = createClientLimit({ table, thread: 0, limit: () => 0 })
  for (let at = 0; at < 5; at++) t.false(accept(all, '::1').refused)
})

/** Threads that listen on one port. */
async function listening(t: ExecutionContext) {
  const table = createClientTable(THREADS)
  let port = 0
  const workers: Worker[] = []
  const start = async (thread: number) => {
    const worker = new Worker(new URL('./client-limit-thread.ts', import.meta.url), { workerData: { table, thread, port, limit: LIMIT } })
    workers[thread] = worker
    const [opened] = (await once(worker, 'message')) as [number]
    port = opened
  }
  t.teardown(() => Promise.all(workers.map((worker) => worker.terminate())))
  for (let thread = 0; thread < THREADS; thread++) await start(thread)
  return { port, workers, start }
}

/** A connection and what it is told first; all of it if it is refused. */
async function dial(t: ExecutionContext, port: number, localAddress = '127.0.0.1'): Promise<{ socket: Socket; said: string }> {
  const socket = connect({ host: '127.0.0.1', port, localAddress })
  t.teardown(() => socket.destroy())
  let said = ''
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('end', resolve)
    socket.setEncoding('utf8').on('data', (text: string) => {
      said += text
      if (said.startsWith('thread ')) resolve()
    })
  })
  socket.on('error', () => socket.destroy())
  return { socket, said }
}

function accept(take: (socket: Socket) => void, remoteAddress: string): { refused: boolean; close(): void } {
  let refused = false
  const socket = Object.assign(new EventEmitter(), { remoteAddress, end: () => (refused = true) })
  take(socket as unknown as Socket)
  return { refused, close: () => socket.emit('close') }
}
