import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A temporary directory and the processes of one benchmark. */
export type Stage = {
  readonly directory: string
  /** Where agents leave a profile of each of their threads; undefined for none. */
  readonly profiles: string | undefined
  /** Whether it is being closed, so that processes end because they are told to. */
  readonly closing: boolean
  /** Starts a process that ends with the stage at the latest. */
  start(file: string, args: readonly string[], options?: SpawnOptions): ChildProcess
  /** Does `work` before the processes are ended. */
  atEnd(work: () => void): void
  /** Ends all processes and removes the directory. */
  close(): Promise<void>
}

export function openStage(profiles?: string): Stage {
  const directory = mkdtempSync(join(tmpdir(), 'tribune-bench-'))
  const children: ChildProcess[] = []
  const works: (() => void)[] = []
  let closing = false
  return {
    directory,
    profiles,
    get closing() {
      return closing
    },
    start(file, args, options = {}) {
      const child = spawn(file, args, { stdio: 'ignore', ...options })
      child.on('error', (error) => process.stderr.write(`${file}: ${error.message}\n`))
      children.push(child)
      return child
    },
    atEnd(work) {
      works.push(work)
    },
    async close() {
      closing = true
      for (const work of works) work()
      // A profile is written by a process that may end by itself.
      await Promise.all(children.map((child) => ended(child, profiles === undefined ? 'SIGKILL' : 'SIGTERM')))
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Sends the signal unless the process is gone already, and waits for its end. */
export async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill(signal)
  await exit
}
