import { formatDuration } from '../../src/config/durations.ts'
import type { Device, HealthStatus, ProbeOutcome, ProbeRequest, Random } from '../../src/kernel/ports.ts'
import { type Result, refuse } from '../../src/kernel/refusal.ts'
import { pick } from '../streams.ts'

/**
 * How something that is probed behaves. Only `refused` means that nothing is there; all others occupy their port.
 * `failing` takes connections and has an error to tell: HTTP 500, exit code 1. `slow` passes late, but in time. `hangs` says
 * nothing. `flaky` is drawn for each probe: passing half of the time, else failing or refused.
 */
export type SimAnswer = 'passing' | 'failing' | 'slow' | 'flaky' | 'hangs' | 'refused'

export const simAnswers: readonly SimAnswer[] = ['passing', 'failing', 'slow', 'flaky', 'hangs', 'refused']

export type SimProbesOptions = {
  /** Calls `work` once, `ms` from now in simulated time. */
  after(ms: number, work: () => void): unknown
  /** How long a probe that gets an answer takes, in ms. */
  drawAnswerMs(): number
  /** Chance for `slow` and `flaky`. */
  random: Random
  /** Answers by address: `host:port` for what is on the network and free ports, the program for scripts, the name for containers.
   * Unlisted ones are refused. It may be changed at any time; a probe sees what holds when it starts. */
  answers: ReadonlyMap<string, SimAnswer>
}

/** Probes of a scripted world, with the texts of the real ones. */
export function createSimProbes({ after, drawAnswerMs, random, answers }: SimProbesOptions): Device<ProbeRequest, ProbeOutcome> {
  return {
    perform(request, done) {
      if (request.kind === 'free-port') {
        const outcome = freePort(request, answers)
        after(drawAnswerMs(), () => done(outcome))
        return
      }
      const { address, timeoutMs, seen } = described(request)
      const answer = answers.get(address) ?? 'refused'
      const behaviour = answer === 'flaky' ? pick(random, FLAKY) : answer
      if (behaviour === 'slow') after(timeoutMs * (SLOW_FROM + random.next() * (SLOW_TO - SLOW_FROM)), () => done(seen.passing))
      else after(behaviour === 'hangs' ? timeoutMs : drawAnswerMs(), () => done(seen[behaviour]))
    },
  }
}

type Seen = Record<'passing' | 'failing' | 'hangs' | 'refused', ProbeOutcome>
type Described = { address: string; timeoutMs: number; seen: Seen }

const FLAKY = ['passing', 'passing', 'failing', 'refused'] as const
/** A slow answer comes between these parts of the time it may take. */
const SLOW_FROM = 0.3
const SLOW_TO = 0.95
const PROGRAM_TIMEOUT_MS = 30_000
const DIAL_TIMEOUT_MS = 10_000
const PORT_MAX = 65_535

function described(request: Exclude<ProbeRequest, { kind: 'free-port' }>): Described {
  if (request.kind === 'script') return describedScript(request)
  if (request.kind === 'docker') return describedContainer(request)
  const timeoutMs = request.timeoutMs || DIAL_TIMEOUT_MS
  if (request.kind === 'http') return describedHttp(request, timeoutMs)
  if (request.kind === 'grpc') return describedGrpc(request.target, timeoutMs)
  const { kind, address } = request
  if (kind === 'tcp') {
    const passing = told('passing', `TCP connect ${address}: Success`)
    const hangs = critical(`dial tcp ${address}: i/o timeout`)
    return { address, timeoutMs, seen: { passing, failing: passing, hangs, refused: critical(refusedText(address)) } }
  }
  const passing = told('passing', 'HTTP2 ping was successful')
  const undialled = (why: string) => critical(`Failed to dial to ${address}: ${why}`)
  const failing = undialled('tls: first record does not look like a TLS handshake')
  const hangs = undialled(`dial tcp ${address}: i/o timeout`)
  return { address, timeoutMs, seen: { passing, failing, hangs, refused: undialled(refusedText(address)) } }
}

