import type { Config } from '../config/config.ts'
import { NO_PATH } from '../kernel/far.ts'
import type { Host } from '../kernel/host.ts'
import { isRefused, type Refusal, type Result } from '../kernel/refusal.ts'
import type { Sample } from '../kernel/sample.ts'
import { reservedField } from '../kernel/wire.ts'
import { consistencyOf, contactOf } from './answers.ts'
import { type Parked, type Wait, waitOf } from './blocking.ts'
import { catchUp } from './catch-up.ts'
import { createContext, type EdgeContext } from './context.ts'
import type { ApiAnswer } from './encode-reply.ts'
import { type EnforcementWait, enforcementWait, whenEnforced } from './enforced.ts'
import { answerOf, type Forward, isAnsweredHere, unansweredReply, unreachedReply } from './forward.ts'
import type { Gate } from './gate.ts'
import { isDatacenterName, isOfNoDatacenter, otherDatacenter } from './other-datacenter.ts'
import { maxStaleOf } from './parameters.ts'
import { keyOf, tokenOf, tooLarge } from './request.ts'
import type { AskRoute, BeginRoute, EdgeSettings, HttpReply, HttpRequest, ReadRoute, Route, RunRoute } from './route.ts'
import type { Found } from './router.ts'
import { refusalReply } from './status.ts'
import { cleanPath, redirected, type Target, targetOf } from './target.ts'

/** A request as it came in. */
export type ApiRequest = {
  readonly method: string
  /** In the origin or the absolute form, with its query. */
  readonly url: string
  /** Lower-case names. */
  readonly headers: HttpRequest['headers']
  /** IP address of the client. */
  readonly from: string
  /** The agent that it came to, if that is another one. */
  readonly node?: string
  /** Of a request from another datacenter: which one it is for. */
  readonly datacenter?: string
  /** What the other agent that it came to says of addresses; undefined if it came to this one. */
  readonly wanAddresses?: boolean
  /** Asked once at most, and not of a GET: calls `done` once the body is there, or with its size in bytes if that is above `bytesMax`. */
  readBody(bytesMax: number, done: (body: Buffer | number) => void): void
  /** In place of `readBody`: calls `done` once the body is in a file, with its path. Absent where there are no files. */
  readonly keepBody?: (done: (file: Result<{ path: string }>) => void) => void
}

/** What all exchanges of an edge thread share. */
export type ApiParts = {
  readonly host: Host
  readonly config: Config
  readonly settings: EdgeSettings
  readonly find: (method: string, path: string) => Found
  readonly gate: Gate
  readonly parked: Parked
  readonly encode: (reply: HttpReply, url: string) => ApiAnswer
  readonly failure: (request: ApiRequest, error: unknown) => ApiAnswer
  /** Where to add how long an endpoint takes, in milliseconds. */
  readonly timesOf: (route: Route) => Sample
  /** Of an agent that is no server: has one answer what is about the cluster. */
  readonly forward?: Forward
  /** Has a server of another datacenter answer what came to the agent `node`. */
  readonly forwardAbroad: (datacenter: string, node: string) => Forward
  /** Headers of what was forwarded, before those of the server. */
  readonly forwardedHeaders: readonly string[]
}

/** Consul answers what is allowed under this path with an empty object. */
const QUERIES = '/v1/query/'
const NO_BODY = Buffer.alloc(0)
const NOT_FROM_ABROAD: HttpReply = { status: 403, text: 'this tells of one agent, and is not answered for another datacenter' }
/** Its body may be of any size. */
const NOT_AT_A_CLIENT: HttpReply = { status: 500, text: 'A snapshot is restored at a server, and this agent is a client' }
const NOT_ABROAD: HttpReply = { status: 500, text: 'A snapshot of another datacenter is restored at a server of that datacenter' }
const NO_QUERY = new URLSearchParams()

/** One request on its way to its answer. */
export class Exchange {
  readonly #api: ApiParts
  readonly #given: ApiRequest
  readonly #done: (answer: ApiAnswer) => void
  #stopWaiting: (() => void) | undefined
  #isOver = false
  #beganMs = 0
  #times: readonly Sample[] = []

