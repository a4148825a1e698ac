import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { formatDuration } from '../../src/config/durations.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import { critical, type Probe } from './probe.ts'
import { killGroup, startText } from './program-group.ts'
import { outputText, statusOfExit } from './program-output.ts'
import { Tail } from './tail.ts'

/**
 * Runs a program without a shell, in a process group of its own, with `env` added to this process's environment. Exit code 0 is
 * passing, 1 warning, everything else critical. The output is what it wrote to both its outputs, or the end of that.
 * Once the time is over the whole group is killed; children that left the group are no longer listened to.
 */
export const scriptProbe: Probe<'script'> = ({ args, timeoutMs, outputMax, env, input }, done) => {
  const [program, ...rest] = args
  if (program === undefined || program === '') return done(refuse('invalid', 'args: must name a program to run'))
  if (args.some((arg) => arg.includes('\0'))) return done(refuse('invalid', 'args: must not have NUL characters'))
  const tail = new Tail(outputMax)
  const child = started(program, rest, env, input)
  if (typeof child === 'string') return done(critical(child))
  running.add(child)
  if (input !== undefined) tell(child, input)
  const limitMs = timeoutMs > 0 ? timeoutMs : TIMEOUT_MS_DEFAULT
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    killGroup(child)
    child.stdout.destroy()
    child.stderr.destroy()
  }, limitMs)
  child.stdout.on('data', (chunk: Buffer) => tail.add(chunk))
  child.stderr.on('data', (chunk: Buffer) => tail.add(chunk))
  child.on('error', (error: NodeJS.ErrnoException) => {
    if (child.pid !== undefined) return
    clearTimeout(timer)
    done(critical(startText(program, error)))
  })
  child.on('close', (code) => {
    running.delete(child)
    clearTimeout(timer)
    if (child.pid === undefined) return
    const output = outputText(tail, outputMax)
    if (!isLate) return done({ status: statusOfExit(code), output })
    done(critical(`Timed out (${formatDuration(limitMs)}) running check${output === '' ? '' : `\n\n${output}`}`))
  })
}

const TIMEOUT_MS_DEFAULT = 30_000

/** No program outlives the process that waits for it. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) killGroup(child)
})

type Started = ChildProcessByStdio<Writable | null, Readable, Readable>

/** The program, or why it could not be started. Most reasons come later, as its `error` event. */
function started(program: string, args: string[], env: Record<string, string>, input?: string): Started | string {
  try {
    const options = { detached: true, env: { ...process.env, ...env } }
    return input === undefined
      ? spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
      : spawn(program, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] })
  } catch (error) {
    return startText(program, error as NodeJS.ErrnoException)
  }
}

/** A program may end, or close its input, before it has read all of it. */
function tell({ stdin }: Started, input: string): void {
  stdin?.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'ECONNRESET') throw error
  })
  stdin?.end(input)
}