function describedScript(request: Extract<ProbeRequest, { kind: 'script' }>): Described {
  const address = request.args[0] ?? ''
  const timeoutMs = request.timeoutMs || PROGRAM_TIMEOUT_MS
  const hangs = critical(`Timed out (${formatDuration(timeoutMs)}) running check`)
  const refused = critical(
    address.includes('/')
      ? `fork/exec ${address}: no such file or directory`
      : `exec: ${JSON.stringify(address)}: executable file not found in $PATH`,
  )
  return { address, timeoutMs, seen: { passing: told('passing', ''), failing: told('warning', ''), hangs, refused } }
}

function describedContainer(request: Extract<ProbeRequest, { kind: 'docker' }>): Described {
  const { container: address } = request
  const timeoutMs = request.timeoutMs || PROGRAM_TIMEOUT_MS
  const hangs = critical(`Timed out (${formatDuration(timeoutMs)}) running check`)
  const refused = critical(`create exec failed for unknown container ${address}`)
  return { address, timeoutMs, seen: { passing: told('passing', ''), failing: told('warning', ''), hangs, refused } }
}

function describedGrpc(target: string, timeoutMs: number): Described {
  const [address = ''] = target.split('/')
  const passing = told('passing', `gRPC check ${target}: success`)
  const failing = critical(`gRPC ${target} serving status: NOT_SERVING`)
  const hangs = critical('rpc error: code = DeadlineExceeded desc = context deadline exceeded')
  const why = JSON.stringify(`transport: Error while dialing ${refusedText(address)}`)
  const refused = critical(
    `rpc error: code = Unavailable desc = all SubConns are in TransientFailure, latest connection error: connection error: desc = ${why}`,
  )
  return { address, timeoutMs, seen: { passing, failing, hangs, refused } }
}

function describedHttp({ url, method }: Extract<ProbeRequest, { kind: 'http' }>, timeoutMs: number): Described {
  const address = addressOf(url)
  const asked = `HTTP ${method || 'GET'} ${url}:`
  const failed = `${method === '' ? 'Get' : method.slice(0, 1) + method.slice(1).toLowerCase()} ${JSON.stringify(url)}:`
  return {
    address,
    timeoutMs,
    seen: {
      passing: told('passing', `${asked} 200 OK Output: `),
      failing: critical(`${asked} 500 Internal Server Error Output: `),
      hangs: critical(`${failed} context deadline exceeded (Client.Timeout exceeded while awaiting headers)`),
      refused: critical(`${failed} ${refusedText(address)}`),
    },
  }
}

function freePort(
  { address, from, to, taken }: Extract<ProbeRequest, { kind: 'free-port' }>,
  answers: ReadonlyMap<string, SimAnswer>,
): Result<ProbeOutcome> {
  const isRange = Number.isInteger(from) && Number.isInteger(to) && from >= 1 && from <= to && to <= PORT_MAX
  if (!isRange) return refuse('invalid', `ports ${from} to ${to}: must be a range within 1 to ${PORT_MAX}`)
  for (let port = from; port <= to; port += 1) {
    const isFree = (answers.get(`${address}:${port}`) ?? 'refused') === 'refused'
    if (isFree && !taken.includes(port)) return told('passing', `${address}:${port} is free`, port)
  }
  return refuse('conflict', `no free port on ${address} from ${from} to ${to}`)
}

/** `host:port` of a URL; the URL itself if it has none. */
export function addressOf(url: string): string {
  const parts = /^(https?):\/\/(\[[^\]]*\]|[^/?#:]+)(?::(\d+))?/.exec(url)
  return parts ? `${parts[2]}:${parts[3] ?? (parts[1] === 'https' ? 443 : 80)}` : url
}

function refusedText(address: string): string {
  return `dial tcp ${address}: connect: connection refused`
}

function critical(output: string): ProbeOutcome {
  return told('critical', output)
}

function told(status: HealthStatus, output: string, port?: number): ProbeOutcome {
  return { status, output, ...(port !== undefined && { port }) }
}
