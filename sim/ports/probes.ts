import { formatDuration } from '../../src/config/durations.ts'
import type { Device, ProbeOutcome, ProbeRequest } from '../../src/kernel/ports.ts'
import { type Result, refuse } from '../../src/kernel/refusal.ts'

/** How something that is probed behaves. `passing` and `hangs` occupy their port, `refused` means that nothing is there. */
export type SimAnswer = 'passing' | 'refused' | 'hangs'

export type SimProbesOptions = {
  /** Calls `work` once, `ms` from now in simulated time. */
  after(ms: number, work: () => void): unknown
  /** How long a probe that gets an answer takes, in ms. */
  drawAnswerMs(): number
  /** Answers by address: `host:port` for tcp, http and free ports, the program for scripts. Unlisted ones are refused. It may
   * be changed at any time; a probe sees what holds when it starts. */
  answers: ReadonlyMap<string, SimAnswer>
}

/** Probes of a scripted world, with the texts of the real ones. */
export function createSimProbes({ after, drawAnswerMs, answers }: SimProbesOptions): Device<ProbeRequest, ProbeOutcome> {
  return {
    perform(request, done) {
      if (request.kind === 'free-port') {
        const outcome = freePort(request, answers)
        after(drawAnswerMs(), () => done(outcome))
        return
      }
      const { address, texts, timeoutMs } = described(request)
      const answer = answers.get(address) ?? 'refused'
      const output = texts[answer]
      if (answer === 'hangs') after(timeoutMs, () => done({ status: 'critical', output }))
      else after(drawAnswerMs(), () => done({ status: answer === 'passing' ? 'passing' : 'critical', output }))
    },
  }
}

type Described = { address: string; timeoutMs: number; texts: Record<SimAnswer, string> }

const SCRIPT_TIMEOUT_MS = 30_000
const DIAL_TIMEOUT_MS = 10_000
const PORT_MAX = 65_535

function described(request: Exclude<ProbeRequest, { kind: 'free-port' }>): Described {
  if (request.kind === 'script') {
    const address = request.args[0] ?? ''
    const timeoutMs = request.timeoutMs || SCRIPT_TIMEOUT_MS
    const refused = `exec: ${JSON.stringify(address)}: executable file not found in $PATH`
    return { address, timeoutMs, texts: { passing: '', refused, hangs: `Timed out (${formatDuration(timeoutMs)}) running check` } }
  }
  const timeoutMs = request.timeoutMs || DIAL_TIMEOUT_MS
  if (request.kind === 'tcp') {
    const { address } = request
    return {
      address,
      timeoutMs,
      texts: { passing: `TCP connect ${address}: Success`, refused: refusedText(address), hangs: `dial tcp ${address}: i/o timeout` },
    }
  }
  const { url, method } = request
  const address = addressOf(url)
  const failed = `${method === '' ? 'Get' : method.slice(0, 1) + method.slice(1).toLowerCase()} ${JSON.stringify(url)}`
  const passing = `HTTP ${method || 'GET'} ${url}: 200 OK Output: `
  const hangs = `${failed}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)`
  return { address, timeoutMs, texts: { passing, refused: `${failed}: ${refusedText(address)}`, hangs } }
}

function freePort(
  { address, from, to, taken }: Extract<ProbeRequest, { kind: 'free-port' }>,
  answers: ReadonlyMap<string, SimAnswer>,
): Result<ProbeOutcome> {
  const isRange = Number.isInteger(from) && Number.isInteger(to) && from >= 1 && from <= to && to <= PORT_MAX
  if (!isRange) return refuse('invalid', `ports ${from} to ${to}: must be a range within 1 to ${PORT_MAX}`)
  for (let port = from; port <= to; port += 1) {
    const isFree = (answers.get(`${address}:${port}`) ?? 'refused') === 'refused'
    if (isFree && !taken.includes(port)) return { status: 'passing', output: `${address}:${port} is free`, port }
  }
  return refuse('conflict', `no free port on ${address} from ${from} to ${to}`)
}

/** `host:port` of a URL; the URL itself if it has none. */
function addressOf(url: string): string {
  const parts = /^(https?):\/\/([^/?#:]+)(?::(\d+))?/.exec(url)
  return parts ? `${parts[2]}:${parts[3] ?? (parts[1] === 'https' ? 443 : 80)}` : url
}

function refusedText(address: string): string {
  return `dial tcp ${address}: connect: connection refused`
}
