import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'

/** A program that runs for a test, and not longer than it. */
export type Running = {
  readonly pid: number
  /** Everything it has written, both streams in the order of arrival. */
  said(): string
  /** How much it has written so far; `line` can begin there. */
  mark(): number
  /** The first line that matches, written already or yet to come. Fails when the program ends without it, or too late. */
  line(pattern: RegExp, options?: { after?: number; withinMs?: number }): Promise<string>
  signal(name: NodeJS.Signals): void
  readonly ended: Promise<Ended>
  /** Sends the signal and waits for the end. */
  stop(name?: NodeJS.Signals): Promise<Ended>
}
export type Ended = { code: number | null; signal: NodeJS.Signals | null; out: string; err: string }

export const WITHIN_MS = 30_000
const POLL_MS = 25
const all = new Set<ChildProcess>()

process.on('exit', () => {
  for (const child of all) child.kill('SIGKILL')
})

/** Starts a program. When the test ends it is killed, and if the test failed, what it had written is shown. */
export function startProgram(
  t: ExecutionContext,
  name: string,
  file: string,
  args: readonly string[],
  options: SpawnOptions = {},
): Running {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
  all.add(child)
  const written = { out: '', err: '' }
  let said = ''
  const looking = new Set<() => void>()
  for (const [stream, kind] of [
    [child.stdout, 'out'],
    [child.stderr, 'err'],
  ] as const) {
    // biome-ignore format: one line
    stream?.setEncoding('utf8').on('data', (text: string) => {
      written[kind] += text
      said += text
      for (const look of looking) look()
    })
  }
  let hasEnded = false
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      hasEnded = true
      all.delete(child)
      resolve({ code, signal, ...written })
      for (const look of looking) look()
    })
  })
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill(signal)
    return ended
  }
  t.teardown(async () => {
    if (!hasEnded) await stop('SIGKILL')
    if (!t.passed) t.log(`--- ${name} ${args.join(' ')}\n${said}`)
  })
  return {
    pid: child.pid ?? 0,
    said: () => said,
    mark: () => said.length,
    line(pattern, { after = 0, withinMs = WITHIN_MS } = {}) {
      return new Promise((resolve, reject) => {
        const finish = (line: string | undefined, why: string) => {
          clearTimeout(deadline)
          looking.delete(look)
          if (line === undefined) reject(new Error(`${name} ${why} without writing ${pattern}`))
          else resolve(line)
        }
        const look = () => {
          const complete = said.slice(after, hasEnded ? undefined : said.lastIndexOf('\n') + 1)
          const line = complete.split('\n').find((one) => pattern.test(one))
          if (line !== undefined || hasEnded) finish(line, 'ended')
        }
        const deadline = setTimeout(() => finish(undefined, `ran for ${withinMs} ms`), withinMs)
        looking.add(look)
        look()
      })
    },
    signal: (wanted) => void child.kill(wanted),
    ended,
    stop,
  }
}

/** Runs a program to its end. `stdin` is what it reads. */
export async function runProgram(
  t: ExecutionContext,
  file: string,
  args: readonly string[],
  { stdin = '', ...options }: Omit<SpawnOptions, 'stdio'> & { stdin?: string } = {},
): Promise<Ended> {
  const child = spawn(file, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] })
  all.add(child)
  t.teardown(() => child.kill('SIGKILL'))
  const written = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (written.out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (written.err += text))
  // A program that does not read what it is given is no failure of the test.
  child.stdin.on('error', (error: NodeJS.ErrnoException) => t.is(error.code, 'EPIPE'))
  child.stdin.end(stdin)
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  all.delete(child)
  return { code, signal, ...written }
}

/** Asks again and again until the answer is as wanted; an error counts as another answer. Fails with the last one. */
export async function until<Answer>(
  what: string,
  ask: () => Promise<Answer> | Answer,
  wanted: (answer: Answer) => boolean,
  withinMs = WITHIN_MS,
): Promise<Answer> {
  const deadlineMs = performance.now() + withinMs
  for (let last = ''; ; ) {
    try {
      const answer = await ask()
      if (wanted(answer)) return answer
      last = JSON.stringify(answer)
    } catch (error) {
      last = String(error)
    }
    if (performance.now() > deadlineMs) throw new Error(`${what}: not within ${withinMs} ms; last: ${last}`)
    await pause(POLL_MS)
  }
}
