import { isRefused, type Refusal, type Result, refuse } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { shellOf, startChild } from './child.ts'
import type { FlagTable } from './command.ts'
import type { HttpClient } from './http.ts'
import type { Io } from './io.ts'
import { exclusiveLock, type LockKind, semaphore } from './lock-kinds.ts'
import { type KeptSession, keepSession, lockEntries, pause } from './lock-session.ts'

const lockFlags = {
  'child-exit-code': { kind: 'boolean', about: 'Exit with 2 if the child failed. Without it, a child that fails is only reported.' },
  'monitor-retry': {
    kind: 'int',
    about: 'How often looking after the lock may fail, once a second, before it counts as lost. The default is 3; 0 gives up at once.',
  },
  n: {
    kind: 'int',
    about: 'How many may hold the lock at the same time. The default is 1. All who share the lock must give the same number.',
  },
  name: { kind: 'string', about: 'Name of the session, for people.' },
  'pass-stdin': { kind: 'boolean', about: 'Give standard input to the child.' },
  shell: { kind: 'boolean', about: 'Run the child through a shell: the one in SHELL, or /bin/sh. The default is true.' },
  timeout: { kind: 'duration', about: 'Give up if the lock was not acquired within this time. The default is to wait for ever.' },
  try: { kind: 'duration', about: 'The same as -timeout. Deprecated.' },
  verbose: { kind: 'boolean', about: 'Say what is being done.' },
} as const satisfies FlagTable

/** How long one look at the lock waits for a change. */
const LOOK_MS = 15_000
const RETRY_MS = 1_000
const MONITOR_RETRIES = 3
const EXIT_CHILD_FAILED = 2

