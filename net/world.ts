import { randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { World } from '../src/world.ts'
import { createLogger } from './logger.ts'
import { startThreads } from './threads.ts'

/** The machine as the agent's main program uses it. */
export const world: World = {
  cores: availableParallelism(),
  startThreads,
  createLogger: (config, write) => createLogger(config, write),
  newId: () => randomUUID(),
  nodeId(dataDirectory) {
    if (dataDirectory === '') return randomUUID()
    const path = join(dataDirectory, 'node-id')
    mkdirSync(dataDirectory, { recursive: true, mode: 0o700 })
    try {
      const kept = readFileSync(path, 'utf8').trim()
      if (kept !== '') return kept
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    const made = randomUUID()
    writeFileSync(path, `${made}\n`, { mode: 0o600 })
    return made
  },
  writePid(path) {
    writeFileSync(path, String(process.pid), { mode: 0o644 })
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
