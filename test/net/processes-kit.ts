import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('./tables-process.ts', import.meta.url))

/** A process that runs `tables-process.ts`. */
export type Running = {
  readonly process: ChildProcess
  /** The next line it says; nothing when it has ended. */
  line(): Promise<string | undefined>
  /** Says a line to it and gives the one it answers. */
  ask(line: string): Promise<string | undefined>
  /** Kills it at once, unless it has ended. */
  kill(): Promise<void>
}

/** `wrapped` is a shell line in which `"$@"` stands for the program. */
export function run(what: string, directory: string, wrapped = 'exec "$@"', environment: Record<string, string> = {}): Running {
  const child = spawn('/bin/sh', ['-c', wrapped, 'sh', process.execPath, program, what, directory], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...process.env, ...environment },
  })
  const ended = once(child, 'exit')
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  const line = async () => {
    const { value, done } = await lines.next()
    return done ? undefined : String(value)
  }
  return {
    process: child,
    line,
    async ask(text) {
      child.stdin!.write(`${text}\n`)
      return line()
    },
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
