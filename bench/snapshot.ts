import { createReadStream, createWriteStream, readFileSync, statSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { SnapshotRow } from '../src/snapshot/format.ts'
import { writeSnapshot } from '../src/snapshot/write.ts'
import type { Benchmark } from './benchmark.ts'
import { type Agent, startAgent } from './kit/agent.ts'
import { done } from './kit/http.ts'

const KEYS = 1_000_000
const VALUE_BYTES = 100
const ROWS_PER_PORTION = 1_024

export const snapshot: Benchmark = {
  name: 'snapshot',
  about: `saving and restoring ${KEYS / 1e6} M keys`,
  needs: [],
  async run(stage) {
    const agent = await startAgent(stage, { mode: 'server' })
    const given = join(stage.directory, 'given.snap')
    await writeSnapshot(given, { version: 1, id: '1-1-1', index: KEYS, timeMs: 1, tables: [{ id: 10, name: 'kv', rows: KEYS }] }, keys())
    const restore = await measured(agent, () => send(agent, given))
    const taken = join(stage.directory, 'taken.snap')
    const save = await measured(agent, () => receive(agent, taken))
    const size = `${(statSync(taken).size / 1e6).toFixed(0)} MB`
    return [
      { name: 'snapshot restore of 1 M keys, durable', ours: restore.seconds, unit: 's', note: restore.note },
      { name: 'snapshot save of 1 M keys', ours: save.seconds, unit: 's', note: `${size}; ${save.note}` },
    ]
  },
}

async function* keys(): AsyncGenerator<SnapshotRow[]> {
  for (let from = 0; from < KEYS; from += ROWS_PER_PORTION) {
    const rows = Math.min(ROWS_PER_PORTION, KEYS - from)
    yield Array.from({ length: rows }, (_, at): SnapshotRow => {
      const number = from + at
      const value = Buffer.alloc(VALUE_BYTES, `value ${(number * 2_654_435_761) % 4_294_967_296} `)
      const key = `bench/${String(number).padStart(7, '0')}`
      return [10, key, { value, flags: 0n, session: '', lockIndex: 0, createIndex: number + 1, modifyIndex: number + 1 }]
    })
  }
}

/** How long the work takes, and how long others had to wait for a write meanwhile. */
async function measured(agent: Agent, work: () => Promise<void>): Promise<{ seconds: number; note: string }> {
  const beforeMb = heldMb(agent)
  let peakMb = beforeMb
  const waits: number[] = []
  let isOver = false
  const startMs = performance.now()
  const ended = work().finally(() => {
    isOver = true
  })
  while (!isOver) {
    const askedMs = performance.now()
    await done('PUT', `${agent.url}/v1/kv/meanwhile`, String(waits.length))
    waits.push(performance.now() - askedMs)
    peakMb = Math.max(peakMb, heldMb(agent))
  }
  await ended
  const seconds = (performance.now() - startMs) / 1_000
  waits.sort((a, b) => a - b)
  const p99 = waits[Math.floor(waits.length * 0.99)] ?? 0
  const longest = waits.at(-1) ?? 0
  const more = `${(peakMb - beforeMb).toFixed(0)} MB more at its peak`
  return { seconds, note: `one writer beside it: 99 % within ${p99.toFixed(1)} ms, all within ${longest.toFixed(0)} ms; ${more}` }
}

function send(agent: Agent, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const asking = request(`${agent.url}/v1/snapshot`, { method: 'PUT', agent: false }, (answer) => {
      answer.resume().on('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(`restore: ${answer.statusCode}`))))
    })
    pipeline(createReadStream(path), asking).catch(reject)
  })
}

async function receive(agent: Agent, path: string): Promise<void> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    request(`${agent.url}/v1/snapshot`, { agent: false }, resolve).on('error', reject).end()
  })
  if (answer.statusCode !== 200) throw new Error(`save: ${answer.statusCode}`)
  await pipeline(answer, createWriteStream(path))
}

/** Without the pages of the tables, which the system takes back when it needs them. */
function heldMb({ pids: [pid] }: Agent): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^RssAnon:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1_024
}
