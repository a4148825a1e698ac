import { lastIndex } from '../../actors/command.ts'
import type { Host } from '../kernel/host.ts'
import type { LogContact } from '../kernel/ports.ts'
import { type ReadSet, recordReads } from '../kernel/recording-view.ts'
import { isRefused } from '../kernel/refusal.ts'
import type { Sample } from '../kernel/sample.ts'
import { type ApiAnswer, encodeReply } from './encode-reply.ts'
import { isStaleAllowed } from './parameters.ts'
import { mustRevalidate } from './request.ts'
import type { EdgeSettings, HttpReply, HttpRequest, ReadRoute } from './route.ts'
import { refusalReply } from './status.ts'

/** A read's answer, encoded once and shared by everybody who asks the same until something it read changes. */
export type Answer = ApiAnswer & {
  /** undefined: this is not the answer of a query but of its wrong parameters. */
  readonly index: number | undefined
  readonly reads: ReadSet
  /** Where to add how long its endpoint takes, in milliseconds. */
  readonly times: Sample
  /** The newest index for which this answer is known to hold. */
  head: number
}

const BYTES_MAX = 64 * 1024 * 1024
const ANSWER_BYTES_MAX = 1024 * 1024
/** Counted for the bookkeeping of each answer kept. */
const ANSWER_OVERHEAD_BYTES = 1_024

/** Answers of reads on one thread. */
export class Answers {
  readonly #host: Host
  readonly #settings: EdgeSettings
  readonly #alwaysPretty: boolean
  readonly #headers: readonly string[]
  readonly #timesOf: (route: ReadRoute) => Sample
  readonly #kept = new Map<string, { answer: Answer; forget: () => void }>()
  #bytes = 0

  /** `headers` are those of every answer: names and values in turn. */
  constructor(
    host: Host,
    settings: EdgeSettings,
    alwaysPretty: boolean,
    headers: readonly string[],
    timesOf: (route: ReadRoute) => Sample,
  ) {
    this.#host = host
    this.#settings = settings
    this.#alwaysPretty = alwaysPretty
    this.#headers = headers
    this.#timesOf = timesOf
  }

  /** The present answer for `key`, if it is kept and still holds. */
  kept(key: string): Answer | undefined {
    const answer = this.#kept.get(key)?.answer
    if (!answer || !this.#isInTouch()) return undefined
    const head = lastIndex(this.#host.ports.tables.view())
    if (answer.head === head) return answer
    // Every change up to `noticed` has passed the waiters, and this answer was not among those concerned.
    if (this.#host.noticed < head) return undefined
    answer.head = head
    return answer
  }

  /** Evaluates the read, or takes the answer that is kept under `key`. */
  find(key: string, route: ReadRoute, request: HttpRequest): Answer {
    const kept = this.kept(key)
    if (kept) return kept
    const answer = this.#evaluate(route, request)
    if (!route.uncached && this.#isInTouch() && answer.index !== undefined && answer.bytes.byteLength <= ANSWER_BYTES_MAX)
      this.#keep(key, answer)
    return answer
  }

  #evaluate(route: ReadRoute, request: HttpRequest): Answer {
    const plain = this.#host.ports.tables.view()
    const { view, reads } = recordReads(plain)
    const found = route.read(request, view, this.#settings)
    const reply: HttpReply = isRefused(found) ? refusalReply(found, route.statusOf) : found
    const pretty = this.#alwaysPretty || request.query.has('pretty')
    const index = !isRefused(found) && 'index' in found ? Math.max(found.index, 1) : undefined
    const before = [...this.#headers]
    if (index !== undefined && showsIndex(found)) before.push(...this.#queryHeaders(index, route, request))
    if (saysCache(route, request) && (reply.status ?? 200) === 200)
      before.push(...Object.entries(cacheHeaders(request, this.#settings)).flat())
    const { status, headers, type, bytes } = encodeReply(reply, pretty, before)
    return { status, headers, type, bytes, index, reads, times: this.#timesOf(route), head: lastIndex(plain) }
  }

  /** What every answer to a query says. */
  #queryHeaders(index: number, { saysConsistency }: ReadRoute, request: HttpRequest): string[] {
    const { isLed, overdueMs } = contactOf(this.#host)
    const age = Number.isFinite(overdueMs) ? overdueMs : 0
    const headers = ['X-Consul-Index', String(index), 'X-Consul-Knownleader', String(isLed), 'X-Consul-Lastcontact', String(age)]
    if (saysConsistency) headers.push('X-Consul-Effective-Consistency', consistencyOf(request, this.#settings))
    headers.push('X-Consul-Query-Backend', 'blocking-query')
    return headers
  }

  /** Whether answers say what kept ones say: that the leader is known, and heard of just now. */
  #isInTouch(): boolean {
    const { isLed, overdueMs } = contactOf(this.#host)
    return isLed && overdueMs === 0
  }

  #keep(key: string, answer: Answer): void {
    this.#drop(key)
    const forget = this.#host.waiters.add(answer.reads, () => this.#drop(key))
    this.#kept.set(key, { answer, forget })
    this.#bytes += answer.bytes.byteLength + ANSWER_OVERHEAD_BYTES
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= BYTES_MAX) break
      this.#drop(oldest)
    }
  }

  #drop(key: string): void {
    const kept = this.#kept.get(key)
    if (!kept) return
    kept.forget()
    this.#kept.delete(key)
    this.#bytes -= kept.answer.bytes.byteLength + ANSWER_OVERHEAD_BYTES
  }
}

function showsIndex(found: object): boolean {
  return !('showsIndex' in found) || found.showsIndex !== false
}

function saysCache({ saysCache = false }: ReadRoute, request: HttpRequest): boolean {
  return typeof saysCache === 'boolean' ? saysCache : saysCache(request)
}

/** How this server stands to its log. Who has one of its own, or none, has always just heard of it. */
export function contactOf({ ports }: Pick<Host, 'ports'>): LogContact {
  return ports.contact?.() ?? ALONE
}

const ALONE: LogContact = { isLed: true, silentMs: 0, overdueMs: 0, term: 0 }

/** What is kept is always what holds now, so as an answer out of a cache it is of this moment. */
export function cacheHeaders(request: HttpRequest, { useCache }: EdgeSettings): Record<string, string> {
  if (!useCache || !request.query.has('cached')) return {}
  return mustRevalidate(request) ? { 'X-Cache': 'MISS' } : { 'X-Cache': 'HIT', Age: '0' }
}

/** `stale` is what this server knows; for the others it first asks whether it knows everything. */
export function consistencyOf({ path, query }: HttpRequest, { useCache, discoveryMaxStaleMs }: EdgeSettings): string {
  if (query.has('consistent')) return 'consistent'
  if (query.has('stale') || isStaleAllowed(query)) return 'stale'
  const isSaid = query.has('leader') || (useCache && query.has('cached'))
  return !isSaid && discoveryMaxStaleMs > 0 && /^\/v1\/(catalog|health)/.test(path) ? 'stale' : 'leader'
}