  constructor(api: ApiParts, given: ApiRequest, done: (answer: ApiAnswer) => void) {
    this.#api = api
    this.#given = given
    this.#done = done
  }

  get isOver(): boolean {
    return this.#isOver
  }

  begin(): void {
    this.#beganMs = this.#api.host.ports.clock.monotonicMs()
    this.#attempt(() => this.#route())
  }

  giveUp(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#stopWaiting?.()
  }

  /** Answers with what `work` finds, if anything yet. What an endpoint throws is its own answer. */
  #attempt(work: () => ApiAnswer | undefined): void {
    if (this.#isOver) return
    let answer: ApiAnswer | undefined
    try {
      answer = work()
    } catch (error) {
      answer = this.#api.failure(this.#given, error)
    }
    if (answer) this.#finish(answer)
  }

  #finish(answer: ApiAnswer): void {
    if (this.#isOver) return
    this.#isOver = true
    for (const times of this.#times) times.add(this.#api.host.ports.clock.monotonicMs() - this.#beganMs)
    this.#done(answer)
  }

  /** Finds the endpoint, or the answer that needs none. */
  #route(): ApiAnswer | undefined {
    const { find, gate } = this.#api
    const { method, url, from, headers } = this.#given
    const target = targetOf(url)
    if ('status' in target) return this.#encode(target)
    const { path, queryText } = target
    const refusal = gate.refusal({ method, path, from, headers })
    if (refusal) return this.#encode(refusal)
    const clean = cleanPath(path)
    if (clean !== undefined) return this.#encode(redirected(method, clean, queryText))
    const found = find(method, path)
    if (!found) {
      if (path === '/') return this.#encode({ text: 'Consul Agent' })
      return this.#encode(find(method, `${path}/`) ? redirected(method, `${path}/`, queryText) : { status: 404 })
    }
    if ('allow' in found) {
      if (found.optionsOnly) return this.#encode({ headers: { Allow: found.allow }, ...(path.startsWith(QUERIES) && { json: {} }) })
      return this.#encode({ status: 405, headers: { Allow: found.allow }, text: `method ${method} not allowed` })
    }
    if (this.#api.forward && !isAnsweredHere(path)) return this.#forward(this.#api.forward, found.route, target)
    if (method === 'GET') return this.#take(found.route, this.#request(target, found.rest, NO_BODY))
    this.#readBody(target, found.route, found.rest)
    return undefined
  }

  /** The whole request, judged by the server as any other; only its size is judged here. */
  #forward(forward: Forward, route: Route, target: Target): undefined {
    this.#times = [this.#api.timesOf(route)]
    if (route.bodyInFile) return void this.#finish(this.#encode(NOT_AT_A_CLIENT))
    const send = (body: Buffer) => this.#send(forward, body, (refusal) => this.#encode(unansweredReply(refusal)))
    if (this.#given.method === 'GET') return send(NO_BODY)
    const { bytesMax, option } = bodyLimit(this.#api.config, target.path)
    this.#given.readBody(bytesMax, (body) =>
      this.#attempt(() => {
        if (typeof body === 'number') return this.#encode(tooLarge(body, bytesMax, option))
        if (!this.#isOver) send(body)
        return undefined
      }),
    )
  }

  /** The same for a server of another datacenter, at most once. */
  #sendAbroad(datacenter: string, body: Buffer): ApiAnswer | undefined {
    const { settings, forward, forwardAbroad } = this.#api
    const { node = settings.node } = this.#given
    if (forward) return this.#send(forward, body, (refusal) => this.#encode(unansweredReply(refusal)))
    if (this.#given.datacenter !== undefined || !isDatacenterName(datacenter)) return this.#encode({ status: 500, text: NO_PATH })
    return this.#send(forwardAbroad(datacenter, node), body, (refusal) => this.#encode(unreachedReply(refusal)))
  }

  #send(forward: Forward, body: Buffer, refused: (refusal: Refusal) => ApiAnswer): undefined {
    const { method, url, from, headers } = this.#given
    const request = { method, url, headers: headersToSend(headers), body, from, wanAddresses: this.#wanAddresses }
    const stop = forward(request, (result) =>
      this.#attempt(() => (isRefused(result) ? refused(result) : answerOf(result, this.#api.forwardedHeaders))),
    )
    this.#stopWaiting = stop
  }

