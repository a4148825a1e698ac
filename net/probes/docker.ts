import { formatDuration } from '../../src/config/durations.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { callEngine, type Engine, type EngineReply, engineOf } from './docker-engine.ts'
import { critical, type Probe } from './probe.ts'
import { outputText, statusOfExit } from './program-output.ts'
import type { Tail } from './tail.ts'

/**
 * Runs a program in a running container: has Docker's engine create an `exec`, start it and tell its exit code. 0 is passing,
 * 1 warning, everything else critical; the output is the end of what it wrote. The engine is the one of `DOCKER_HOST`, without that
 * the one behind this machine's socket. Source: the API of Docker's engine.
 */
export const dockerProbe: Probe<'docker'> = ({ container, args, timeoutMs, outputMax }, done) => {
  const engine = engineOf(process.env.DOCKER_HOST || DOCKER_HOST_DEFAULT)
  if (isRefused(engine)) return done(critical(engine.why))
  const limitMs = timeoutMs > 0 ? timeoutMs : TIMEOUT_MS_DEFAULT
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), limitMs)
  runInside({ engine, container, args, outputMax, signal: late.signal })
    .then(({ exitCode, output }) => done({ status: statusOfExit(exitCode), output: outputText(output, outputMax) }))
    .catch((error: Error) => {
      done(critical(late.signal.aborted ? `Timed out (${formatDuration(limitMs)}) running check` : error.message))
    })
    .finally(() => clearTimeout(timer))
}

const TIMEOUT_MS_DEFAULT = 30_000
const DOCKER_HOST_DEFAULT = 'unix:///var/run/docker.sock'
/** Of an answer that is not the program's output, so much is kept. */
const REPLY_BYTES_MAX = 65_536

type Run = { engine: Engine; container: string; args: string[]; outputMax: number; signal: AbortSignal }

/** Throws Consul's words for what the engine does not do. */
async function runInside({ engine, container, args, outputMax, signal }: Run): Promise<{ exitCode: number; output: Tail }> {
  const wanted = { AttachStdin: false, AttachStdout: true, AttachStderr: true, Tty: false, Cmd: args }
  const path = `/containers/${encodeURIComponent(container)}/exec`
  const created = await callEngine(engine, { method: 'POST', path, body: wanted, bytesMax: REPLY_BYTES_MAX, signal })
  if (created.status === 404) throw new Error(`create exec failed for unknown container ${container}`)
  expect(created, { what: 'create exec', container, status: 201 })
  const { Id: execId } = fieldsOf(created, `create exec response for container ${container}`)

  const unknown = `failed for container ${container}: invalid exec id ${execId}`
  const startPath = `/exec/${execId}/start`
  const options = { Detach: false, Tty: true }
  const started = await callEngine(engine, { method: 'POST', path: startPath, body: options, bytesMax: outputMax, signal })
  if (started.status === 404) throw new Error(`start exec ${unknown}`)
  // Engines are known to hang up without an end once all has been said.
  expect(started.status === 200 ? { ...started, broken: undefined } : started, { what: 'start exec', container, status: 200 })

  const inspected = await callEngine(engine, { method: 'GET', path: `/exec/${execId}/json`, bytesMax: REPLY_BYTES_MAX, signal })
  if (inspected.status === 404) throw new Error(`inspect exec ${unknown}`)
  expect(inspected, { what: 'inspect exec', container, status: 200 })
  const { ExitCode: exitCode } = fieldsOf(inspected, `inspect exec response for container ${container}`)
  return { exitCode: typeof exitCode === 'number' ? exitCode : 0, output: started.body }
}

function expect({ status, body, broken }: EngineReply, wanted: { what: string; container: string; status: number }): void {
  const { what, container } = wanted
  if (broken !== undefined) throw new Error(`${what} failed for container ${container}: ${broken}`)
  if (status === wanted.status) return
  if (status === 409) throw new Error(`${what} failed since container ${container} is paused or stopped`)
  throw new Error(`${what} failed for container ${container} with status ${status}: ${body.text()}`)
}

function fieldsOf({ body }: EngineReply, what: string): Record<string, unknown> {
  try {
    return JSON.parse(body.text()) as Record<string, unknown>
  } catch (error) {
    throw new Error(`${what} cannot be parsed: ${(error as Error).message}`)
  }
}
