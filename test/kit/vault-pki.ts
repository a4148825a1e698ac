import { randomUUID } from 'node:crypto'
import type { PrivateKey } from '../../net/pki/keys.ts'
import { makeRequest, readRequest } from '../../net/pki/request.ts'
import { parseDuration } from '../../src/config/durations.ts'
import type { KeyType } from '../../src/kernel/ports.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { granted } from './asking.ts'
import { certificateIn, type Issuer, isOfKey, issued, newKey, resigned } from './issue.ts'

/** A PKI engine of Vault, as far as a mesh needs it. `keepsIssuers`: as from Vault 1.11 on, where a new CA does not replace the old one. */
export type PkiEngine = {
  description: string
  maxTtlMs: number
  keepsIssuers: boolean
  issuers: Map<string, Issuer>
  defaultIssuer: string
  /** Keys whose CSR has no certificate yet. */
  keys: PrivateKey[]
  roles: Map<string, Record<string, unknown>>
}
export type Reply = { status: number; data?: Record<string, unknown> | undefined; errors?: string[]; warnings?: string[]; text?: string }
export type Asked = { method: string; path: string; body: Record<string, unknown>; nowMs: number }

export function newEngine(options: Pick<PkiEngine, 'description' | 'maxTtlMs' | 'keepsIssuers'>): PkiEngine {
  return { ...options, issuers: new Map(), defaultIssuer: '', keys: [], roles: new Map() }
}

/** The CA that signs; undefined if there is none. */
export function issuerOf(engine: PkiEngine): Issuer | undefined {
  return engine.issuers.get(engine.defaultIssuer)
}

/** Answers a request whose token was found to be allowed. `path` is that behind the mount's. */
export async function askPki(engine: PkiEngine, asked: Asked): Promise<Reply> {
  const { method, path } = asked
  const role = /^(roles|sign)\/(.+)$/.exec(path)
  if (method === 'GET' && path === 'ca/pem') return raw(issuerOf(engine)?.certPem)
  if (method === 'GET' && path === 'ca_chain') return raw(chainOf(engine).join(''))
  if (role?.[1] === 'roles') return askRole(engine, role[2] ?? '', asked)
  if (method !== 'POST') return unsupported()
  if (role?.[1] === 'sign') return signLeaf(engine, engine.roles.get(role[2] ?? ''), role[2] ?? '', asked)
  switch (path) {
    case 'root/generate/internal':
      return generateRoot(engine, asked)
    case 'intermediate/generate/internal':
      return generateIntermediate(engine, asked)
    case 'root/sign-intermediate':
      return signIntermediate(engine, asked)
    case 'intermediate/set-signed':
      return setSigned(engine, asked)
    case 'root/sign-self-issued':
      return signSelfIssued(engine, asked)
    case 'config/issuers':
      return chooseIssuer(engine, asked)
    default:
      return unsupported()
  }
}

const ROLE_DEFAULTS = {
  allow_any_name: false,
  allowed_uri_sans: [],
  key_type: 'rsa',
  max_ttl: 0,
  no_store: false,
  require_cn: true,
  use_csr_common_name: true,
  use_csr_sans: true,
  client_flag: true,
  server_flag: true,
}

async function generateRoot(engine: PkiEngine, { body, nowMs }: Asked): Promise<Reply> {
  if (engine.issuers.size > 0 && !engine.keepsIssuers) {
    return { status: 200, warnings: ['Refusing to generate a root certificate over an existing root certificate.'] }
  }
  const key = await keyOf(body)
  if (typeof key === 'string') return bad(key)
  const { ttlMs, warnings } = ttlWithin(body['ttl'], engine.maxTtlMs)
  const subject = { commonName: textOf(body['common_name']), uris: urisOf(body['uri_sans']), spki: key.publicKey.spki, isCa: true }
  const certPem = issued({ ...subject, notBeforeMs: nowMs - 30_000, notAfterMs: nowMs + ttlMs }, { key })
  const issuer = addIssuer(engine, { certPem, key, chain: [] })
  return { status: 200, data: { certificate: trimmed(certPem), issuing_ca: trimmed(certPem), issuer_id: issuer }, warnings }
}

async function generateIntermediate(engine: PkiEngine, { body }: Asked): Promise<Reply> {
  const key = await keyOf(body)
  if (typeof key === 'string') return bad(key)
  engine.keys.push(key)
  const [uri = ''] = urisOf(body['uri_sans'])
  return { status: 200, data: { csr: trimmed(makeRequest({ commonName: textOf(body['common_name']), uri }, key)) } }
}

