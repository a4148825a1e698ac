import { parentPort, workerData } from 'node:worker_threads'
import { openTables } from '../../net/tables.ts'
import { table } from '../../src/kernel/tables.ts'

/**
 * A thread that reads the tables of its process. For each message `{ commit }` it answers what it sees: whether that commit and
 * all before it are visible, and whether one view was consistent. `{ close: true }` closes the tables and ends the thread.
 */
const { directory } = workerData as { directory: string }
const counters = table<number>('counters', 1)
const rows = table<{ commit: number }>('rows', 2)
const tables = openTables(directory, { durable: true, readOnly: true })
const port = parentPort!

port.on('message', (message: { commit?: number; close?: true; crash?: true }) => {
  if (message.crash) throw new Error('on purpose')
  if (message.close) {
    tables.close()
    port.close()
    return
  }
  const view = tables.view()
  const commit = view.get(counters, 'commit') ?? 0
  const seen = new Set([...view.range(rows)].map(([, row]) => row.commit))
  const consistent = seen.size <= 1 && (view.get(counters, 'copy') ?? 0) === commit && (seen.size === 0 || seen.has(commit))
  port.postMessage({ asked: message.commit, commit, consistent })
})
port.postMessage({ ready: true })
