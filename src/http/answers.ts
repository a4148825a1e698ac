import { lastIndex } from '../../actors/command.ts'
import type { Host } from '../kernel/host.ts'
import { type ReadSet, recordReads } from '../kernel/recording-view.ts'
import { isRefused } from '../kernel/refusal.ts'
import { encodeJson } from './json.ts'
import type { EdgeSettings, HttpReply, HttpRequest, ReadRoute } from './route.ts'
import { refusalReply } from './status.ts'

/** A read's answer, encoded once and shared by everybody who asks the same until something it read changes. */
export type Answer = {
  status: number
  headers: Record<string, string> | undefined
  type: string | undefined
  bytes: Buffer
  /** undefined: this is not the answer of a query but of its wrong parameters. */
  index: number | undefined
  /** What X-Consul-Effective-Consistency says; '' for endpoints that do not say it. */
  consistency: string
  reads: ReadSet
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
  readonly #kept = new Map<string, { answer: Answer; forget: () => void }>()
  #bytes = 0

  constructor(host: Host, settings: EdgeSettings, alwaysPretty: boolean) {
    this.#host = host
    this.#settings = settings
    this.#alwaysPretty = alwaysPretty
  }

  /** The present answer for `key`, if it is kept and still holds. */
  kept(key: string): Answer | undefined {
    const answer = this.#kept.get(key)?.answer
    if (!answer) return undefined
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
    if (!route.uncached && answer.index !== undefined && answer.bytes.byteLength <= ANSWER_BYTES_MAX) this.#keep(key, answer)
    return answer
  }

  #evaluate(route: ReadRoute, request: HttpRequest): Answer {
    const plain = this.#host.ports.tables.view()
    const { view, reads } = recordReads(plain)
    const found = route.read(request, view, this.#settings)
    const reply: HttpReply = isRefused(found) ? refusalReply(found, route.statusOf) : found
    const pretty = this.#alwaysPretty || request.query.has('pretty')
    return {
      ...encodeReply(reply, pretty),
      index: !isRefused(found) && 'index' in found ? Math.max(found.index, 1) : undefined,
      consistency: route.saysConsistency ? consistencyOf(request.query) : '',
      reads,
      head: lastIndex(plain),
    }
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

function consistencyOf(query: URLSearchParams): string {
  if (query.has('consistent')) return 'consistent'
  return query.has('stale') ? 'stale' : 'leader'
}

export function encodeReply(reply: HttpReply, pretty: boolean): Pick<Answer, 'status' | 'headers' | 'type' | 'bytes'> {
  const { status = 200, headers } = reply
  if (reply.json !== undefined) return { status, headers, type: 'application/json', bytes: Buffer.from(encodeJson(reply.json, pretty)) }
  if (reply.text !== undefined) return { status, headers, type: reply.type ?? 'text/plain; charset=utf-8', bytes: Buffer.from(reply.text) }
  if (reply.bytes !== undefined)
    return { status, headers, type: reply.type, bytes: Buffer.from(reply.bytes.buffer, reply.bytes.byteOffset, reply.bytes.byteLength) }
  return { status, headers, type: undefined, bytes: Buffer.alloc(0) }
}