function signIntermediate(engine: PkiEngine, { body, nowMs }: Asked): Reply {
  const issuer = issuerOf(engine)
  if (!issuer) return bad('error fetching CA certificate: backend must be configured with a CA certificate/key')
  const request = readRequest(textOf(body['csr']), 'csr')
  if (isRefused(request)) return bad('failed to parse CSR')
  const { ttlMs, warnings } = ttlWithin(body['ttl'], engine.maxTtlMs)
  const late = beyond(nowMs + ttlMs, issuer)
  if (late) return late
  const { commonName, uris, publicKey } = request
  const pathLength = Number(body['max_path_length'] ?? -1)
  const subject = { commonName, uris, spki: publicKey.spki, isCa: true, ...(pathLength >= 0 && { pathLength }) }
  const certPem = issued({ ...subject, notBeforeMs: nowMs - 30_000, notAfterMs: nowMs + ttlMs }, { issuer })
  const above = [issuer.certPem, ...issuer.chain]
  const certificate = trimmed(body['format'] === 'pem_bundle' ? [certPem, ...above].join('') : certPem)
  return { status: 200, data: { certificate, issuing_ca: trimmed(issuer.certPem), ca_chain: above.map(trimmed) }, warnings }
}

function setSigned(engine: PkiEngine, { body }: Asked): Reply {
  const [certPem = '', ...chain] = blocksOf(textOf(body['certificate']))
  if (certPem === '') return bad('supplied certificate could not be successfully parsed')
  const key = engine.keys.find((known) => isOfKey(certPem, known))
  if (!key) return bad('verification of parsed bundle failed: Public key of certificate does not match private key')
  engine.keys = engine.keys.filter((known) => known !== key)
  const id = addIssuer(engine, { certPem, key, chain })
  if (!engine.keepsIssuers) return { status: 204 }
  const others = chain.map(() => randomUUID())
  const mapping = { ...Object.fromEntries(others.map((other) => [other, ''])), [id]: randomUUID() }
  return { status: 200, data: { imported_issuers: [...others, id], imported_keys: null, mapping } }
}

function chooseIssuer(engine: PkiEngine, { body }: Asked): Reply {
  if (!engine.keepsIssuers) return unsupported()
  const id = textOf(body['default'])
  if (!engine.issuers.has(id)) return bad(`unable to find PKI issuer for reference: ${id}`)
  engine.defaultIssuer = id
  return { status: 200, data: { default: id } }
}

function signSelfIssued(engine: PkiEngine, { body }: Asked): Reply {
  const issuer = issuerOf(engine)
  if (!issuer) return bad('error fetching CA certificate: backend must be configured with a CA certificate/key')
  const [certPem = ''] = blocksOf(textOf(body['certificate']))
  if (certPem === '') return bad('certificate could not be PEM-decoded')
  const certificate = certificateIn(certPem)
  if (!certificate.issuer.whole.equals(certificate.subject.whole)) return bad('given certificate is not self-issued')
  const crossed = trimmed(resigned(certPem, issuer))
  return { status: 200, data: { certificate: crossed, issuing_ca: trimmed(issuer.certPem) } }
}

function askRole(engine: PkiEngine, name: string, { method, body }: Asked): Reply {
  const known = engine.roles.get(name)
  if (method === 'GET') return known ? { status: 200, data: known } : { status: 404, errors: [] }
  if (method !== 'POST') return unsupported()
  engine.roles.set(name, { ...ROLE_DEFAULTS, ...body, max_ttl: msOf(body['max_ttl']) / 1_000 })
  return engine.keepsIssuers ? { status: 200, data: engine.roles.get(name) } : { status: 204 }
}

