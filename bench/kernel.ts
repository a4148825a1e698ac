import { MessageChannel } from 'node:worker_threads'
import { Piscina } from 'piscina'
import type { Host } from '../src/kernel/host.ts'
import { isRefused } from '../src/kernel/refusal.ts'
import type { Benchmark } from './benchmark.ts'
import { benchHost, echoRef } from './kernel-host.ts'

const MS = 3_000
const WARM_MS = 1_000
const WITHIN_MS = 5_000
const WIDTH = 256

export const kernel: Benchmark = {
  name: 'kernel',
  about: 'calls of an actor on another thread',
  needs: [],
  async run(stage) {
    const pool = new Piscina({
      filename: new URL('./kernel-worker.ts', import.meta.url).href,
      minThreads: 1,
      maxThreads: 1,
      atomics: 'disabled',
    })
    const { port1, port2 } = new MessageChannel()
    const host = benchHost(0)
    host.connect(1, (batch) => port1.postMessage(batch))
    port1.on('message', (batch: Uint8Array) => host.receive(1, batch))
    // The worker's task has no end; destroying the pool rejects it.
    pool.run({ port: port2 }, { transferList: [port2] }).catch((error: Error) => {
      if (!/terminat|destroy|abort/i.test(error.message)) process.stderr.write(`kernel worker: ${error.message}\n`)
    })
    stage.atEnd(() => {
      port1.close()
      void pool.destroy()
    })
    while (isRefused(await call(host))) await new Promise((resolve) => setImmediate(resolve))
    await callsPerSecond(host, WIDTH, WARM_MS)
    const many = await callsPerSecond(host, WIDTH, MS)
    await callsPerSecond(host, 1, WARM_MS)
    const single = await callsPerSecond(host, 1, MS)
    return [
      { name: 'kernel: round trips between threads', ours: many, unit: '/s', note: `${WIDTH} in flight; wanted 300 k/s` },
      { name: 'kernel: one round trip', ours: 1e6 / single, unit: 'µs', note: 'one at a time' },
    ]
  },
}

function call(host: Host) {
  return host.asked(echoRef, 'echo', { key: 'some/key', value: 1 }, WITHIN_MS)
}

/** Calls per second with so many under way at any time. */
function callsPerSecond(host: Host, width: number, ms: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const startMs = performance.now()
    let answered = 0
    let open = width
    const next = () =>
      host.ask(echoRef, 'echo', { key: 'some/key', value: answered }, WITHIN_MS, (result) => {
        if (isRefused(result)) return reject(new Error(`a call was refused: ${result.why}`))
        answered++
        if (performance.now() - startMs < ms) next()
        else if (--open === 0) resolve((answered / (performance.now() - startMs)) * 1_000)
      })
    for (let started = 0; started < width; started++) next()
  })
}
