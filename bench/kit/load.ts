import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type Served, spentMicroseconds } from './cost.ts'
import type { Stage } from './stage.ts'
import { pathOf, type Tool } from './tools.ts'

/** How long a load lasts: first unmeasured, then measured. */
const WARM_SECONDS = 1
const SECONDS = 4

export type WrkOptions = {
  url: string
  served: Served
  connections: number
  headers?: readonly string[]
  /** Lua that makes each request, as wrk wants it. `number` is the thread's and unique to it. */
  script?: string
}
/** `medianMs` is the latency that half of all requests stay below. */
export type Load = { perSecond: number; note: string }
export type RequestLoad = Load & { medianMs: number }

/** Requests per second by wrk, on one thread of its own, after warming up. Failed requests are an error. */
export async function wrk(stage: Stage, { url, served, connections, headers = [], script }: WrkOptions): Promise<RequestLoad> {
  const measure = async (seconds: number, run: number) => {
    const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '--latency']
    for (const header of headers) args.push('-H', header)
    if (script !== undefined) {
      const file = join(stage.directory, `wrk-${run}.lua`)
      writeFileSync(file, `local run = ${run}\n${script}`)
      args.push('-s', file)
    }
    return output(stage, 'wrk', [...args, url])
  }
  await measure(WARM_SECONDS, 1)
  const before = spentMicroseconds(served)
  const report = await measure(SECONDS, 2)
  const spent = spentMicroseconds(served) - before
  const perSecond = Number(/Requests\/sec: +([\d.]+)/.exec(report)?.[1])
  if (!(perSecond > 0)) throw new Error(`wrk measured nothing at ${url}:\n${report}`)
  const wrong = /Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)/.exec(report)
  if (wrong?.[1]) throw new Error(`${wrong[1]} answers from ${url} were not 2xx`)
  const requests = Number(/(\d+) requests in/.exec(report)?.[1])
  const p99 = /99% +(\S+)/.exec(report)?.[1] ?? '?'
  const cost = `${(spent / requests).toFixed(0)} µs of processor time each`
  const medianMs = millisecondsIn(/50% +(\S+)/.exec(report)?.[1] ?? '')
  return { perSecond, medianMs, note: `${connections} connections, 99 % within ${p99}, ${cost}${wrong?.[2] ? `; ${wrong[2]}` : ''}` }
}

/** '74.00us' → 0.074; '1.20ms' → 1.2; '1.02s' → 1020. */
function millisecondsIn(text: string): number {
  const [, number, unit = ''] = /^([\d.]+)(us|ms|s)$/.exec(text) ?? []
  return Number(number) * ({ us: 0.001, ms: 1, s: 1_000 }[unit] ?? Number.NaN)
}

/** Answers per second by dnsperf for one question. */
export async function dnsperf(stage: Stage, served: Served, port: number, question: string): Promise<Load> {
  const file = join(stage.directory, 'questions')
  writeFileSync(file, `${question}\n`)
  const ask = (seconds: number) =>
    output(stage, 'dnsperf', ['-s', '127.0.0.1', '-p', String(port), '-d', file, '-l', String(seconds), '-c', '16', '-q', '64'])
  await ask(WARM_SECONDS)
  const before = spentMicroseconds(served)
  const report = await ask(SECONDS)
  const spent = spentMicroseconds(served) - before
  const perSecond = Number(/Queries per second: +([\d.]+)/.exec(report)?.[1])
  if (!(perSecond > 0)) throw new Error(`dnsperf measured nothing:\n${report}`)
  const codes = /Response codes: +(.*)/.exec(report)?.[1] ?? ''
  if (!codes.startsWith('NOERROR') || codes.includes(',')) throw new Error(`dnsperf was answered ${codes}`)
  const lost = /Queries lost: +(\d+ \([\d.]+%\))/.exec(report)?.[1] ?? '?'
  const answers = Number(/Queries completed: +(\d+)/.exec(report)?.[1])
  const cost = `${(spent / answers).toFixed(0)} µs of processor time each`
  return { perSecond, note: `16 sockets, 64 questions under way, ${cost}; lost ${lost}` }
}

/** Bytes per second of an endless answer, read by curl. */
export async function download(stage: Stage, served: Served, url: string): Promise<Load> {
  const before = spentMicroseconds(served)
  const report = await output(stage, 'curl', ['-s', '-o', '/dev/null', '-m', String(SECONDS), '-w', '%{size_download} %{time_total}', url])
  const [bytes = 0, seconds = 1] = report.split(' ').map(Number)
  if (!(bytes > 0)) throw new Error(`curl got nothing from ${url}: ${report}`)
  const secondsEach = (spentMicroseconds(served) - before) / 1e6 / (bytes / 1e9)
  return { perSecond: bytes / seconds, note: `${secondsEach.toFixed(1)} s of processor time for a GB` }
}

/** What a tool printed. Its exit code says nothing that the text does not. */
async function output(stage: Stage, tool: Tool, args: readonly string[]): Promise<string> {
  const child = stage.start(pathOf(tool) ?? tool, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  if (!child.stdout || !child.stderr) throw new Error(`${tool} has no output`)
  const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr)])
  return `${out}${errors}`
}
