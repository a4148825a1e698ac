import { exchangeRef } from '../../actors/exchange/protocol.ts'
import { NO_SERVERS } from '../kernel/far.ts'
import type { Host } from '../kernel/host.ts'
import type { HttpAnswered, HttpAsked } from '../kernel/ports.ts'
import { isRefused, type Refusal, type Result, refuse } from '../kernel/refusal.ts'
import { placement } from '../placement.ts'
import type { ApiAnswer } from './encode-reply.ts'
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
 * Has the server that this agent uses answer a request. What this function answers gives up: then `done` is not called any more, and the
 * server hears of it. Numbers are unique on this thread.
 */
export function createForward(host: Host, node: string): Forward {
  let last = 0
  return (request, done) => {
    const asked = { ...request, url: withOwnName(request.url, node) }
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
        if (result.bytes.byteLength === 0) return finish(refuse('gone', 'the answer of the server is shorter than it said'))
        gather(answer, bytesTotal, [...pieces, result.bytes], bytesHere + result.bytes.byteLength)
      })
      host.ask(exchangeRef, 'more', { number, from: bytesHere }, PIECE_WITHIN_MS, took)
    }
    const ask = (otherwise: (refusal: Refusal) => void) => {
      number = ++last
      host.count('client.rpc')
      const took = whileWaiting<Result<HttpAnswered & { bytesTotal: number }>>((result) => {
        if (isRefused(result)) {
          host.count(result.refused === 'busy' ? 'client.rpc.exceeded' : 'client.rpc.failed')
          return otherwise(result)
        }
        const { bytesTotal, ...answer } = result
        gather(answer, bytesTotal, [answer.bytes], answer.bytes.byteLength)
      })
      host.ask(exchangeRef, 'http', { number, request: asked }, WITHIN_MS, took)
    }
    ask((refusal) => {
      if (refusal.refused !== 'gone' || request.method !== 'GET' || isWithoutServers(refusal)) return finish(refusal)
      cancel = host.ports.clock.after(AGAIN_AFTER_MS, () => ask(finish))
    })
    return () => {
      if (isOver) return
      isOver = true
      cancel?.()
      host.ask(exchangeRef, 'giveUp', { number }, GIVE_UP_WITHIN_MS, ignored)
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
