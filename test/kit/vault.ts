import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { type Asked, askPki, msOf, newEngine, type PkiEngine, type Reply } from './vault-pki.ts'

/** Paths (`*` at the end: and what begins so) with what may be done there. */
export type VaultPolicy = Readonly<Record<string, readonly VaultCapability[]>>
export type VaultCapability = 'create' | 'read' | 'update' | 'delete' | 'list' | 'sudo'
export type VaultToken = { ttlMs: number; renewable: boolean; maxTtlMs?: number; policy?: VaultPolicy }

export type VaultOptions = {
  /** As Vault from 1.11 on. */
  keepsIssuers?: boolean
  /** Speaks HTTPS. `ca`: asks for certificates that it signed. */
  tls?: { cert: string; key: string; ca?: string }
  /** Only in this namespace. */
  namespace?: string
}

/** What it does wrong, until it is told otherwise. `drops`: so many requests are done, but the connection ends before the answer. */
export type VaultTrouble = { sealed: boolean; status: number; statuses: number; hangs: boolean; drops: number; redirectsTo: string }

/**
 * A Vault that a test can ask over HTTP: tokens with policies and leases, mounts, PKI engines with real certificates. It is written
 * from Vault's documented API; docs/authorities.md says what that proves.
 */
export async function startVault(options: VaultOptions = {}) {
  const engines = new Map<string, PkiEngine>()
  const others = new Map<string, string>([
    ['secret', 'kv'],
    ['sys', 'system'],
  ])
  const tokens = new Map<string, Lease>()
  const asked: string[] = []
  const trouble: VaultTrouble = { sealed: false, status: 0, statuses: 0, hangs: false, drops: 0, redirectsTo: '' }
  let aheadMs = 0
  const nowMs = () => Date.now() + aheadMs
  const newToken = ({ ttlMs, renewable, maxTtlMs = Number.POSITIVE_INFINITY, policy }: VaultToken): string => {
    const token = `hvs.${randomBytes(12).toString('hex')}`
    const lease = {
      wholeMs: ttlMs,
      endMs: ttlMs === 0 ? Number.POSITIVE_INFINITY : nowMs() + ttlMs,
      lastMs: nowMs() + maxTtlMs,
      renewable,
      policy,
    }
    tokens.set(token, lease)
    return token
  }
  const world: World = { engines, others, tokens, options, nowMs }
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const text = await textOf(request)
    const path = decodeURIComponent((request.url ?? '').replace(/^\/v1\//, ''))
    asked.push(`${request.method} ${path}`)
    if (trouble.hangs) return
    if (trouble.redirectsTo !== '') return void response.writeHead(307, { Location: `${trouble.redirectsTo}${request.url}` }).end()
    if (trouble.sealed) return send(response, { status: 503, errors: ['Vault is sealed'] })
    if (trouble.statuses > 0) {
      trouble.statuses--
      return send(response, { status: trouble.status, errors: [`told to say ${trouble.status}`] })
    }
    const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
    const reply = await reached(world, { method: request.method ?? '', path, body, nowMs: nowMs() }, request)
    if (trouble.drops > 0) {
      trouble.drops--
      return void request.socket.destroy()
    }
    send(response, reply)
  }
  const serve = (request: IncomingMessage, response: ServerResponse) =>
    answer(request, response).catch((error: unknown) => send(response, { status: 500, errors: [String(error)] }))
  const { tls } = options
  const server = tls
    ? createTlsServer({ ...tls, requestCert: tls.ca !== undefined, rejectUnauthorized: tls.ca !== undefined }, serve)
    : createServer(serve)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    address: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    rootToken: newToken({ ttlMs: 0, renewable: false }),
    newToken,
    /** `METHOD path` of each request. */
    asked,
    engines,
    trouble,
    tokens,
    advance: (ms: number) => (aheadMs += ms),
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

export type VaultDouble = Awaited<ReturnType<typeof startVault>>

/** What Consul's documentation, and docs/authorities.md, have a token do. */
export function meshPolicy(rootPath: string, intermediatePath: string): VaultPolicy {
  return {
    'sys/mounts': ['read'],
    [`sys/mounts/${rootPath}`]: ['create', 'update'],
    [`sys/mounts/${intermediatePath}`]: ['create', 'update', 'delete'],
    [`sys/mounts/${intermediatePath}/tune`]: ['update'],
    [`${rootPath}/root/generate/internal`]: ['update'],
    [`${rootPath}/root/sign-intermediate`]: ['update'],
    [`${rootPath}/root/sign-self-issued`]: ['update', 'sudo'],
    [`${intermediatePath}/*`]: ['create', 'read', 'update', 'delete', 'list'],
  }
}

type Lease = { wholeMs: number; endMs: number; lastMs: number; renewable: boolean; policy: VaultPolicy | undefined }
type World = {
  engines: Map<string, PkiEngine>
  others: Map<string, string>
  tokens: Map<string, Lease>
  options: VaultOptions
  nowMs: () => number
}

const DEFAULT_POLICY: VaultPolicy = {
  'auth/token/lookup-self': ['read'],
  'auth/token/renew-self': ['update'],
  'sys/capabilities-self': ['update'],
}
const NEEDS: Readonly<Record<string, VaultCapability>> = { GET: 'read', POST: 'update', DELETE: 'delete' }
const DENIED: Reply = { status: 403, errors: ['1 error occurred:\n\t* permission denied\n\n'] }
const SYSTEM_TTL_MS = 768 * 3_600_000

async function reached(world: World, asked: Asked, { headers }: IncomingMessage): Promise<Reply> {
  const { engines, tokens, options } = world
  const mount = mountOf(world, asked.path)
  const isPublic = asked.method === 'GET' && /\/(ca\/pem|ca_chain)$/.test(asked.path) && mount !== undefined
  if ((headers['x-vault-namespace'] ?? '') !== (options.namespace ?? '')) return DENIED
  const lease = tokens.get(String(headers['x-vault-token'] ?? ''))
  const isAlive = lease !== undefined && lease.endMs > world.nowMs()
  if (!isAlive && !isPublic) return { status: 403, errors: ['permission denied', 'invalid token'] }
  if (lease && !isPublic && !allows(lease, asked)) return DENIED
  if (lease && asked.path.startsWith('auth/token/')) return askToken(lease, asked)
  if (lease && asked.path === 'sys/capabilities-self') return capabilities(lease, asked)
  if (asked.path === 'sys/mounts' || asked.path.startsWith('sys/mounts/')) return askMounts(world, asked)
  const engine = engines.get(mount ?? '')
  if (!engine || mount === undefined) return { status: 404, errors: [`no handler for route "${asked.path}". route entry not found.`] }
  return askPki(engine, { ...asked, path: asked.path.slice(mount.length + 1) })
}

function mountOf({ engines }: World, path: string): string | undefined {
  return [...engines.keys()].find((mount) => path.startsWith(`${mount}/`))
}

function allows(lease: Lease, { method, path }: Asked): boolean {
  const able = capabilitiesAt(lease, path)
  const needs = NEEDS[method]
  if (able.includes('root')) return true
  if (path.endsWith('root/sign-self-issued') && !able.includes('sudo')) return false
  return needs !== undefined && (able.includes(needs) || (needs === 'update' && able.includes('create')))
}

function capabilitiesAt({ policy }: Lease, path: string): readonly string[] {
  if (!policy) return ['root']
  const rules = Object.entries({ ...DEFAULT_POLICY, ...policy }).filter(([rule]) =>
    rule.endsWith('*') ? path.startsWith(rule.slice(0, -1)) : path === rule,
  )
  // The most specific rule counts.
  const [rule] = rules.sort(([one], [other]) => other.length - one.length)
  return rule ? rule[1] : ['deny']
}

function capabilities(lease: Lease, { body }: Asked): Reply {
  const paths = (body['paths'] as string[]) ?? []
  return { status: 200, data: Object.fromEntries(paths.map((path) => [path, capabilitiesAt(lease, path)])) }
}

function askToken(lease: Lease, { method, path, body, nowMs }: Asked): Reply {
  const ttl = lease.endMs === Number.POSITIVE_INFINITY ? 0 : Math.floor((lease.endMs - nowMs) / 1_000)
  if (method === 'GET' && path === 'auth/token/lookup-self') {
    return { status: 200, data: { ttl, creation_ttl: lease.wholeMs / 1_000, renewable: lease.renewable, policies: ['default'] } }
  }
  if (method !== 'POST' || path !== 'auth/token/renew-self') return { status: 405, errors: ['unsupported operation'] }
  if (!lease.renewable) return { status: 400, errors: ['lease is not renewable'] }
  const wantedMs = nowMs + (msOf(body['increment']) || lease.wholeMs)
  lease.endMs = Math.min(wantedMs, lease.lastMs)
  const warnings = wantedMs > lease.lastMs ? ['TTL exceeded the effective max_ttl; TTL value is capped accordingly'] : []
  return { status: 200, data: { lease_duration: Math.floor((lease.endMs - nowMs) / 1_000), renewable: true }, warnings }
}

function askMounts({ engines, others, options }: World, { method, path, body }: Asked): Reply {
  const mount = path.replace(/^sys\/mounts\/?/, '').replace(/\/tune$/, '')
  const engine = engines.get(mount)
  if (method === 'GET' && mount === '') {
    const kinds = [...others].map(([name, type]) => [`${name}/`, { type, description: '', config: { max_lease_ttl: 0 } }])
    const shown = [...engines].map(([name, { description, maxTtlMs }]) => [
      `${name}/`,
      { type: 'pki', description, config: { max_lease_ttl: maxTtlMs === SYSTEM_TTL_MS ? 0 : maxTtlMs / 1_000 } },
    ])
    return { status: 200, data: Object.fromEntries([...kinds, ...shown]) }
  }
  const config = (body['config'] ?? body) as Record<string, unknown>
  const maxTtlMs = msOf(config['max_lease_ttl']) || SYSTEM_TTL_MS
  if (method === 'POST' && path.endsWith('/tune') && engine) {
    engine.maxTtlMs = maxTtlMs
    return { status: 204 }
  }
  if (method === 'POST') {
    if (engine || others.has(mount)) return { status: 400, errors: [`path is already in use at ${mount}/`] }
    const description = String(body['description'] ?? '')
    if (body['type'] === 'pki') engines.set(mount, newEngine({ description, maxTtlMs, keepsIssuers: options.keepsIssuers === true }))
    else others.set(mount, String(body['type']))
    return { status: 204 }
  }
  if (method === 'DELETE' && engines.delete(mount)) return { status: 204 }
  return { status: 400, errors: ['cannot find a mount there'] }
}

function send(response: ServerResponse, { status, data, errors, warnings = [], text }: Reply): void {
  if (response.destroyed) return
  if (text !== undefined) return void response.writeHead(status, { 'Content-Type': 'application/pem-certificate-chain' }).end(text)
  if (status === 204) return void response.writeHead(204).end()
  const isAuth = data !== undefined && 'lease_duration' in data
  const body = errors
    ? { errors }
    : {
        request_id: '1',
        lease_id: '',
        data: isAuth ? null : (data ?? null),
        auth: isAuth ? data : null,
        warnings: warnings.length > 0 ? warnings : null,
      }
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(`${JSON.stringify(body)}\n`)
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk
  return text
}
