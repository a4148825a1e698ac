import { type ChildProcess, spawn } from 'node:child_process'

/** A program that runs while a lock is held. */
export type LockedChild = {
  /** How it ended, in the words of the reference (`exit status 1`, `signal: terminated`); undefined for success. */
  readonly ended: Promise<string | undefined>
  /** Asks it to end, and after a while makes it. */
  stop(): void
}
export type ChildOptions = {
  /** A line for the shell, or the program and its arguments. */
  command: string | readonly string[]
  shell: string
  passStdin: boolean
  env: Readonly<Record<string, string | undefined>>
}

const KILL_AFTER_MS = 5_000
const SIGNALS: Readonly<Record<string, string>> = { SIGTERM: 'terminated', SIGKILL: 'killed', SIGINT: 'interrupt', SIGHUP: 'hangup' }

/** Its output is this process's. What it starts ends with it, unless it reads the terminal and so belongs to this process's group. */
export function startChild({ command, shell, passStdin, env }: ChildOptions): LockedChild {
  const [program = '', ...args] = typeof command === 'string' ? [shell, '-c', command] : command
  const child = spawn(program, args, { env, stdio: [passStdin ? 'inherit' : 'ignore', 'inherit', 'inherit'], detached: !passStdin })
  let timer: NodeJS.Timeout | undefined
  const ended = new Promise<string | undefined>((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('exit', (code, signal) => {
      clearTimeout(timer)
      resolve(signal ? `signal: ${SIGNALS[signal] ?? signal}` : code === 0 ? undefined : `exit status ${code}`)
    })
  })
  return {
    ended,
    stop() {
      send(child, 'SIGTERM', !passStdin)
      timer ??= setTimeout(() => send(child, 'SIGKILL', !passStdin), KILL_AFTER_MS)
    },
  }
}

function send(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL', toGroup: boolean): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  try {
    process.kill(toGroup ? -child.pid : child.pid, signal)
  } catch (error) {
    // It may have ended just now.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
