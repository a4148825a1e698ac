import type { Read } from './reads.ts'
import type { Query, Reply, Transport } from './transport.ts'

export type AskOptions = {
  /** Not this agent's own. */
  datacenter?: string
  /** `stale`: any server may answer; `consistent`: the leader asks the others first. */
  consistency?: 'default' | 'stale' | 'consistent'
  /** Instead of the client's. */
  token?: string
  /** Rejects with the signal's reason. */
  signal?: AbortSignal
}

/** Where an answer stands: what comes back as `index` or `hash` in the next question waits for another answer. */
export type Seen = { index?: string; hash?: string }

export type Answer<Value> = { value: Value; seen: Seen; text: string }

/** Answers come a little later than asked for, so that not all come back at once. */
const JITTER_PART = 16
const GRACE_MS = 15_000

/** Asks once. With `seen`, the answer comes when there is another one, or after `waitMs`. */
export async function ask<Value>(
  transport: Transport,
  read: Read<Value>,
  options: AskOptions = {},
  waiting?: { seen: Seen; waitMs: number },
): Promise<Answer<Value>> {
  const reply = await transport.request('GET', read.path, {
    query: { ...read.query, ...consistencyQuery(options), ...waitQuery(waiting) },
    also: read.also ?? [],
    signal: options.signal,
    token: options.token,
    datacenter: options.datacenter,
    ...(waiting && { timeoutMs: waiting.waitMs + waiting.waitMs / JITTER_PART + GRACE_MS }),
  })
  return { value: read.value(reply), seen: seenIn(reply), text: `${reply.status} ${reply.text}` }
}

function consistencyQuery({ consistency }: AskOptions): Query {
  return { stale: consistency === 'stale', consistent: consistency === 'consistent' }
}

function waitQuery(waiting?: { seen: Seen; waitMs: number }): Query {
  return waiting ? { ...waiting.seen, wait: `${Math.max(1, Math.round(waiting.waitMs))}ms` } : {}
}

function seenIn({ headers }: Reply): Seen {
  const index = headers['x-consul-index']
  const hash = headers['x-consul-contenthash']
  return { ...(typeof index === 'string' && { index }), ...(typeof hash === 'string' && { hash }) }
}
