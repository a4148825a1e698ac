import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import type { LogLevel } from '../kernel/ports.ts'
import { type Result, refuse } from '../kernel/refusal.ts'
import { ask } from './control.ts'

/** One process of HAProxy. Its end is told once. */
export type Generation = {
  readonly control: string
  readonly pid: number
  /** How it ended, in a few words. */
  readonly ended: Promise<string>
  kill(): void
}

export type StartOptions = {
  binary: string
  configuration: string
  control: string
  environment: Record<string, string>
  /** It gives its listeners to the new one. */
  before: Generation | undefined
  print(level: LogLevel, line: string): void
  /** A line of its log, which is printed too. */
  logged(line: string): void
}

const READY_WITHIN_MS = 10_000
const LOOK_EVERY_MS = 20
const LINES_KEPT = 20

/** Starts HAProxy; resolves once it answers. Refused with what it said if it does not run. */
export async function startGeneration({
  binary,
  configuration,
  control,
  environment,
  before,
  print,
  logged,
}: StartOptions): Promise<Result<Generation>> {
  const handover = before ? ['-x', before.control] : []
  const child = spawn(binary, ['-db', '-f', configuration, ...handover], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said: string[] = []
  const ended = endOf(child)
  listen(child, (line, kind) => {
    said.push(line)
    if (said.length > LINES_KEPT) said.shift()
    print(kind === 'problem' ? 'warn' : 'info', line)
    if (kind === 'log') logged(line)
  })
  let end: string | undefined
  const noted = ended.then((why) => {
    end = why
  })
  for (const limitMs = performance.now() + READY_WITHIN_MS; performance.now() < limitMs && end === undefined; ) {
    const answer = await ask(control, 'show info')
    if (typeof answer === 'string' && answer.includes(`Pid: ${child.pid}`)) {
      return { control, pid: child.pid ?? 0, ended, kill: () => void child.kill('SIGKILL') }
    }
    await Promise.race([pause(LOOK_EVERY_MS), noted])
  }
  child.kill('SIGKILL')
  const last = said.findLast((line) => line.startsWith('[ALERT]')) ?? said.at(-1)
  return refuse(
    'invalid',
    `${binary} does not run: ${end ?? `no answer within ${READY_WITHIN_MS} ms`}${last === undefined ? '' : ` (${last})`}`,
  )
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('exit', (code, signal) => resolve(signal ? `ended by ${signal}` : `exit code ${code}`))
  })
}

/** Whole lines. HAProxy writes its log to standard output, and notices about itself to standard error, some of them to both. */
function listen({ stdout, stderr }: ChildProcess, take: (line: string, kind: 'log' | 'notice' | 'problem') => void): void {
  if (stdout) createInterface({ input: stdout }).on('line', (line) => take(line, 'log'))
  if (stderr) createInterface({ input: stderr }).on('line', (line) => take(line, /^\[(ALERT|WARNING)\]/.test(line) ? 'problem' : 'notice'))
}
