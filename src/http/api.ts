import type { Config } from '../config/config.ts'
import type { Host } from '../kernel/host.ts'
import type { Layout } from '../placement.ts'
import { Answers } from './answers.ts'
import { nothing, Parked } from './blocking.ts'
import type { ApiAnswer } from './encode-reply.ts'
import { type ApiParts, type ApiRequest, Exchange } from './exchange.ts'
import { createGate } from './gate.ts'
import { keyFor } from './request.ts'
import type { EdgeSettings, HttpRequest, Route } from './route.ts'
import { createRouter } from './router.ts'

export type { ApiAnswer, ApiRequest }

/** The HTTP API of one edge thread, without sockets. */
export type Api = {
  /** The answer to a GET that was asked before and still holds. */
  kept(url: string, headers: HttpRequest['headers']): ApiAnswer | undefined
  /**
   * Calls `done` once with the answer, maybe at once; if it throws then, once more with an answer that says so. What this
   * function answers gives up waiting: `done` is not called any more. Endpoints that `read` or `ask` need no promise.
   */
  handle(request: ApiRequest, done: (answer: ApiAnswer) => void): () => void
}
export type ApiOptions = { host: Host; config: Config; layout: Layout; routes: readonly Route[] }

export function createApi({ host, config, layout, routes }: ApiOptions): Api {
  const settings: EdgeSettings = {
    node: config.node.name,
    datacenter: config.datacenter,
    defaultWaitMs: config.query.defaultQueryTimeMs,
    maxWaitMs: config.query.maxQueryTimeMs,
    kvValueBytesMax: config.limits.kvMaxValueSize,
    threads: layout,
  }
  const headers = Object.entries({
    Vary: 'Accept-Encoding',
    'X-Consul-Default-Acl-Policy': config.acl.defaultPolicy,
    ...(config.translateWanAddrs && { 'X-Consul-Translate-Addresses': 'true' }),
    ...config.http.responseHeaders,
  }).flat()
  const answers = new Answers(host, settings, config.devMode, headers)
  const gate = createGate(config)
  const parts: ApiParts = {
    host,
    config,
    settings,
    find: createRouter(routes),
    gate,
    parked: new Parked(host, answers),
    headers,
  }
  return {
    kept(url, headers) {
      if (!gate.open || mayChangeAnswer(headers)) return undefined
      const kept = answers.kept(keyFor(url, headers['x-consul-token']))
      if (kept) host.count('api.http')
      return kept
    },
    handle(request, done) {
      host.count('api.http')
      const exchange = new Exchange(parts, request, done)
      exchange.begin()
      return exchange.isOver ? nothing : () => exchange.giveUp()
    },
  }
}

/** Whether a request says more than its URL and its token about what it wants to read. */
function mayChangeAnswer(headers: HttpRequest['headers']): boolean {
  return headers['cache-control'] !== undefined || headers['x-consul-namespace'] !== undefined || headers['authorization'] !== undefined
}
