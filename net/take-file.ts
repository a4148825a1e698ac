import { readFile, rm, stat } from 'node:fs/promises'
import { type Result, refuse } from '../src/kernel/refusal.ts'

/** It is in memory as a whole while it is sent to another agent. */
const BYTES_MAX = 536_870_912

/** Reads a file and removes it. `busy`: it cannot be read, or is too large to be sent through another agent. */
export function takeFile(path: string, done: (bytes: Result<Uint8Array>) => void): void {
  read(path).then(done, (error: unknown) => done(refuse('busy', `the answer cannot be read: ${String(error)}`)))
}

async function read(path: string): Promise<Result<Uint8Array>> {
  try {
    const { size } = await stat(path)
    if (size > BYTES_MAX) return refuse('busy', `the answer has ${size} bytes, which is too much for a client agent: ask a server`)
    return await readFile(path)
  } finally {
    await rm(path, { force: true })
  }
}
