import type { Config } from '../config/config.ts'
import type { Host } from '../kernel/host.ts'
import type { Layout } from '../placement.ts'
import { metricKey, pathLabel } from '../telemetry/names.ts'
import { Answers, contactOf } from './answers.ts'
import { Parked } from './blocking.ts'
import { type ApiAnswer, encodeReply } from './encode-reply.ts'
import { type ApiParts, type ApiRequest, Exchange } from './exchange.ts'
import { createForward } from './forward.ts'
import { createGate } from './gate.ts'
import { keyFor } from './request.ts'
import type { EdgeSettings, HttpReply, HttpRequest, Route } from './route.ts'
import { createRouter } from './router.ts'

export type { ApiAnswer, ApiRequest }

/** The HTTP API of one edge thread, without sockets. */
export type Api = {
  /** The answer to a GET that was asked before and still holds. */
  kept(url: string, headers: HttpRequest['headers']): ApiAnswer | undefined
  /**
   * Calls `done` once with the answer, maybe at once. What this function answers gives up waiting: `done` is not called any more.
   * Only endpoints that `run` need promises.
   */
  handle(request: ApiRequest, done: (answer: ApiAnswer) => void): () => void
  /** What a client is told if its request failed unforeseen. The log gets the error. */
  failure(request: Pick<ApiRequest, 'method' | 'url'>, error: unknown): ApiAnswer
}
/** `isAbroad`: whoever asks is in another datacenter and takes the addresses for that. */
export type ApiOptions = { host: Host; config: Config; layout: Layout; routes: readonly Route[]; isAbroad?: boolean }

/** A look into what is kept takes about as long as reading the clock, so one of so many is measured and stands for the others. */
const TIMED_LOOKUPS = 16

export function createApi({ host, config, layout, routes, isAbroad = false }: ApiOptions): Api {
  const order = host.ports.random(`edge/${host.thread}/order`)
  const settings: EdgeSettings = {
    isLed: () => contactOf(host).isLed,
    node: config.node.name,
    datacenter: config.datacenter,
    defaultWaitMs: config.query.defaultQueryTimeMs,
    maxWaitMs: config.query.maxQueryTimeMs,
    kvValueBytesMax: config.limits.kvMaxValueSize,
    useCache: config.http.useCache,
    discoveryMaxStaleMs: config.query.discoveryMaxStaleMs,
    coordinates: config.keys['disable_coordinates'] !== true,
    chance: () => order.next(),
    threads: layout,
    isClient: config.server === false,
    isAbroad,
    wanAddresses: config.translateWanAddrs,
  }
  /** Those that every answer of this agent has, whoever found it. */
  const own = { ...(config.translateWanAddrs && { 'X-Consul-Translate-Addresses': 'true' }), ...config.http.responseHeaders }
  const headers = Object.entries({
    Vary: 'Accept-Encoding',
    'X-Consul-Default-Acl-Policy': config.acl.defaultPolicy,
    ...own,
  }).flat()
  const times = new Map(
    routes.map((route) => [route, host.samples.of(metricKey('api.http', { method: route.method, path: pathLabel(route.path) }))]),
  )
  const timesOf = (route: Route) => times.get(route) ?? host.samples.of('api.http')
  const answers = new Answers(host, settings, config.devMode, headers, timesOf)
  const gate = createGate(config)
  const encode = (reply: HttpReply, url: string) => encodeReply(reply, config.devMode || /[?&]pretty(=|&|$)/.test(url), headers)
  const failure = ({ method, url }: Pick<ApiRequest, 'method' | 'url'>, error: unknown) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    const [path] = url.split('?')
    host.ports.print('error', 'http', `${method} ${path} failed`, { error: text })
    return encode({ status: 500, text: 'internal error; the log has it' }, url)
  }
  const parts: ApiParts = {
    host,
    config,
    settings,
    find: createRouter(routes),
    gate,
    parked: new Parked(host, answers),
    encode,
    failure,
    timesOf,
    forwardedHeaders: Object.entries(own).flat(),
    ...(config.server === false && { forward: createForward(host, config.node.name) }),
    forwardAbroad: (datacenter, node) => createForward(host, node, datacenter),
  }
  /** Others change the tables too, so a read may first have to ask how far they are. */
  const isShared = config.etcd !== undefined
  let lookups = 0
  const timedLookup = (key: string) => {
    const { clock } = host.ports
    const beganMs = clock.monotonicMs()
    const kept = answers.kept(key)
    kept?.times.add(clock.monotonicMs() - beganMs)
    return kept
  }
  return {
    kept(url, headers) {
      if (!gate.open || isShared || mayChangeAnswer(headers)) return undefined
      const key = keyFor(url, headers['x-consul-token'])
      if (lookups++ % TIMED_LOOKUPS === 0) return timedLookup(key)
      const kept = answers.kept(key)
      kept?.times.again()
      return kept
    },
    handle(request, done) {
      const exchange = new Exchange(parts, request, done)
      exchange.begin()
      return exchange.isOver ? nothing : () => exchange.giveUp()
    },
    failure,
  }
}

function nothing(): void {
  // The answer was given, so there is nothing to give up.
}

/** Whether a request says more than its URL and its token about what it wants to read. */
function mayChangeAnswer(headers: HttpRequest['headers']): boolean {
  return headers['cache-control'] !== undefined || headers['x-consul-namespace'] !== undefined || headers['authorization'] !== undefined
}
