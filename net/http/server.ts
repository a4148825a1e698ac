import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import type { Config } from '../../src/config/config.ts'
import { type Answer, Answers, encodeReply } from '../../src/http/answers.ts'
import { Parked, waitOf } from '../../src/http/blocking.ts'
import { createContext } from '../../src/http/context.ts'
import { keyOf } from '../../src/http/request.ts'
import type { AskRoute, EdgeSettings, HttpReply, HttpRequest, ReadRoute, Route, RunRoute } from '../../src/http/route.ts'
import { createRouter } from '../../src/http/router.ts'
import { refusalReply } from '../../src/http/status.ts'
import { cleanPath, redirected, targetOf } from '../../src/http/target.ts'
import type { Host } from '../../src/kernel/host.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import type { Layout } from '../../src/placement.ts'
import { Active } from './active.ts'
import { createGate } from './gate.ts'
import { listenOn } from './listen.ts'
import { readRequest } from './request.ts'

/** Smaller bodies are sent as they are even to clients that accept gzip. */
const GZIP_BYTES_MIN = 1_400
/** A weight of zero is a refusal. */
const GZIP_ACCEPTED = /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/i
/** How long answers that are under way may take once the agent stops. */
const DRAIN_MS = 500

export type HttpServer = { addresses: string[]; close(): Promise<void> }
export type HttpServerOptions = { host: Host; config: Config; layout: Layout; routes: readonly Route[] }

/** Serves the API on one thread. With more threads than one they share the port. Refused if a port is taken. */
export async function startHttp({ host, config, layout, routes }: HttpServerOptions): Promise<Result<HttpServer>> {
  const edge = createEdge(host, config, layout, routes)
  const reusePort = layout.length > 1
  const servers: Server[] = []
  const addresses: string[] = []
  for (const address of addressesOf(config, layout, host.thread)) {
    const server = createServer(
      { keepAliveTimeout: 0, ...(config.http.maxHeaderBytes > 0 && { maxHeaderSize: config.http.maxHeaderBytes }) },
      edge.take,
    )
    server.on('clientError', refuseGarbage)
    server.on('connection', edge.connected)
    servers.push(server)
    const listening = await listenOn(server, address, config.ports.http, reusePort, 'ports.http (-http-port)')
    if (isRefused(listening)) {
      for (const opened of servers) opened.close()
      return listening
    }
    addresses.push(listening)
  }
  return {
    addresses,
    async close() {
      const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())))
      for (const server of servers) server.closeIdleConnections()
      await edge.active.idle(DRAIN_MS)
      for (const server of servers) server.closeAllConnections()
      await Promise.all(closed)
    },
  }
}

/** A port can be shared by all edge threads, a socket's path is for the first of them. */
function addressesOf({ ports, addresses }: Config, layout: Layout, thread: number): readonly string[] {
  if (ports.http <= 0) return []
  const first = layout.findIndex((roles) => roles.includes('edge'))
  return addresses.http.filter((address) => thread === first || !address.startsWith('unix://'))
}

type Reply = (reply: HttpReply) => void

