import { exchangeRef } from '../../actors/exchange/protocol.ts'
import { NO_PATH, NO_SERVERS, NOBODY_THERE } from '../kernel/far.ts'
import type { Host } from '../kernel/host.ts'
import type { HttpAnswered, HttpAsked } from '../kernel/ports.ts'
import { isRefused, type Refusal, type Result, refuse } from '../kernel/refusal.ts'
import { placement } from '../placement.ts'
import { metricKey } from '../telemetry/names.ts'
import { askNumber } from './ask-number.ts'
import type { ApiAnswer } from './encode-reply.ts'
import { overRate } from './rate-limit.ts'
import type { HttpReply } from './route.ts'

/** Longer than any request may block. */
const WITHIN_MS = 900_000
/** A read whose server went away is asked once more: by then another one may be there. */
const AGAIN_AFTER_MS = 500
const PIECE_WITHIN_MS = 30_000
const GIVE_UP_WITHIN_MS = 10_000

/** What each agent answers by itself, if only that it is no server. Everything else is about the cluster. */
const OWN_PATHS = [
  '/v1/agent/',
  '/v1/operator/keyring',
  '/v1/tribune/proxies',
  '/v1/tribune/decisions',
  '/v1/tribune/report/',
  '/v1/tribune/actors',
  '/v1/tribune/gossip',
]
/** Each agent has the events that it saw, unless only servers have any. */
const EVENTS = '/v1/event/'

/** Whether an agent that is no server answers this path by itself. */
export function isAnsweredHere(path: string): boolean {
  return OWN_PATHS.some((own) => path.startsWith(own)) || (path.startsWith(EVENTS) && placement['events']?.on !== 'servers')
}

export type Forward = (request: HttpAsked, done: (answer: Result<HttpAnswered>) => void) => () => void

/**
 * Has the server that this agent uses answer a request, or one of another datacenter. What this function answers gives up: then `done` is
 * not called any more, and the server hears of it. `node` is the agent that was asked.
 */
export function createForward(host: Host, node: string, datacenter?: string): Forward {
  const to = datacenter === undefined ? exchangeRef : { ...exchangeRef, datacenter }
  return (request, done) => {
    const asked = { ...request, url: withOwnName(request.url, node), ...(datacenter !== undefined && { datacenter }) }
    let isOver = false
    let number = 0
    let cancel: (() => void) | undefined
    const finish = (result: Result<HttpAnswered>) => {
      isOver = true
      done(result)
    }
    const whileWaiting = <T>(then: (result: T) => void) => {
      return (result: T) => {
        if (!isOver) then(result)
      }
    }
    /** Gathers a long answer, piece by piece. */
    const gather = (answer: HttpAnswered, bytesTotal: number, pieces: Uint8Array[], bytesHere: number) => {
      if (bytesHere >= bytesTotal) return finish({ ...answer, bytes: pieces.length === 1 ? answer.bytes : Buffer.concat(pieces) })
      const took = whileWaiting<Result<{ bytes: Uint8Array }>>((result) => {
        if (isRefused(result)) return finish(result)
        if (!(result.bytes instanceof Uint8Array) || result.bytes.byteLength === 0)
          return finish(refuse('gone', 'the answer of the server is shorter than it said'))
        gather(answer, bytesTotal, [...pieces, result.bytes], bytesHere + result.bytes.byteLength)
      })
      host.ask(to, 'more', { number, from: bytesHere }, PIECE_WITHIN_MS, took)
    }
    const ask = (otherwise: (refusal: Refusal) => void) => {
      number = askNumber(host)
      if (datacenter === undefined) host.count('client.rpc')
      const took = whileWaiting<Result<HttpAnswered & { bytesTotal: number }>>((result) => {
        // Clients may name anything, and each name would be counted for itself.
        if (datacenter !== undefined && !isUnknown(result)) host.count(metricKey('rpc.cross-dc', { datacenter }))
        if (isRefused(result)) {
          if (datacenter === undefined) host.count(result.refused === 'busy' ? 'client.rpc.exceeded' : 'client.rpc.failed')
          return otherwise(result)
        }
        const { bytesTotal, ...answer } = result
        if (!isWhole(answer)) return finish(refuse('gone', 'the answer of the server is malformed'))
        gather(answer, bytesTotal, [answer.bytes], answer.bytes.byteLength)
      })
      const over = datacenter === undefined ? overRate(host) : undefined
      if (over) took(over)
      else host.ask(to, 'http', { number, request: asked }, WITHIN_MS, took)
    }
    ask((refusal) => {
      if (refusal.refused !== 'gone' || request.method !== 'GET' || isWithoutAnybody(refusal)) return finish(refusal)
      cancel = host.ports.clock.after(AGAIN_AFTER_MS, () => ask(finish))
    })
    return () => {
      if (isOver) return
      isOver = true
      cancel?.()
      host.ask(to, 'giveUp', { number }, GIVE_UP_WITHIN_MS, ignored)
    }
  }
}

