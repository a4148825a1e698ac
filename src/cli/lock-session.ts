import { isRefused, type Result, refuse } from '../kernel/refusal.ts'
import { type HttpClient, parseJson } from './http.ts'

/** A session with the cluster that is renewed until it is closed. */
export type KeptSession = {
  readonly id: string
  /** Aborted, with the reason as a text, as soon as the session has ended or may have: locks do not count from then on. */
  readonly lost: AbortSignal
  close(): Promise<void>
}

/** The cluster waits twice as long before it ends a session that is not renewed, so this side is the first to know. */
export const SESSION_TTL_MS = 15_000
const RENEW_EVERY_MS = SESSION_TTL_MS / 2
const RETRY_MS = 1_000

export async function keepSession(http: HttpClient, name: string): Promise<Result<KeptSession>> {
  const reply = await http.request('PUT', '/v1/session/create', { body: { Name: name, TTL: `${SESSION_TTL_MS / 1_000}s` } })
  const created = isRefused(reply) ? reply : parseJson<{ ID: string }>(reply.body.toString('utf8'), '/v1/session/create')
  if (isRefused(created)) return created
  const id = created.value.ID
  const closing = new AbortController()
  const losing = new AbortController()
  const renewing = renew(http, id, closing.signal, (why) => losing.abort(why))
  return {
    id,
    lost: losing.signal,
    async close() {
      closing.abort()
      await renewing
      await http.request('PUT', `/v1/session/destroy/${id}`)
    },
  }
}

/** Renews until `closing`, or until the session may have ended. */
async function renew(http: HttpClient, id: string, closing: AbortSignal, lose: (why: string) => void): Promise<void> {
  let renewedMs = performance.now()
  for (let waitMs = RENEW_EVERY_MS; ; ) {
    await pause(waitMs, closing)
    if (closing.aborted) return
    const askedMs = performance.now()
    const signal = AbortSignal.any([closing, AbortSignal.timeout(RENEW_EVERY_MS)])
    const reply = await http.request('PUT', `/v1/session/renew/${id}`, { also: [404], signal })
    if (closing.aborted) return
    if (!isRefused(reply) && reply.status === 404) return lose('the session has ended')
    waitMs = isRefused(reply) ? RETRY_MS : RENEW_EVERY_MS
    if (!isRefused(reply)) renewedMs = askedMs
    else if (performance.now() + RETRY_MS - renewedMs > SESSION_TTL_MS) return lose(`the session could not be renewed: ${reply.why}`)
  }
}

/** One entry of the key/value store, as far as locks need it. */
export type LockEntry = { Key: string; Flags: number; Value: string | null; Session?: string; LockIndex: number; ModifyIndex: number }

/** The entries at a key, or below it with `recurse`, once they are newer than `index`, or after `waitMs`. */
export async function lockEntries(
  http: HttpClient,
  key: string,
  { recurse = false, index = 0, waitMs = 0, signal }: { recurse?: boolean; index?: number; waitMs?: number; signal?: AbortSignal },
): Promise<Result<{ index: number; entries: LockEntry[] }>> {
  const wait = index > 0 ? { index: String(index), wait: `${Math.max(1, Math.round(waitMs))}ms` } : {}
  const params = { consistent: '', ...(recurse && { recurse: '' }), ...wait }
  const reply = await http.request('GET', `/v1/kv/${key}`, { params, also: [404], ...(signal && { signal }) })
  if (isRefused(reply)) return reply
  const found = Number(reply.headers['x-consul-index'] ?? 0)
  if (reply.status === 404) return { index: found, entries: [] }
  const read = parseJson<LockEntry[]>(reply.body.toString('utf8'), `/v1/kv/${key}`)
  return isRefused(read) ? read : { index: found, entries: read.value }
}

/** Changes a key on a condition, and answers whether that held. */
export async function changeKey(
  http: HttpClient,
  method: 'PUT' | 'DELETE',
  key: string,
  params: Readonly<Record<string, string>>,
  body = '',
): Promise<Result<{ done: boolean }>> {
  const reply = await http.request(method, `/v1/kv/${key}`, { params, body })
  if (isRefused(reply)) return refuse(reply.refused, reply.why)
  return { done: reply.body.toString('utf8').trim() === 'true' }
}

/** Waits that long, or until the signal comes. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const over = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', over)
      resolve()
    }
    const timer = setTimeout(over, ms)
    signal.addEventListener('abort', over)
  })
}
