import { readdir, readFile } from 'node:fs/promises'
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { createSecureContext } from 'node:tls'
import { isRefused, type RefusalCode, type Result, refuse } from '../../src/kernel/refusal.ts'
import { attempt } from '../pki/keys.ts'
import type { VaultConfig } from './vault-config.ts'

/** Vault's HTTP API. Source: developer.hashicorp.com/vault/api-docs. */
export type Vault = {
  /** The answer of Vault, or its refusal: `forbidden` and `invalid` with Vault's text, `busy` or `late` if it could not be reached or
   * was not ready. 404 is an answer. No text has the token in it. */
  call(request: VaultRequest): Promise<Result<VaultReply>>
}
export type VaultRequest = {
  method: 'GET' | 'POST' | 'DELETE'
  /** Below `/v1/`. */
  path: string
  body?: object
  /** Whether it may be sent again when nobody knows whether it was done. What Vault said it did not do is always sent again. */
  repeats: boolean
}
export type VaultReply = {
  status: number
  /** `data` of the answer, or `auth`; {} if there is none. */
  data: Record<string, unknown>
  warnings: string[]
  /** The whole body. */
  text: string
}

/** How long a request may take with all its tries, and how long one of them. */
export type VaultLimits = { callMsMax: number; attemptMsMax: number }
/** Whoever waits for a leaf does so for ten seconds. */
export const VAULT_LIMITS: VaultLimits = { callMsMax: 9_000, attemptMsMax: 5_000 }

/** Reads the files that the configuration names. */
export async function openVault(config: VaultConfig, limits: VaultLimits): Promise<Result<Vault>> {
  const tls = await tlsOptions(config)
  if (isRefused(tls)) return tls
  const agents = { 'http:': new HttpAgent(KEPT), 'https:': new HttpsAgent({ ...KEPT, ...tls }) }
  return { call: (request) => callWithin(request, { config, agents, limits }) }
}

type Agents = { 'http:': HttpAgent; 'https:': HttpsAgent }
type Access = { config: VaultConfig; agents: Agents; limits: VaultLimits }
/** `isDone`: whether Vault may have done what was asked. */
type Failure = { code: RefusalCode; why: string; again: boolean; isDone: boolean }

const KEPT = { keepAlive: true, maxSockets: 32, timeout: 30_000 }
const BACKOFF_MS_MIN = 100
const BACKOFF_MS_MAX = 2_000
const BODY_BYTES_MAX = 1_048_576
const REDIRECTS_MAX = 2

async function callWithin(request: VaultRequest, access: Access): Promise<Result<VaultReply>> {
  const { config, limits } = access
  const untilMs = performance.now() + limits.callMsMax
  const leftMs = () => untilMs - performance.now()
  for (let backoffMs = BACKOFF_MS_MIN; ; backoffMs = Math.min(BACKOFF_MS_MAX, 2 * backoffMs)) {
    const outcome = await attemptOnce(request, access, Math.min(limits.attemptMsMax, Math.max(BACKOFF_MS_MIN, leftMs())))
    if (!('again' in outcome)) return outcome
    const mayRepeat = outcome.again && (request.repeats || !outcome.isDone)
    const pauseMs = backoffMs * (0.75 + Math.random() / 2)
    if (mayRepeat && leftMs() > pauseMs + BACKOFF_MS_MIN) await wait(pauseMs)
    else return refuse(outcome.code, outcome.why.replaceAll(config.token, '<token>'))
  }
}

async function attemptOnce(
  { method, path, body }: VaultRequest,
  { config, agents }: Access,
  withinMs: number,
): Promise<VaultReply | Failure> {
  let target = new URL(config.address)
  target.pathname = `${target.pathname.replace(/\/$/, '')}/v1/${path.split('/').map(encodeURIComponent).join('/')}`
  const sent = body === undefined ? undefined : JSON.stringify(body)
  const headers = {
    'X-Vault-Request': 'true',
    'X-Vault-Token': config.token,
    ...(config.namespace !== '' && { 'X-Vault-Namespace': config.namespace }),
    ...(sent !== undefined && { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(sent) }),
  }
  // A server on standby names the active one.
  for (let redirects = 0; ; redirects++) {
    const answer = await exchange(target, { method, headers, sent, agents, withinMs })
    if ('again' in answer) return answer
    const next = redirectOf(answer, target)
    if (next === undefined) return replyOf(answer)
    if (isRefused(next)) return { code: 'invalid', why: next.why, again: false, isDone: false }
    if (redirects >= REDIRECTS_MAX) return { code: 'busy', why: 'Address: more than two redirects', again: true, isDone: false }
    target = next
  }
}

type Sent = { method: string; headers: Record<string, string | number>; sent: string | undefined; agents: Agents; withinMs: number }
type Answer = { status: number; location: string | undefined; text: string }

function exchange(target: URL, { method, headers, sent, agents, withinMs }: Sent): Promise<Answer | Failure> {
  return new Promise((resolve) => {
    const secure = target.protocol === 'https:'
    const request = secure
      ? httpsRequest(target, { method, headers, agent: agents['https:'] })
      : httpRequest(target, { method, headers, agent: agents['http:'] })
    const timer = setTimeout(() => {
      resolve({ code: 'late', why: `Address: no answer from ${target.host} within ${Math.round(withinMs)} ms`, again: true, isDone: true })
      request.destroy()
    }, withinMs)
    request.on('close', () => clearTimeout(timer))
    request.on('error', (error) => resolve(connectionFailure(error, target)))
    request.on('response', (response) => {
      response.on('error', (error) => resolve(connectionFailure(error, target)))
      readBody(response, (text) => {
        if (text === undefined) request.destroy(new Error(`an answer of more than ${BODY_BYTES_MAX} bytes`))
        else resolve({ status: response.statusCode ?? 0, location: response.headers.location, text })
      })
    })
    request.end(sent)
  })
}

