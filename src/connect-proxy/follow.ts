import type { IncomingHttpHeaders } from 'node:http'
import { type HttpClient, type HttpParams, parseJson } from '../cli/http.ts'
import { isRefused, type Refusal } from '../kernel/refusal.ts'

export type Following = {
  http: HttpClient
  signal: AbortSignal
  /** Called when a question could not be answered, once for each time in a row that it failed in the same way. */
  failed(path: string, refusal: Refusal): void
}

/** What marks the state of an answer: the index, or for an agent's own services the hash of their content. */
export type Mark = 'index' | 'hash'

const WAIT = '5m'
const RETRY_MS_MIN = 500
const RETRY_MS_MAX = 15_000
/** The pause when an agent answers at once although nothing is new. */
const UNMARKED_MS = 5_000

/**
 * Asks the agent again and again, so that `take` gets each new answer soon after it is one. Resolves when the signal ends it.
 * `take` may throw for an answer of another shape: that is a failure like any other.
 */
export async function follow<Body>(
  { http, signal, failed }: Following,
  path: string,
  params: HttpParams,
  take: (body: Body, index: number, headers: IncomingHttpHeaders) => void,
  mark: Mark = 'index',
): Promise<void> {
  let seen = ''
  let failures = 0
  let lastWhy = ''
  const fail = async (refusal: Refusal) => {
    seen = ''
    if (signal.aborted) return
    if (refusal.why !== lastWhy) failed(path, refusal)
    lastWhy = refusal.why
    await pause(Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** failures++), signal)
  }
  while (!signal.aborted) {
    const waiting = seen === '' ? {} : { [mark]: seen, wait: WAIT }
    const reply = await http.request('GET', path, { params: { ...params, ...waiting }, signal })
    if (isRefused(reply)) {
      await fail(reply)
      continue
    }
    const body = parseJson<Body>(reply.body.toString('utf8'), path)
    if (isRefused(body)) {
      await fail(body)
      continue
    }
    const next = markOf(reply.headers, mark)
    try {
      take(body.value, Number(reply.headers['x-consul-index'] ?? 0), reply.headers)
    } catch (error) {
      await fail({
        refused: 'invalid',
        why: `${path} answered in an unknown shape: ${error instanceof Error ? error.message : String(error)}`,
      })
      continue
    }
    failures = 0
    lastWhy = ''
    if (next === '') await pause(UNMARKED_MS, signal)
    // An index that went back is of another history.
    seen = mark === 'index' && Number(next) < Number(seen) ? '' : next
  }
}

/** Resolves after so many milliseconds, or as soon as the signal ends it. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', finish)
      resolve()
    }
    const timer = setTimeout(finish, ms)
    signal.addEventListener('abort', finish)
  })
}

function markOf(headers: IncomingHttpHeaders, mark: Mark): string {
  const value = headers[mark === 'index' ? 'x-consul-index' : 'x-consul-contenthash']
  return typeof value === 'string' && value !== '0' ? value : ''
}
