import { type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { HealthStatus, ProbeRequest } from '../../src/kernel/ports.ts'
import { httpErrorText } from './http-errors.ts'
import { critical, type Probe } from './probe.ts'
import { Tail } from './tail.ts'

/**
 * One request on a connection of its own. 2xx is passing, 429 warning, everything else critical, and so is no answer in time.
 * The output is Consul's line with the end of the body. Redirects are followed as Go does it: ten requests at most, after 301,
 * 302 and 303 with GET and no body, and without credentials on another host.
 */
export const httpProbe: Probe<'http'> = (request, done) => {
  const method = request.method || 'GET'
  const first: Visit = { url: request.url, method, body: request.body, headers: headersOf(request.headers), count: 1 }
  const tail = new Tail(request.outputMax)
  let visit = first
  let open: ClientRequest | undefined
  let answered: IncomingMessage | undefined

  const timer = setTimeout(
    () => {
      if (answered) end(answered)
      else fail('context deadline exceeded (Client.Timeout exceeded while awaiting headers)')
    },
    request.timeoutMs > 0 ? request.timeoutMs : TIMEOUT_MS_DEFAULT,
  )

  function close(): void {
    clearTimeout(timer)
    open?.destroy()
  }

  function fail(why: string): void {
    close()
    done(
      critical(`${method.slice(0, 1).toUpperCase()}${method.slice(1).toLowerCase()} ${JSON.stringify(withoutPassword(visit.url))}: ${why}`),
    )
  }

  function end({ statusCode = 0, statusMessage = '' }: IncomingMessage): void {
    close()
    done({ status: statusOf(statusCode), output: `HTTP ${method} ${request.url}: ${statusCode} ${statusMessage} Output: ${tail.text()}` })
  }

  function receive(response: IncomingMessage): void {
    const location = request.disableRedirects ? undefined : locationOf(response)
    if (location !== undefined) {
      open?.destroy()
      const next = following(visit, response.statusCode ?? 0, location)
      if (typeof next === 'string') return fail(next)
      visit = next
      return go()
    }
    answered = response
    response.on('data', (chunk: Buffer) => tail.add(chunk))
    response.on('end', () => end(response))
    // A body that breaks off still leaves the status, which is what counts.
    response.on('error', () => end(response))
  }

  function go(): void {
    const asked = visit
    const started = start(asked, request)
    if (typeof started === 'string') return fail(started)
    open = started
    started.on('response', receive)
    started.on('upgrade', (response) => end(response))
    started.on('error', (error) => {
      if (visit === asked && !answered) fail(httpErrorText(error, new URL(asked.url)))
    })
    started.end(asked.body)
  }

  go()
}

const TIMEOUT_MS_DEFAULT = 10_000
const REQUESTS_MAX = 10
const DEFAULT_HEADERS: Headers = { 'User-Agent': ['Consul Health Check'], Accept: ['text/plain, text/*, */*'] }
const SECRET_HEADERS = new Set(['authorization', 'cookie', 'cookie2', 'www-authenticate'])

type Headers = Record<string, string[]>
type Visit = { url: string; method: string; body: string; headers: Headers; count: number }

function headersOf(given: Headers): Headers {
  const names = new Set(Object.keys(given).map((name) => name.toLowerCase()))
  const defaults = Object.entries(DEFAULT_HEADERS).filter(([name]) => !names.has(name.toLowerCase()))
  const chosen = Object.entries(given).filter(([name]) => name.toLowerCase() !== 'content-length')
  return Object.fromEntries([...defaults, ...chosen])
}

/** The request on its way, or Go's words for why it cannot be made. */
function start({ url, method, body, headers }: Visit, probe: Extract<ProbeRequest, { kind: 'http' }>): ClientRequest | string {
  const target = parsed(url)
  if (!target) return 'invalid URL'
  if (target.protocol !== 'http:' && target.protocol !== 'https:')
    return `unsupported protocol scheme ${JSON.stringify(target.protocol.slice(0, -1))}`
  const length = body === '' ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }
  const options: RequestOptions = { method, headers: { ...oneHost(headers), ...length }, agent: false }
  try {
    if (target.protocol === 'http:') return httpRequest(target, options)
    const servername = probe.tlsServerName === '' ? {} : { servername: probe.tlsServerName }
    return httpsRequest(target, { ...options, ...servername, rejectUnauthorized: !probe.tlsSkipVerify })
  } catch (error) {
    return `net/http: ${error instanceof Error ? error.message : String(error)}`
  }
}

/** Node wants one value for the Host header. */
function oneHost(headers: Headers): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, values]) => [name, name.toLowerCase() === 'host' ? (values[0] ?? '') : values]),
  )
}

function locationOf({ statusCode = 0, headers }: IncomingMessage): string | undefined {
  return [301, 302, 303, 307, 308].includes(statusCode) ? headers.location : undefined
}

/** The visit that a redirect asks for, or Go's words for why it is not made. */
function following(visit: Visit, statusCode: number, location: string): Visit | string {
  if (visit.count >= REQUESTS_MAX) return `stopped after ${REQUESTS_MAX} redirects`
  const before = new URL(visit.url)
  const target = parsed(location, before)
  if (!target) return `failed to parse Location header ${JSON.stringify(location)}`
  const isElsewhere = target.host !== before.host
  const headers = Object.entries(visit.headers).filter(([name]) => {
    const lower = name.toLowerCase()
    return !isElsewhere || (lower !== 'host' && !SECRET_HEADERS.has(lower))
  })
  const keepsMethod = statusCode === 307 || statusCode === 308 || visit.method === 'HEAD' || visit.method === 'GET'
  const keepsBody = statusCode === 307 || statusCode === 308
  return {
    url: target.href,
    method: keepsMethod ? visit.method : 'GET',
    body: keepsBody ? visit.body : '',
    headers: Object.fromEntries(headers),
    count: visit.count + 1,
  }
}

function statusOf(code: number): HealthStatus {
  if (code >= 200 && code <= 299) return 'passing'
  return code === 429 ? 'warning' : 'critical'
}

function withoutPassword(url: string): string {
  const shown = parsed(url)
  if (!shown?.password) return url
  shown.password = '***'
  return shown.href
}

function parsed(url: string, base?: URL): URL | undefined {
  return URL.canParse(url, base?.href) ? new URL(url, base) : undefined
}
