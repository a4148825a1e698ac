import { type ChildProcess, spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Clock, LogLevel, Ports } from '../../src/kernel/ports.ts'

export type ChildOptions = {
  /** The program and its arguments. */
  command: readonly string[]
  /** The folder it is started in. */
  directory: string
  /** Where it listens for this agent: what an earlier one left there is removed. */
  socket: string
  clock: Pick<Clock, 'after' | 'monotonicMs'>
  print: Ports['print']
  /** It ended by itself. `isOut`: it cannot be a member any more, and is not started again. */
  ended(why: string, isOut: boolean): void
}

export type RunningChild = {
  /** Asks it to end, and after a while makes it. Resolves once it has. */
  stop(): Promise<void>
}

const PAUSE_MS_MIN = 500
const PAUSE_MS_MAX = 30_000
/** Whoever ran for this long begins with the shortest pause again. */
const WELL_AFTER_MS = 60_000
const KILL_AFTER_MS = 5_000
/** The same line of etcd is of interest once in this time. */
const AGAIN_AFTER_MS = 60_000
const REMEMBERED_MAX = 200

/**
 * Runs etcd until it is stopped, and again when it ends. It never outlives this process: its shell waits for the end of a pipe that only
 * this process holds open.
 */
export function runChild({ command, directory, socket, clock, print, ended }: ChildOptions): RunningChild {
  const toldAtMs = new Map<string, number>()
  let failures = 0
  let child: ChildProcess | undefined
  let hasStopped = false
  let cancel: () => void = () => undefined
  let closed: Promise<void> = Promise.resolve()

  function start(): void {
    const began = clock.monotonicMs()
    rmSync(socket, { force: true })
    const own = spawn('/bin/sh', ['-c', SHELL, 'etcd', ...command], {
      cwd: directory,
      stdio: ['pipe', 'ignore', 'pipe'],
      env: withoutSettings(process.env),
      detached: true,
    })
    child = own
    let isOut = false
    let last = ''
    // The other end may be gone already; its end is told by `close`.
    own.stdin?.on('error', () => undefined)
    if (own.stderr) {
      createInterface({ input: own.stderr }).on('line', (line) => {
        const told = readLine(line)
        if (REMOVED.test(line)) isOut = true
        if (told.level !== 'debug') last = told.line
        say(told)
      })
    }
    closed = new Promise((resolve) => {
      own.once('error', (error) => {
        finish(error.message)
        resolve()
      })
      own.once('close', (code, signal) => {
        finish(`${signal ? `signal ${signal}` : `exit code ${code}`}${last === '' ? '' : `: ${last}`}`)
        resolve()
      })
    })
    let isFinished = false
    function finish(why: string): void {
      if (isFinished) return
      isFinished = true
      child = undefined
      if (hasStopped) return
      if (clock.monotonicMs() - began >= WELL_AFTER_MS) failures = 0
      const waitMs = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** failures++)
      if (isOut) hasStopped = true
      else cancel = clock.after(waitMs, start)
      print('warn', 'etcd', isOut ? 'etcd ended: this server is no member any more' : 'etcd ended and is started again', {
        why,
        ...(!isOut && { again_in_ms: waitMs }),
      })
      ended(why, isOut)
    }
  }

  function say({ level, line, facts }: Told): void {
    const nowMs = clock.monotonicMs()
    const before = toldAtMs.get(line)
    if (toldAtMs.size > REMEMBERED_MAX) toldAtMs.clear()
    const isNew = before === undefined || nowMs - before >= AGAIN_AFTER_MS
    if (isNew) toldAtMs.set(line, nowMs)
    print(isNew ? level : 'debug', 'etcd', line, facts)
  }

  start()
  return {
    async stop() {
      hasStopped = true
      cancel()
      const own = child
      if (own?.pid === undefined) return
      const { pid } = own
      own.stdin?.end()
      const tooLong = clock.after(KILL_AFTER_MS, () => {
        if (child === own) process.kill(-pid, 'SIGKILL')
      })
      await closed
      tooLong()
    },
  }
}

/** etcd runs beside a reader of the pipe; whichever ends first ends the other. */
const SHELL = `exec 3<&0
"$@" 3<&- </dev/null &
child=$!
{ cat <&3 >/dev/null; kill -TERM $child; } 2>/dev/null &
wait $child
code=$?
exec 3<&-
kill -KILL $! 2>/dev/null
exit $code`

const REMOVED = /member has been permanently removed from the cluster/

/** What of etcd's settings is in the environment would change what it is told here. */
function withoutSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('ETCD_')))
}

type Told = { level: LogLevel; line: string; facts: Record<string, unknown> }

/** etcd writes JSON, one object a line; what it says as a matter of course is of interest to few. */
function readLine(line: string): Told {
  try {
    const { level, msg, ts: _ts, caller: _caller, ...facts } = JSON.parse(line) as Record<string, unknown>
    return { level: LEVELS[String(level)] ?? 'warn', line: String(msg), facts }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return { level: 'debug', line, facts: {} }
  }
}

const LEVELS: Readonly<Record<string, LogLevel>> = { debug: 'trace', info: 'debug', warn: 'info', error: 'warn' }