  get #wanAddresses(): boolean {
    return this.#given.wanAddresses ?? this.#api.config.translateWanAddrs
  }

  #readBody(target: Target, route: Route, rest: string): void {
    const { keepBody } = this.#given
    if (route.bodyInFile && keepBody) {
      const request = this.#request(target, rest, NO_BODY)
      const wrong = this.#api.gate.parametersWrong(request) ?? (this.#elsewhere(request, route) === undefined ? undefined : NOT_ABROAD)
      if (wrong) return this.#finish(this.#encode(wrong))
      return keepBody((file) => this.#attempt(() => this.#takeFile(target, route, rest, file)))
    }
    const { bytesMax, option } = bodyLimit(this.#api.config, target.path)
    this.#given.readBody(bytesMax, (body) =>
      this.#attempt(() =>
        typeof body === 'number' ? this.#encode(tooLarge(body, bytesMax, option)) : this.#take(route, this.#request(target, rest, body)),
      ),
    )
  }

  #takeFile(target: Target, route: Route, rest: string, file: Result<{ path: string }>): ApiAnswer | undefined {
    if (isRefused(file)) return this.#encode({ status: 500, text: file.why })
    return this.#take(route, { ...this.#request(target, rest, NO_BODY), bodyFile: file.path })
  }

  #request({ rawPath, queryText }: Target, rest: string, body: Buffer): HttpRequest {
    const { method, headers, from } = this.#given
    const query = queryText === '' ? NO_QUERY : new URLSearchParams(queryText)
    return { method, path: rawPath, rest, query, headers, body, token: tokenOf(query, headers), from }
  }

  #take(route: Route, request: HttpRequest): ApiAnswer | undefined {
    const metric = route.metric?.(request)
    const times = this.#api.timesOf(route)
    this.#times = metric === undefined ? [times] : [times, this.#api.host.samples.of(metric)]
    const wrong = this.#api.gate.parametersWrong(request)
    if (wrong) return this.#encode(wrong)
    if (this.#given.datacenter !== undefined && isOfNoDatacenter(route)) return this.#encode(NOT_FROM_ABROAD)
    const elsewhere = this.#elsewhere(request, route)
    if (elsewhere !== undefined) return this.#sendAbroad(elsewhere, request.body)
    if ('read' in route) return this.#read(route, request)
    if ('ask' in route) return this.#ask(route, request)
    return 'begin' in route ? this.#beginLonger(route, request) : this.#run(route, request)
  }

  /** Another datacenter that a request is for. Nobody here answers what was meant for somebody else. */
  #elsewhere(request: HttpRequest, route: Route): string | undefined {
    const { datacenter: own } = this.#api.config
    const { datacenter: meant = own } = this.#given
    return meant === own ? otherDatacenter(request, route, own) : meant
  }

  #read(route: ReadRoute, request: HttpRequest): ApiAnswer | undefined {
    const { config, settings, host } = this.#api
    const wait = waitOf(request.query, settings)
    if (!('waitMs' in wait)) return this.#encode(wait)
    if (config.etcd === undefined || route.atAnyTime || this.#isFreshEnough(request)) return this.#look(route, request, wait)
    catchUp(host, (result) =>
      this.#attempt(() => (isRefused(result) ? this.#encode(refusalReply(result)) : this.#look(route, request, wait))),
    )
    return undefined
  }

  /** Whether what this server knows will do. What may be older than it is allowed to be is read as if it had to be of now. */
  #isFreshEnough(request: HttpRequest): boolean {
    const { settings, host } = this.#api
    if (consistencyOf(request, settings) !== 'stale') return false
    const maxMs = maxStaleOf(request.query) || (request.query.has('stale') ? 0 : settings.discoveryMaxStaleMs)
    return maxMs === 0 || contactOf(host).silentMs <= maxMs
  }

  #look(route: ReadRoute, request: HttpRequest, wait: Wait): ApiAnswer | undefined {
    const { parked, host } = this.#api
    const otherwise = route.otherwise?.(request, host.ports.tables.view(), this.#settings())
    if (otherwise) return void otherwise(this.#context(), (make) => this.#attempt(() => this.#encode(make())))
    const found = parked.read(
      keyOf(request),
      route,
      request,
      wait,
      (answer) => this.#finish(answer),
      (error) => this.#finish(this.#api.failure(this.#given, error)),
    )
    if (typeof found !== 'function') return found
    this.#stopWaiting = found
    return undefined
  }

  #ask(route: AskRoute, request: HttpRequest): ApiAnswer | undefined {
    const { host } = this.#api
    const settings = this.#settings()
    const asked = route.ask(request, settings)
    if (isRefused(asked)) return this.#encode(refusalReply(asked, route.statusOf))
    if (!('to' in asked)) return this.#encode(asked)
    if (asked.datacenter !== undefined) return this.#sendAbroad(asked.datacenter, request.body)
    const destination = route.enforces?.(asked.request as never, host.ports.tables.view())
    const wait = destination === undefined ? undefined : enforcementWait(request.query, destination, host, settings)
    if (wait && !('withinMs' in wait)) return this.#encode(wait)
    host.ask(asked.to as never, asked.name as never, asked.request as never, asked.withinMs, (result: Result<unknown>) =>
      this.#attempt(() => {
        if (isRefused(result)) return this.#encode(refused(result, asked.request, route))
        const reply = route.reply(result as never, request, settings)
        return wait && reply.json !== false ? this.#whenEnforced(wait, reply) : this.#encode(reply)
      }),
    )
    return undefined
  }

  #whenEnforced(wait: EnforcementWait, reply: HttpReply): undefined {
    const stop = whenEnforced(this.#api.host, wait, (proof) =>
      this.#attempt(() => this.#encode({ ...reply, headers: { ...reply.headers, ...proof } })),
    )
    this.#stopWaiting = stop
  }

  #beginLonger(route: BeginRoute, request: HttpRequest): undefined {
    route.begin(request, this.#context(), (result) => this.#attempt(() => this.#longer(route, result)))
  }

  #run(route: RunRoute, request: HttpRequest): undefined {
    route.run(request, this.#context()).then(
      (result) => this.#attempt(() => this.#longer(route, result)),
      (error: unknown) => this.#finish(this.#api.failure(this.#given, error)),
    )
  }

  #context(): EdgeContext {
    const context = createContext(this.#api.host, this.#settings())
    this.#stopWaiting = () => context.gone()
    return context
  }

  /** Whoever speaks of his agent means the one that he asked. */
  #settings(): EdgeSettings {
    const { node } = this.#given
    return node === undefined ? this.#api.settings : { ...this.#api.settings, node, wanAddresses: this.#wanAddresses }
  }

  #longer(route: Route, result: HttpReply | Refusal): ApiAnswer {
    return this.#encode(isRefused(result) ? refusalReply(result, route.statusOf) : result)
  }

  #encode(reply: HttpReply): ApiAnswer {
    return this.#api.encode(reply, this.#given.url)
  }
}

/** Those that say something. */
function headersToSend(headers: HttpRequest['headers']): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]): [string, string | string[]][] => (value === undefined ? [] : [[name, value]])),
  )
}

/** What no actor can be told is wrong with the request, whatever an endpoint says of what its actor finds wrong. */
function refused(refusal: Refusal, request: unknown, { statusOf }: Route): HttpReply {
  const isUntold = refusal.refused === 'invalid' && reservedField(request) !== undefined
  return refusalReply(refusal, isUntold ? {} : statusOf)
}

/** Bodies of keys and transactions have their own limits; anything else is a definition. */
function bodyLimit({ limits }: Config, path: string): { bytesMax: number; option: string } {
  if (path.startsWith('/v1/kv/')) return { bytesMax: limits.kvMaxValueSize, option: 'kv_max_value_size' }
  return { bytesMax: Math.max(limits.txnMaxReqLen, limits.kvMaxValueSize), option: 'txn_max_req_len' }
}
