import http from 'node:http'
import https from 'node:https'
import type { HttpSettings } from '../cli/http-settings.ts'
import { ConnectionError, ResponseError } from './errors.ts'

/** `true` is a name without a value; what is undefined or false is left out; a list is repeated. */
export type Query = Readonly<Record<string, string | number | bigint | boolean | readonly string[] | undefined>>

export type Method = 'GET' | 'PUT' | 'POST' | 'DELETE'

export type RequestOptions = {
  query?: Query
  /** Texts and bytes as they are, everything else as JSON. */
  body?: string | Uint8Array | object | undefined
  /** Rejects with the signal's reason. */
  signal?: AbortSignal | undefined
  /** Instead of the client's. */
  token?: string | undefined
  datacenter?: string | undefined
  /** How long it may take. */
  timeoutMs?: number
  /** Statuses besides 200 to 299 that are no error. */
  also?: readonly number[]
}

export type Reply = { readonly status: number; readonly headers: http.IncomingHttpHeaders; readonly text: string }

export type Transport = {
  /** One request. Path segments are encoded by whoever asks. Rejects with a ResponseError or a ConnectionError. */
  request(method: Method, path: string, options?: RequestOptions): Promise<Reply>
  /** Ends idle connections. */
  close(): void
}

export function createTransport(settings: HttpSettings, timeoutMs: number): Transport {
  const agent = agentOf(settings)
  const send = async (method: Method, path: string, options: RequestOptions): Promise<Reply> => {
    const limitMs = options.timeoutMs ?? timeoutMs
    const target = path + queryText(settings, method, options)
    const reply = await once(settings, agent, { method, target, options, limitMs }, method === 'GET')
    if ((reply.status >= 200 && reply.status < 300) || options.also?.includes(reply.status)) return reply
    throw new ResponseError({ status: reply.status, text: reply.text, method, path })
  }
  return { request: (method, path, options = {}) => send(method, path, options), close: () => agent.destroy() }
}

type Exchange = { method: Method; target: string; options: RequestOptions; limitMs: number }

/** What a connection that was idle loses has not been read by anybody, so a question may be asked once more. */
async function once(settings: HttpSettings, agent: http.Agent, exchange: Exchange, mayRepeat: boolean): Promise<Reply> {
  const { signal } = exchange.options
  signal?.throwIfAborted()
  return new Promise((resolve, reject) => {
    const { method, target, options, limitMs } = exchange
    const { body, type } = bodyOf(options.body)
    const request = senderOf(settings)({
      method,
      path: target,
      agent,
      headers: headersOf(settings, options, body, type),
      ...(settings.socketPath === '' ? { host: settings.host, port: settings.port } : { socketPath: settings.socketPath }),
    })
    const end = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
    }
    const fail = (error: NodeJS.ErrnoException) => {
      end()
      if (signal?.aborted) return reject(signal.reason)
      if (mayRepeat && request.reusedSocket && error.code === 'ECONNRESET') return resolve(once(settings, agent, exchange, false))
      if (error instanceof ConnectionError) return reject(error)
      reject(new ConnectionError(`${method} ${target.split('?')[0]}: ${messageOf(error)}`, error.code ?? '', error))
    }
    const stop = () => request.destroy()
    const late = () =>
      request.destroy(new ConnectionError(`${method} ${target.split('?')[0]}: no answer within ${limitMs} ms`, 'ETIMEDOUT'))
    const timer = setTimeout(late, limitMs)
    signal?.addEventListener('abort', stop)
    request.on('error', fail)
    request.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('error', fail)
      response.on('end', () => {
        end()
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text })
      })
    })
    request.end(body)
  })
}

function senderOf({ scheme }: HttpSettings): (options: http.RequestOptions) => http.ClientRequest {
  return scheme === 'https' ? https.request : http.request
}

function agentOf({ scheme, tls, host }: HttpSettings): http.Agent {
  if (scheme !== 'https') return new http.Agent({ keepAlive: true })
  const serverName = tls.serverName === '' && host === '' ? 'localhost' : tls.serverName
  return new https.Agent({
    keepAlive: true,
    rejectUnauthorized: tls.verify,
    ...(tls.authorities.length > 0 && { ca: [...tls.authorities] }),
    ...(tls.clientCert !== '' && { cert: tls.clientCert, key: tls.clientKey }),
    ...(serverName !== '' && { servername: serverName }),
  })
}

function headersOf(settings: HttpSettings, options: RequestOptions, body: Uint8Array | undefined, type: string): http.OutgoingHttpHeaders {
  const token = options.token ?? settings.token
  return {
    host: settings.socketPath === '' ? settings.authority : 'localhost',
    ...(token !== '' && { 'x-consul-token': token }),
    ...(settings.basicAuth !== '' && { authorization: `Basic ${Buffer.from(settings.basicAuth).toString('base64')}` }),
    ...(body !== undefined && { 'content-type': type, 'content-length': body.byteLength }),
  }
}

function bodyOf(body: RequestOptions['body']): { body: Uint8Array | undefined; type: string } {
  if (body === undefined) return { body: undefined, type: '' }
  if (typeof body === 'string') return { body: Buffer.from(body), type: 'application/octet-stream' }
  if (body instanceof Uint8Array) return { body, type: 'application/octet-stream' }
  return { body: Buffer.from(JSON.stringify(body)), type: 'application/json' }
}

function queryText(settings: HttpSettings, method: Method, { query = {}, datacenter = settings.datacenter }: RequestOptions): string {
  const pairs = new URLSearchParams()
  if (datacenter !== '') pairs.set('dc', datacenter)
  if (settings.namespace !== '') pairs.set('ns', settings.namespace)
  const isSet = (name: string) => query[name] !== undefined && query[name] !== false
  if (settings.stale && method === 'GET' && !isSet('consistent')) pairs.set('stale', '')
  for (const [name, value] of Object.entries(query)) {
    if (!isSet(name)) continue
    if (Array.isArray(value)) for (const one of value as string[]) pairs.append(name, one)
    else pairs.set(name, value === true ? '' : String(value))
  }
  const text = pairs.toString()
  return text === '' ? '' : `?${text}`
}

/** A name with several addresses fails with several errors; the first one says what is wrong. */
function messageOf(error: Error): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error
  return first instanceof Error ? first.message : String(first)
}