function signLeaf(engine: PkiEngine, role: Record<string, unknown> | undefined, name: string, { body, nowMs }: Asked): Reply {
  if (!role) return bad(`unknown role: ${name}`)
  const issuer = issuerOf(engine)
  if (!issuer) return bad('error fetching CA certificate: backend must be configured with a CA certificate/key')
  const request = readRequest(textOf(body['csr']), 'csr')
  if (isRefused(request)) return bad('certificate request could not be parsed: asn1: structure error')
  const { publicKey } = request
  if (role['key_type'] !== 'any' && role['key_type'] !== publicKey.type) return bad(`role requires keys of type ${role['key_type']}`)
  const fromRequest = role['use_csr_sans'] === true
  const uris = fromRequest ? request.uris : urisOf(body['uri_sans'])
  const commonName = (role['use_csr_common_name'] === true ? request.commonName : '') || textOf(body['common_name'])
  if (commonName === '' && role['require_cn'] === true) return bad('the common_name field is required, or must be provided in a CSR')
  if (commonName !== '' && role['allow_any_name'] !== true) return bad(`common name ${commonName} not allowed by this role`)
  if (!uris.every((uri) => urisOf(role['allowed_uri_sans']).some((pattern) => globMatches(pattern, uri)))) {
    return bad(`URI Subject Alternative Names were provided via ${fromRequest ? 'CSR' : 'the API'} which are not valid for this role`)
  }
  const maxTtlMs = Math.min(engine.maxTtlMs, msOf(role['max_ttl']) || engine.maxTtlMs)
  const { ttlMs, warnings } = ttlWithin(body['ttl'], maxTtlMs)
  const late = beyond(nowMs + ttlMs, issuer)
  if (late) return late
  const subject = { commonName, uris, spki: publicKey.spki, isCa: false }
  const certPem = issued({ ...subject, notBeforeMs: nowMs - 30_000, notAfterMs: nowMs + ttlMs }, { issuer })
  const chain = [issuer.certPem, ...issuer.chain].map(trimmed)
  return { status: 200, data: { certificate: trimmed(certPem), issuing_ca: trimmed(issuer.certPem), ca_chain: chain }, warnings }
}

function addIssuer(engine: PkiEngine, issuer: Issuer): string {
  const id = randomUUID()
  if (!engine.keepsIssuers) engine.issuers.clear()
  engine.issuers.set(id, issuer)
  if (!engine.keepsIssuers || engine.issuers.size === 1) engine.defaultIssuer = id
  return id
}

function chainOf(engine: PkiEngine): string[] {
  const issuer = issuerOf(engine)
  return issuer ? [issuer.certPem, ...issuer.chain] : []
}

function keyOf(body: Record<string, unknown>): Promise<PrivateKey> | string {
  const type = body['key_type'] ?? 'rsa'
  if (type !== 'rsa' && type !== 'ec') return `unknown key type: ${type}`
  const bits = Number(body['key_bits'] ?? 0) || { rsa: 2_048, ec: 256 }[type]
  return newKey(type satisfies KeyType, bits)
}

/** Vault signs nothing that would outlive its CA. */
function beyond(notAfterMs: number, issuer: Issuer): Reply | undefined {
  const endMs = certificateIn(issuer.certPem).notAfterMs
  if (notAfterMs <= endMs) return undefined
  const [asked, end] = [notAfterMs, endMs].map((ms) => new Date(ms).toISOString())
  return bad(
    `cannot satisfy request, as TTL would result in notAfter of ${asked} that is beyond the expiration of the CA certificate at ${end}`,
  )
}

function ttlWithin(value: unknown, maxTtlMs: number): { ttlMs: number; warnings: string[] } {
  const ttlMs = msOf(value) || maxTtlMs
  if (ttlMs <= maxTtlMs) return { ttlMs, warnings: [] }
  return {
    ttlMs: maxTtlMs,
    warnings: [`TTL "${ttlMs / 1_000}s" is longer than permitted maxTTL "${maxTtlMs / 1_000}s", so maxTTL is being used`],
  }
}

/** Seconds, or a text such as `72h`. */
export function msOf(value: unknown): number {
  if (typeof value === 'number') return value * 1_000
  return typeof value === 'string' && value !== '' ? granted(parseDuration(value)) : 0
}

/** Source: `*` stands for anything, at the beginning, in the middle or at the end. */
function globMatches(pattern: string, uri: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`).test(uri)
}

function urisOf(value: unknown): string[] {
  const list = Array.isArray(value) ? value : String(value ?? '').split(',')
  return list.map(String).filter((uri) => uri !== '')
}

function blocksOf(text: string): string[] {
  return (text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []).map((block) => `${block}\n`)
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** Vault's texts have no last end of line. */
function trimmed(pem: string): string {
  return pem.trimEnd()
}

function raw(text: string | undefined): Reply {
  return text === undefined || text === '' ? { status: 204 } : { status: 200, text: trimmed(text) }
}

function bad(why: string): Reply {
  return { status: 400, errors: [why] }
}

function unsupported(): Reply {
  return { status: 405, errors: ['1 error occurred:\n\t* unsupported operation\n\n'] }
}
