import { type ChildProcess, spawn } from 'node:child_process'
import type { Io } from './io.ts'

/** A program that a command runs. */
export type Child = {
  /** How it ended, in the words of the reference (`exit status 1`, `signal: terminated`); undefined for success. */
  readonly ended: Promise<string | undefined>
  /** Asks it to end, and after a while makes it. */
  stop(): void
}
export type ChildOptions = {
  /** A line for the shell, or the program and its arguments. */
  command: string | readonly string[]
  shell: string
  /** What it reads: this process's standard input, or exactly this text, or nothing. */
  stdin: 'inherit' | 'nothing' | { readonly text: string }
  env: Readonly<Record<string, string | undefined>>
}

/** The shell for a line of commands. */
export function shellOf({ env }: Pick<Io, 'env'>): string {
  return env['SHELL'] || '/bin/sh'
}

const KILL_AFTER_MS = 5_000
const SIGNALS: Readonly<Record<string, string>> = { SIGTERM: 'terminated', SIGKILL: 'killed', SIGINT: 'interrupt', SIGHUP: 'hangup' }

/** Its output is this process's. What it starts ends with it, unless it reads the terminal and so belongs to this process's group. */
export function startChild({ command, shell, stdin, env }: ChildOptions): Child {
  const [program = '', ...args] = typeof command === 'string' ? [shell, '-c', command] : command
  const ownGroup = stdin !== 'inherit'
  const from = stdin === 'inherit' ? 'inherit' : stdin === 'nothing' ? 'ignore' : 'pipe'
  const child = spawn(program, args, { env, stdio: [from, 'inherit', 'inherit'], detached: ownGroup })
  let timer: NodeJS.Timeout | undefined
  const ended = new Promise<string | undefined>((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('exit', (code, signal) => {
      clearTimeout(timer)
      resolve(signal ? `signal: ${SIGNALS[signal] ?? signal}` : code === 0 ? undefined : `exit status ${code}`)
    })
  })
  if (typeof stdin === 'object') feed(child, stdin.text)
  return {
    ended,
    stop() {
      send(child, 'SIGTERM', ownGroup)
      timer ??= setTimeout(() => send(child, 'SIGKILL', ownGroup), KILL_AFTER_MS)
    },
  }
}

/** It need not read all of it. */
function feed(child: ChildProcess, text: string): void {
  child.stdin?.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'ECONNRESET') throw error
  })
  child.stdin?.end(text)
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