/** What a client is told where no server answered. Source: internals §2. */
export function unansweredReply(refusal: Refusal): HttpReply {
  if (isWithoutServers(refusal)) return { status: 500, text: NO_SERVERS }
  if (refusal.refused === 'busy') return { status: 429, text: 'RPC rate limit exceeded' }
  return { status: 500, text: `rpc error making call: ${refusal.why}` }
}

/** As it came, behind the headers that this agent adds to every answer. */
export function answerOf({ status, headers, type, bytes }: HttpAnswered, own: readonly string[]): ApiAnswer {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return { status, headers: [...own, ...headers], type: type === '' ? undefined : type, bytes: buffer }
}

/** Servers may be of another version, or lie. */
function isWhole({ status, headers, type, bytes }: HttpAnswered): boolean {
  const texts: unknown[] = Array.isArray(headers) ? [type, ...headers] : [undefined]
  const isStatus = Number.isInteger(status) && status >= 200 && status < 600
  return (
    isStatus &&
    bytes instanceof Uint8Array &&
    texts.length % 2 === 1 &&
    texts.every((text) => typeof text === 'string' && !UNSENDABLE.test(text))
  )
}

/** What cannot stand in a header. */
const UNSENDABLE = /[^\t\x20-\x7e\x80-\xff]/

/** The same where no server of another datacenter answered. Source: http-api §16. */
export function unreachedReply(refusal: Refusal): HttpReply {
  const { refused, why } = refusal
  if (isUnknown(refusal)) return { status: 500, text: NO_PATH }
  if (why.includes(NOBODY_THERE)) return { status: 500, text: NOBODY_THERE }
  const [, address] = DIALLED.exec(why) ?? []
  if (refused !== 'gone' || address === undefined) return unansweredReply(refusal)
  const dialled = why.includes('ECONNREFUSED') ? `dial tcp ${address}: connect: connection refused` : why
  return { status: 500, text: `rpc error getting client: failed to get conn: ${dialled}` }
}

/** What is said of a dial begins with where to. */
const DIALLED = /^(\S+:\d+): /

function isUnknown(result: Result<object>): boolean {
  return isRefused(result) && result.why.includes(NO_PATH)
}

/** Another try would meet the same. */
function isWithoutAnybody({ why }: Refusal): boolean {
  return [NO_SERVERS, NO_PATH, NOBODY_THERE].some((text) => why.includes(text))
}

function isWithoutServers({ why }: Refusal): boolean {
  return why.includes(NO_SERVERS)
}

/** `near=_agent` means the agent that was asked. */
function withOwnName(url: string, node: string): string {
  return url.replace(/([?&]near=)_agent(?=&|$)/, `$1${encodeURIComponent(node)}`)
}

function ignored(): void {
  // A server that is gone, or has answered meanwhile, has nothing to give up.
}