export const lockCommand = defineApiCommand({
  summary: 'Run a program while holding a lock',
  usage: 'lock [options] PREFIX CHILD...',
  about: `
Acquires a lock below a prefix of the key/value store, runs a program while it is held, and releases it when the program ends. If the lock is lost meanwhile, the program is stopped at once: with SIGTERM, and with SIGKILL 5 seconds later.

    $ tribune lock service/worker/leader ./worker.sh

With -n, as many may hold the lock at the same time:

    $ tribune lock -n=3 service/worker/pool ./worker.sh

The program finds in its environment:

    CONSUL_LOCK_HELD      "true"
    CONSUL_LOCK_FENCE     a number that is greater for each later holder; what the program writes to can refuse smaller ones
    CONSUL_LOCK_SESSION   ID of the session that holds the lock
`,
  answers: 'servers',
  flags: lockFlags,
  async run({ flags, rest, io, http, fail, misused }) {
    const [given = '', ...child] = rest
    const { n: limit = 1, 'monitor-retry': retries = MONITOR_RETRIES } = flags
    const timeoutMs = flags.timeout ?? flags.try
    if (rest.length < 2) return misused('Key prefix and child command must be specified')
    if (limit <= 0) return misused('Lock holder limit must be positive')
    if (timeoutMs !== undefined && timeoutMs < 0) return misused('Timeout must be positive')
    if (retries < 0) return misused("Number for 'monitor-retry' must be >= 0")
    const prefix = given.replace(/^\//, '').replace(/\/+$/, '')
    const say = (line: string) => flags.verbose && io.out(line)
    const session = await keepSession(http, flags.name ?? `Consul lock for '${child.join(' ')}' at '${prefix}'`)
    if (isRefused(session)) return fail(`Error querying Consul agent: ${session.why}`)
    try {
      const lock = limit === 1 ? exclusiveLock(http, prefix, session.id) : semaphore(http, prefix, session.id, limit)
      say('Attempting lock acquisition')
      const acquired = await acquire(http, lock, session, timeoutMs, io.signal)
      if (isRefused(acquired)) return fail(acquired.why)
      return await runLocked({ http, lock, session, retries, io, say, fail }, acquired.held, {
        command: flags.shell === false ? child : child.join(' '),
        passStdin: flags['pass-stdin'] ?? false,
        exitFailed: flags['child-exit-code'] ? EXIT_CHILD_FAILED : 0,
      })
    } finally {
      await session.close()
    }
  },
})

/** Waits for the lock: at most `timeoutMs`, if that is more than 0. */
async function acquire(
  http: HttpClient,
  lock: LockKind,
  session: KeptSession,
  timeoutMs: number | undefined,
  stopped: AbortSignal | undefined,
): Promise<Result<{ held: number }>> {
  const signal = AbortSignal.any([session.lost, ...(stopped ? [stopped] : [])])
  const untilMs = timeoutMs ? performance.now() + timeoutMs : Number.POSITIVE_INFINITY
  const failed = ({ why, refused }: Refusal) => refuse(refused, `Lock acquisition failed: ${why}`)
  const givenUp = refuse('late', 'Shutdown triggered or timeout during lock acquisition')
  const contending = await lock.contend()
  if (isRefused(contending)) return failed(contending)
  for (let index = 0; ; ) {
    if (session.lost.aborted) return refuse('gone', `Lock acquisition failed: ${session.lost.reason}`)
    if (signal.aborted) return givenUp
    const leftMs = untilMs - performance.now()
    const found = await lockEntries(http, lock.key, { recurse: lock.recurse, index, waitMs: Math.min(LOOK_MS, leftMs), signal })
    if (signal.aborted) continue
    if (isRefused(found)) return failed(found)
    const taken = await lock.take(found.entries)
    if (isRefused(taken)) return failed(taken)
    if (typeof taken === 'object') return taken
    if (performance.now() >= untilMs) return givenUp
    index = taken === 'busy' ? found.index : 0
    if (index === 0) await pause(Math.min(RETRY_MS, untilMs - performance.now()), signal)
  }
}

type Held = {
  http: HttpClient
  lock: LockKind
  session: KeptSession
  retries: number
  io: Io
  say(line: string): void
  fail(why: string): number
}
type Child = { command: string | readonly string[]; passStdin: boolean; exitFailed: number }

/** Runs the child while the lock is held, and releases the lock. Answers the exit code. */
async function runLocked(held: Held, fence: number, { command, passStdin, exitFailed }: Child): Promise<number> {
  const { lock, session, io, say, fail } = held
  const finishing = new AbortController()
  const losing = new AbortController()
  const monitoring = monitor(held, finishing.signal, (why) => losing.abort(why))
  const lost = AbortSignal.any([session.lost, losing.signal])
  const stopping = io.signal ? AbortSignal.any([lost, io.signal]) : lost
  say(`Starting handler '${typeof command === 'string' ? command : command.join(' ')}'`)
  const env = { ...io.env, CONSUL_LOCK_HELD: 'true', CONSUL_LOCK_FENCE: String(fence), CONSUL_LOCK_SESSION: session.id }
  const child = startChild({ command, shell: shellOf(io), stdin: passStdin ? 'inherit' : 'nothing', env })
  const stop = () => {
    say(lost.aborted ? 'Lock lost, killing child' : 'Shutdown triggered, killing child')
    child.stop()
  }
  if (stopping.aborted) stop()
  else stopping.addEventListener('abort', stop)
  const failure = await child.ended
  stopping.removeEventListener('abort', stop)
  finishing.abort()
  await monitoring
  if (lost.aborted) return fail(`Lock lost: ${lost.reason}`)
  const released = await lock.release()
  if (isRefused(released)) return fail(`Lock release failed: ${released.why}`)
  const cleaned = await lock.cleanUp()
  if (isRefused(cleaned)) return fail(`Lock cleanup failed: ${cleaned.why}`)
  if (failure === undefined) return 0
  io.err(`Error running handler: ${failure}`)
  return exitFailed
}

/** Looks after the lock until `finishing`, or until it is lost. */
async function monitor({ http, lock, retries }: Held, finishing: AbortSignal, lose: (why: string) => void): Promise<void> {
  for (let index = 0, failures = 0; ; ) {
    const found = await lockEntries(http, lock.key, { recurse: lock.recurse, index, waitMs: LOOK_MS, signal: finishing })
    if (finishing.aborted) return
    if (isRefused(found)) {
      if (++failures > retries) return lose(found.why)
      await pause(RETRY_MS, finishing)
      continue
    }
    if (!lock.holds(found.entries)) return lose('somebody else may hold it now')
    failures = 0
    index = found.index
    if (index === 0) await pause(RETRY_MS, finishing)
  }
}
