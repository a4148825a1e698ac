import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A temporary directory and the processes of one benchmark. */
export type Stage = {
  readonly directory: string
  /** Starts a process that ends with the stage at the latest. */
  start(file: string, args: readonly string[], options?: SpawnOptions): ChildProcess
  /** Does `work` before the processes are ended. */
  atEnd(work: () => void): void
  /** Ends all processes and removes the directory. */
  close(): Promise<void>
}

export function openStage(): Stage {
  const directory = mkdtempSync(join(tmpdir(), 'tribune-bench-'))
  const children: ChildProcess[] = []
  const works: (() => void)[] = []
  return {
    directory,
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
      for (const work of works) work()
      await Promise.all(children.map((child) => ended(child, 'SIGKILL')))
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
