import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { refuse } from '../src/kernel/refusal.ts'
import type { World } from '../src/world.ts'
import { claimDirectory, explained } from './data-directory.ts'
import { hostFacts } from './host-facts.ts'
import { createLogger } from './logger.ts'
import { openTcpSink, openUdpSink } from './metrics-sinks.ts'
import { startThreads } from './threads.ts'

/** The machine as the agent's main program uses it. */
export const world: World = {
  cores: availableParallelism(),
  startThreads,
  createLogger(config, write) {
    try {
      return createLogger(config, write)
    } catch (error) {
      return refuse('invalid', `could not write the log file: ${error instanceof Error ? error.message : String(error)}`)
    }
  },
  hostFacts,
  memoryBytes: () => process.memoryUsage.rss(),
  openMetricsSink: (transport, address, failed) => (transport === 'tcp' ? openTcpSink : openUdpSink)(address, failed),
  every(ms, work) {
    const timer = setInterval(work, ms)
    timer.unref()
    return () => clearInterval(timer)
  },
  newId: () => randomUUID(),
  nodeId(dataDirectory) {
    if (dataDirectory === '') return randomUUID()
    try {
      const { release } = claimDirectory(dataDirectory, { create: true, readOnly: false })
      try {
        return keptNodeId(join(dataDirectory, 'node-id'))
      } finally {
        release()
      }
    } catch (error) {
      const why = explained(error, dataDirectory)
      return refuse('conflict', why instanceof Error ? why.message : String(why))
    }
  },
  writePid(path) {
    try {
      writeFileSync(path, String(process.pid), { mode: 0o644 })
    } catch (error) {
      return refuse('invalid', `could not write the pid file: ${error instanceof Error ? error.message : String(error)}`)
    }
    return () => rmSync(path, { force: true })
  },
  onSignals(handlers) {
    const listeners = Object.entries(handlers).map(([signal, handler]) => [signal, () => handler()] as const)
    for (const [signal, listener] of listeners) process.on(signal, listener)
    return () => {
      for (const [signal, listener] of listeners) process.off(signal, listener)
    }
  },
}

/** Reads the file, or makes it with a new id. */
function keptNodeId(path: string): string {
  const kept = existsSync(path) ? readFileSync(path, 'utf8').trim() : ''
  if (kept !== '') return kept
  const made = randomUUID()
  writeFileSync(path, `${made}\n`, { mode: 0o600 })
  return made
}
