import type { Config } from '../config/config.ts'
import type { Host } from '../kernel/host.ts'
import { isRefused, type Result } from '../kernel/refusal.ts'
import { nothing, type Parked, waitOf } from './blocking.ts'
import { createContext } from './context.ts'
import { type ApiAnswer, encodeReply } from './encode-reply.ts'
import type { Gate } from './gate.ts'
import { keyOf, tokenOf, tooLarge } from './request.ts'
import type { AskRoute, EdgeSettings, HttpReply, HttpRequest, ReadRoute, Route, RunRoute } from './route.ts'
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
  /** Asked once, and not of a GET: calls `done` once the body is there, or with its size in bytes if that is above `bytesMax`. */
  readBody(bytesMax: number, done: (body: Buffer | number) => void): void
}

/** What all exchanges of an edge thread share. */
export type ApiParts = {
  readonly host: Host
  readonly config: Config
  readonly settings: EdgeSettings
  readonly find: (method: string, path: string) => Found
  readonly gate: Gate
  readonly parked: Parked
  /** Of every answer: names and values in turn. */
  readonly headers: readonly string[]
}

const NO_BODY = Buffer.alloc(0)
const NO_QUERY = new URLSearchParams()

/** One request on its way to its answer. */
export class Exchange {
  readonly #api: ApiParts
  readonly #given: ApiRequest
  readonly #done: (answer: ApiAnswer) => void
  #stopWaiting = nothing
  #isOver = false

  constructor(api: ApiParts, given: ApiRequest, done: (answer: ApiAnswer) => void) {
    this.#api = api
    this.#given = given
    this.#done = done
  }

  get isOver(): boolean {
    return this.#isOver
  }

  begin(): void {
    this.#guarded(() => this.#route())
  }

  giveUp(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#stopWaiting()
  }

  /** Finds the endpoint, or the answer that needs none. */
  #route(): void {
    const { find, gate, config } = this.#api
    const { method, url, from } = this.#given
    const target = targetOf(url)
    if ('status' in target) return this.#reply(target)
    const { path, queryText } = target
    const refusal = gate.refusal(method, path, from)
    if (refusal) return this.#reply(refusal)
    const clean = cleanPath(path)
    if (clean !== undefined) return this.#reply(redirected(method, clean, queryText))
    const found = find(method, path)
    if (!found) {
      if (path === '/') return this.#reply({ text: 'Consul Agent' })
      return this.#reply(find(method, `${path}/`) ? redirected(method, `${path}/`, queryText) : { status: 404 })
    }
    if ('allow' in found) {
      if (found.optionsOnly) return this.#reply({ headers: { Allow: found.allow } })
      return this.#reply({ status: 405, headers: { Allow: found.allow }, text: `method ${method} not allowed` })
    }
    if (method === 'GET') return this.#take(found.route, this.#request(target, found.rest, NO_BODY))
    const { bytesMax, option } = bodyLimit(config, path)
    this.#given.readBody(bytesMax, (body) =>
      this.#guarded(() => {
        if (typeof body === 'number') this.#reply(tooLarge(body, bytesMax, option))
        else this.#take(found.route, this.#request(target, found.rest, body))
      }),
    )
  }

  #request({ rawPath, queryText }: Target, rest: string, body: Buffer): HttpRequest {
    const { method, headers, from } = this.#given
    const query = queryText === '' ? NO_QUERY : new URLSearchParams(queryText)
    return { method, path: rawPath, rest, query, headers, body, token: tokenOf(query, headers), from }
  }

  #take(route: Route, request: HttpRequest): void {
    const wrong = this.#api.gate.parametersWrong(request)
    if (wrong) return this.#reply(wrong)
    if ('read' in route) this.#read(route, request)
    else if ('ask' in route) this.#ask(route, request)
    else this.#run(route, request)
  }

  #read(route: ReadRoute, request: HttpRequest): void {
    const { parked, settings } = this.#api
    const wait = waitOf(request.query, settings)
    if (!('waitMs' in wait)) return this.#reply(wait)
    this.#stopWaiting = parked.read(
      keyOf(request),
      route,
      request,
      wait,
      (answer) => this.#finish(answer),
      (error) => this.#failed(error),
    )
  }

  #ask(route: AskRoute, request: HttpRequest): void {
    const { host, settings } = this.#api
    const asked = route.ask(request, settings)
    if (isRefused(asked)) return this.#reply(refusalReply(asked, route.statusOf))
    if (!('to' in asked)) return this.#reply(asked)
    host.ask(asked.to as never, asked.name as never, asked.request as never, asked.withinMs, (result: Result<unknown>) =>
      this.#guarded(() => this.#reply(isRefused(result) ? refusalReply(result, route.statusOf) : route.reply(result as never, request))),
    )
  }

  #run(route: RunRoute, request: HttpRequest): void {
    const { host, settings } = this.#api
    const context = createContext(host, settings)
    this.#stopWaiting = () => context.gone()
    route.run(request, context).then(
      (result) => this.#guarded(() => this.#reply(isRefused(result) ? refusalReply(result, route.statusOf) : result)),
      (error: unknown) => this.#failed(error),
    )
  }

  /** What an endpoint throws, or sending its answer does, is this request's own answer. */
  #guarded(work: () => void): void {
    if (this.#isOver) return
    try {
      work()
    } catch (error) {
      this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    if (this.#isOver) return
    const { method, url } = this.#given
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.#api.host.ports.print('error', 'http', `${method} ${pathOf(url)} failed`, { error: text })
    this.#reply({ status: 500, text: 'internal error; the log has it' })
  }

  #reply(reply: HttpReply): void {
    const pretty = this.#api.config.devMode || /[?&]pretty\b/.test(this.#given.url)
    this.#finish(encodeReply(reply, pretty, this.#api.headers))
  }

  #finish(answer: ApiAnswer): void {
    if (this.#isOver) return
    this.#done(answer)
    this.#isOver = true
  }
}

/** Bodies of keys and transactions have their own limits; anything else is a definition. */
function bodyLimit({ limits }: Config, path: string): { bytesMax: number; option: string } {
  if (path.startsWith('/v1/kv/')) return { bytesMax: limits.kvMaxValueSize, option: 'kv_max_value_size' }
  return { bytesMax: Math.max(limits.txnMaxReqLen, limits.kvMaxValueSize), option: 'txn_max_req_len' }
}

function pathOf(url: string): string {
  const target = targetOf(url)
  return 'status' in target ? url : target.rawPath
}