function readBody(response: IncomingMessage, done: (text: string | undefined) => void): void {
  let text = ''
  response.setEncoding('utf8')
  response.on('data', (piece: string) => {
    text += piece
    if (text.length > BODY_BYTES_MAX) done(undefined)
  })
  response.on('end', () => done(text))
}

function connectionFailure(error: NodeJS.ErrnoException, { host }: URL): Failure {
  const code = error.code ?? ''
  // A connection to several addresses fails with a text of its own for each of them.
  const why = error instanceof AggregateError ? error.errors.map(String).join('; ') : error.message
  if (CERTIFICATE_FAULT.test(code)) {
    return {
      code: 'invalid',
      why: `Address: the certificate of ${host} is not trusted (CAFile, CAPath, TLSServerName): ${why}`,
      again: false,
      isDone: false,
    }
  }
  return { code: 'busy', why: `Address: ${host} cannot be reached: ${why}`, again: true, isDone: !NEVER_CONNECTED.includes(code) }
}

/** Names of OpenSSL's reasons against a chain, and Node's against a name. */
const CERTIFICATE_FAULT = /^(CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|ERR_TLS_CERT_ALTNAME)/
const NEVER_CONNECTED = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']

function redirectOf({ status, location }: Answer, from: URL): Result<URL> | undefined {
  if (![301, 302, 307, 308].includes(status) || location === undefined) return undefined
  const next = URL.canParse(location, from.href) ? new URL(location, from) : undefined
  const isFit = next && (next.protocol === 'https:' || next.protocol === from.protocol)
  return isFit ? next : refuse('invalid', `Address: Vault redirects to ${JSON.stringify(location)}, where no token is sent`)
}

function replyOf({ status, text }: Answer): VaultReply | Failure {
  const body = objectIn(text)
  const { data, auth } = body
  if (status < 300 || status === 404)
    return { status, data: isObject(data) ? data : isObject(auth) ? auth : {}, warnings: textsOf(body['warnings']), text }
  const why = textsOf(body['errors']).join('; ').replace(/\s+/g, ' ').trim() || `HTTP status ${status}`
  if (status === 403) return { code: 'forbidden', why, again: false, isDone: false }
  if (status < 500 && !NOT_READY.includes(status)) return { code: 'invalid', why, again: false, isDone: false }
  return { code: 'busy', why, again: true, isDone: !NOT_DONE.includes(status) }
}

/** Too many requests, a replica that is behind, a standby of a second cluster. */
const NOT_READY = [412, 429, 472, 473]
const NOT_DONE = [...NOT_READY, 503]

function objectIn(text: string): Record<string, unknown> {
  const parsed = attempt(() => JSON.parse(text || '{}') as unknown, 'not JSON')
  return isObject(parsed) ? parsed : {}
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : []
}

type TlsOptions = { ca?: string[]; cert?: string; key?: string; servername?: string; rejectUnauthorized: boolean }

async function tlsOptions({ tls }: VaultConfig): Promise<Result<TlsOptions>> {
  const options: TlsOptions = { rejectUnauthorized: !tls.skipVerify, ...(tls.serverName !== '' && { servername: tls.serverName }) }
  if (tls.caFile !== '' || tls.caPath !== '') {
    const ca = tls.caFile !== '' ? await pemFile(tls.caFile, 'CAFile') : await pemFolder(tls.caPath)
    if (isRefused(ca)) return ca
    options.ca = [ca]
  }
  if (tls.certFile !== '') {
    const cert = await pemFile(tls.certFile, 'CertFile')
    if (isRefused(cert)) return cert
    const key = await pemFile(tls.keyFile, 'KeyFile')
    if (isRefused(key)) return key
    const fits = attempt(() => createSecureContext({ cert, key }), 'KeyFile: does not fit CertFile')
    if (isRefused(fits)) return fits
    Object.assign(options, { cert, key })
  }
  return options
}

async function pemFolder(path: string): Promise<Result<string>> {
  try {
    const names = (await readdir(path, { withFileTypes: true })).filter((entry) => !entry.isDirectory()).map(({ name }) => name)
    const texts = await Promise.all(names.sort().map((name) => readFile(join(path, name), 'utf8')))
    const pems = texts.filter((text) => text.includes('-----BEGIN CERTIFICATE-----'))
    return pems.length > 0 ? pems.join('\n') : refuse('invalid', `CAPath: no PEM certificate in ${path}`)
  } catch (error) {
    return refuse('invalid', `CAPath: ${error instanceof Error ? error.message : String(error)}`)
  }
}

async function pemFile(path: string, key: string): Promise<Result<string>> {
  try {
    const text = await readFile(path, 'utf8')
    return text.includes('-----BEGIN ') ? text : refuse('invalid', `${key}: nothing in PEM in ${path}`)
  } catch (error) {
    return refuse('invalid', `${key}: ${error instanceof Error ? error.message : String(error)}`)
  }
}
