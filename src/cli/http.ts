import http from 'node:http'
import type { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { isRefused, type Result, refuse } from '../kernel/refusal.ts'
import { networkProblem } from './http-problems.ts'
import type { HttpSettings } from './http-settings.ts'

/** An agent's HTTP API as commands use it. All paths begin with `/v1/`; they are encoded here. */
export type HttpClient = {
  readonly settings: HttpSettings
  /**
   * Refused unless answered with a status from 200 to 299 or one of `also`. The texts are the reference's:
   * `Unexpected response code: 500 (body)`, `Get "http://…": dial tcp 127.0.0.1:8500: connect: connection refused`.
   */
  request(method: HttpMethod, path: string, options?: RequestOptions): Promise<Result<HttpReply>>
  /** GET, with the answer read as JSON. Its shape is the API's promise and is not looked at. */
  json<Body>(path: string, params?: HttpParams): Promise<Result<{ value: Body }>>
}

export type HttpMethod = 'GET' | 'PUT' | 'POST' | 'DELETE'
/** Query parameters; one that is undefined is left out, a list is repeated. */
export type HttpParams = Readonly<Record<string, string | readonly string[] | undefined>>
export type RequestOptions = {
  params?: HttpParams
  /** Sent as it is; an object as JSON. */
  body?: string | Uint8Array | object
  /** In place of `body`: so many bytes, sent as they come. */
  bodyStream?: { stream: Readable; bytes: number }
  /** Takes the body of an answer from 200 to 299, which then is empty in the reply. Ended when all is written. */
  into?: () => Writable
  also?: readonly number[]
  signal?: AbortSignal
  /** Gets the pieces of a good answer's body as they come; the reply's own is empty then. */
  take?: (piece: Buffer) => void
  /** A good answer begins; what goes wrong after that does so on the way. */
  began?: () => void
}
export type HttpReply = {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
  /** What the agent has to say about what was written, one sentence each. */
  readonly warnings: readonly string[]
}

export function httpClient(settings: HttpSettings): HttpClient {
  const request: HttpClient['request'] = async (method, path, options = {}) => {
    const target = encodePath(path) + queryString(settings, method, options.params ?? {})
    const reply = await exchange(settings, method, target, options)
    if (isRefused(reply)) return reply
    if ((reply.status >= 200 && reply.status < 300) || options.also?.includes(reply.status)) return reply
    return refuse('invalid', `Unexpected response code: ${reply.status} (${saidBy(reply)})`)
  }
  return {
    settings,
    request,
    async json<Body>(path: string, params: HttpParams = {}) {
      const reply = await request('GET', path, { params })
      if (isRefused(reply)) return reply
      return parseJson<Body>(reply.body.toString('utf8'), path)
    },
  }
}

/** The sender of `text` promises its shape; only the syntax is looked at. */
export function parseJson<Body>(text: string, source: string): Result<{ value: Body }> {
  try {
    return { value: JSON.parse(text) as Body }
  } catch (error) {
    return refuse('invalid', `${source} did not answer with JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** One request on a connection of its own. */
async function exchange(settings: HttpSettings, method: HttpMethod, target: string, options: RequestOptions): Promise<Result<HttpReply>> {
  const { body, contentType } = bodyBytes(options.body)
  const { bodyStream, into } = options
  const requestOptions: http.RequestOptions = {
    method,
    path: target,
    agent: false,
    headers: headersOf(settings, bodyStream?.bytes ?? body?.length, bodyStream ? BYTES : contentType),
    ...(settings.socketPath === '' ? { host: settings.host, port: settings.port } : { socketPath: settings.socketPath }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  }
  const send = settings.scheme === 'https' ? await tlsSender(settings) : http.request
  return new Promise((resolve) => {
    const fail = (error: unknown) => resolve(refuse('gone', networkProblem(settings, method, target, error)))
    const outgoing = send(requestOptions, (incoming) => {
      const { statusCode = 0, headers } = incoming
      const warnings = incoming.headersDistinct['x-tribune-warning'] ?? []
      if (into && statusCode >= 200 && statusCode < 300) {
        pipeline(incoming, into()).then(() => resolve({ status: statusCode, headers, body: NO_BODY, warnings }), fail)
        return
      }
      const chunks: Buffer[] = []
      const isGood = (incoming.statusCode ?? 0) >= 200 && (incoming.statusCode ?? 0) < 300
      if (isGood) options.began?.()
      const take = isGood && options.take ? options.take : (chunk: Buffer) => chunks.push(chunk)
      incoming.on('data', take)
      incoming.on('error', fail)
      incoming.on('end', () => resolve({ status: statusCode, headers, body: Buffer.concat(chunks), warnings }))
    })
    outgoing.on('error', fail)
    if (bodyStream) pipeline(bodyStream.stream, outgoing).catch(fail)
    else outgoing.end(body)
  })
}

const NO_BODY = Buffer.alloc(0)
const BYTES = 'application/octet-stream'

/** TLS is loaded only where it is spoken, because that takes time. */
async function tlsSender({ tls, host }: HttpSettings): Promise<typeof http.request> {
  const { default: https } = await import('node:https')
  return ((options: http.RequestOptions, answered: (incoming: http.IncomingMessage) => void) =>
    https.request(
      {
        ...options,
        ...(tls.authorities.length === 0 ? {} : { ca: [...tls.authorities] }),
        ...(tls.clientCert === '' ? {} : { cert: tls.clientCert, key: tls.clientKey }),
        ...(tls.serverName === '' ? {} : { servername: tls.serverName }),
        ...(tls.serverName === '' && host === '' ? { servername: 'localhost' } : {}),
        rejectUnauthorized: tls.verify,
      },
      answered,
    )) as typeof http.request
}

function headersOf(settings: HttpSettings, bodyBytes: number | undefined, contentType: string | undefined): http.OutgoingHttpHeaders {
  return {
    host: settings.socketPath === '' ? settings.authority : 'localhost',
    connection: 'close',
    ...(settings.token === '' ? {} : { 'x-consul-token': settings.token }),
    ...(settings.basicAuth === '' ? {} : { authorization: `Basic ${Buffer.from(settings.basicAuth).toString('base64')}` }),
    ...(contentType === undefined ? {} : { 'content-type': contentType }),
    ...(bodyBytes === undefined ? {} : { 'content-length': bodyBytes }),
  }
}

function bodyBytes(body: RequestOptions['body']): { body: Uint8Array | undefined; contentType: string | undefined } {
  if (body === undefined) return { body: undefined, contentType: undefined }
  if (typeof body === 'string') return { body: Buffer.from(body), contentType: BYTES }
  if (body instanceof Uint8Array) return { body, contentType: BYTES }
  return { body: Buffer.from(JSON.stringify(body)), contentType: 'application/json' }
}

/** Redirects are not followed: that would read or write under another name than the one given. */
function saidBy({ headers: { location }, body }: HttpReply): string {
  return location === undefined ? body.toString('utf8') : `paths cannot have empty, "." or ".." parts; the nearest is ${location}`
}

/** As Go writes a path: everything but unreserved characters and `$&+,/:;=@` is escaped. */
function encodePath(path: string): string {
  return encodeURIComponent(path.toWellFormed())
    .replace(/%(24|26|2B|2C|2F|3A|3B|3D|40)/g, (escaped) => decodeURIComponent(escaped))
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}

/** With the question mark, sorted by name. Only reads may be stale. */
function queryString(settings: HttpSettings, method: HttpMethod, params: HttpParams): string {
  const query = new URLSearchParams()
  if (settings.datacenter !== '') query.set('dc', settings.datacenter)
  if (settings.namespace !== '') query.set('ns', settings.namespace)
  if (settings.stale && method === 'GET') query.set('stale', '')
  for (const [name, value] of Object.entries(params)) {
    if (value === undefined) continue
    for (const one of typeof value === 'string' ? [value] : value) query.append(name, one)
  }
  query.sort()
  const text = query.toString()
  return text === '' ? '' : `?${text}`
}