/** The API without its sockets. */
function createEdge(host: Host, config: Config, layout: Layout, routes: readonly Route[]) {
  const settings: EdgeSettings = {
    node: config.node.name,
    datacenter: config.datacenter,
    defaultWaitMs: config.query.defaultQueryTimeMs,
    maxWaitMs: config.query.maxQueryTimeMs,
    kvValueBytesMax: config.limits.kvMaxValueSize,
    threads: layout,
  }
  const find = createRouter(routes)
  const answers = new Answers(host, settings, config.devMode)
  const parked = new Parked(host, answers)
  const gate = createGate(config)
  const active = new Active()
  const fixedHeaders = Object.entries({
    Vary: 'Accept-Encoding',
    'X-Consul-Default-Acl-Policy': config.acl.defaultPolicy,
    ...(config.translateWanAddrs && { 'X-Consul-Translate-Addresses': 'true' }),
    ...config.http.responseHeaders,
  }).flat()

  function take(message: IncomingMessage, response: ServerResponse): void {
    host.count('api.http')
    const url = message.url ?? '/'
    if (message.method === 'GET' && gate.open) {
      const kept = answers.kept(url)
      if (kept && !mayChangeAnswer(message)) return sendAnswer(message, response, kept)
    }
    active.begin(response)
    const method = message.method ?? 'GET'
    const reply: Reply = (given) => sendReply(message, response, given)
    const target = targetOf(url)
    if ('status' in target) return reply(target)
    const { path, rawPath, queryText } = target
    const refusal = gate.refusal(message, path)
    if (refusal) return reply(refusal)
    const clean = cleanPath(path)
    if (clean !== undefined) return reply(redirected(method, clean, queryText))
    const found = find(method, path)
    if (!found) {
      if (path === '/') return reply({ text: 'Consul Agent' })
      return reply(find(method, `${path}/`) ? redirected(method, `${path}/`, queryText) : { status: 404 })
    }
    if ('allow' in found) {
      if (found.optionsOnly) return reply({ headers: { Allow: found.allow } })
      return reply({ status: 405, headers: { Allow: found.allow }, text: `method ${message.method} not allowed` })
    }
    readRequest(message, rawPath, found.rest, queryText, bodyBytesMax(config, path), (request) => {
      if ('status' in request) return reply(request)
      answer(found.route, request, message, response).catch((error: unknown) => {
        const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
        host.ports.print('error', 'http', `${request.method} ${request.path} failed`, { error: text })
        reply({ status: 500, text: 'internal error; the log has it' })
      })
    })
  }

  /** Fails where an endpoint breaks a promise; the connections of others go on then. */
  async function answer(route: Route, request: HttpRequest, message: IncomingMessage, response: ServerResponse): Promise<void> {
    const reply: Reply = (given) => sendReply(message, response, given)
    const wrong = gate.parametersWrong(request)
    if (wrong) return reply(wrong)
    if ('read' in route) return read(route, request, message, response)
    reply('ask' in route ? await ask(route, request) : await run(route, request, response))
  }

  function read(route: ReadRoute, request: HttpRequest, message: IncomingMessage, response: ServerResponse): void {
    const wait = waitOf(request.query, settings)
    if (!('waitMs' in wait)) return sendReply(message, response, wait)
    const giveUp = parked.read(keyOf(request), route, request, wait, (answer) => sendAnswer(message, response, answer))
    response.once('close', giveUp)
  }

  async function ask(route: AskRoute, request: HttpRequest): Promise<HttpReply> {
    const asked = route.ask(request, settings)
    if (isRefused(asked)) return refusalReply(asked, route.statusOf)
    if (!('to' in asked)) return asked
    const result: Result<unknown> = await host.asked(asked.to as never, asked.name as never, asked.request as never, asked.withinMs)
    return isRefused(result) ? refusalReply(result, route.statusOf) : route.reply(result as never, request)
  }

  async function run(route: RunRoute, request: HttpRequest, response: ServerResponse): Promise<HttpReply> {
    const context = createContext(host, settings)
    response.once('close', () => context.gone())
    const result = await route.run(request, context)
    return isRefused(result) ? refusalReply(result, route.statusOf) : result
  }

  function sendReply(message: IncomingMessage, response: ServerResponse, reply: HttpReply): void {
    const pretty = config.devMode || /[?&]pretty\b/.test(message.url ?? '')
    send(message, response, encodeReply(reply, pretty), [])
  }

  function sendAnswer(message: IncomingMessage, response: ServerResponse, answer: Answer): void {
    if (answer.index === undefined) return send(message, response, answer, [])
    const headers = ['X-Consul-Index', String(answer.index), 'X-Consul-Knownleader', 'true', 'X-Consul-Lastcontact', '0']
    if (answer.consistency !== '') headers.push('X-Consul-Effective-Consistency', answer.consistency)
    headers.push('X-Consul-Query-Backend', 'blocking-query')
    send(message, response, answer, headers)
  }

  function send(
    message: IncomingMessage,
    response: ServerResponse,
    answer: Pick<Answer, 'status' | 'headers' | 'type' | 'bytes'>,
    more: string[],
  ): void {
    if (response.destroyed) return
    const headers = [...fixedHeaders, ...more]
    for (const name in answer.headers) headers.push(name, answer.headers[name] ?? '')
    if (answer.type !== undefined) headers.push('Content-Type', answer.type)
    let { bytes } = answer
    if (bytes.byteLength >= GZIP_BYTES_MIN && GZIP_ACCEPTED.test(String(message.headers['accept-encoding'] ?? ''))) {
      bytes = gzipSync(bytes)
      headers.push('Content-Encoding', 'gzip')
    }
    headers.push('Content-Length', String(bytes.byteLength))
    response.writeHead(answer.status, headers)
    response.end(bytes)
  }

  return { take, connected: gate.connected, active }
}

/** Whether a request says more than its URL about what it wants to read. */
function mayChangeAnswer({ headers }: IncomingMessage): boolean {
  return headers['cache-control'] !== undefined || headers['x-consul-namespace'] !== undefined
}

/** Bodies of keys and transactions have their own limits; anything else is a definition. */
function bodyBytesMax(config: Config, path: string): { bytesMax: number; option: string } {
  if (path.startsWith('/v1/kv/')) return { bytesMax: config.limits.kvMaxValueSize, option: 'kv_max_value_size' }
  return { bytesMax: Math.max(config.limits.txnMaxReqLen, config.limits.kvMaxValueSize), option: 'txn_max_req_len' }
}

function refuseGarbage(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy()
  const tooLarge = error.code === 'HPE_HEADER_OVERFLOW'
  const status = tooLarge ? '431 Request Header Fields Too Large' : '400 Bad Request'
  socket.end(`HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${status}`)
}
