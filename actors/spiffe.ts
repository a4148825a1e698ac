import { assert, isRefused, type Result, refuse } from '../src/kernel/refusal.ts'

/**
 * Who somebody is in the mesh, as the URI in a certificate says it. `trustDomain` is `<cluster id>.consul`, in lower case when
 * built here and as written when parsed. Source: the SPIFFE-ID standard and Consul's use of it.
 */
export type ServiceIdentity = { kind: 'service'; trustDomain: string; namespace: string; datacenter: string; service: string }
export type AgentIdentity = { kind: 'agent'; trustDomain: string; datacenter: string; node: string }
/** A certificate authority of the trust domain. */
export type SigningIdentity = { kind: 'signing'; trustDomain: string }
export type Identity = ServiceIdentity | AgentIdentity | SigningIdentity

/** The only namespace services are in. */
export const DEFAULT_NAMESPACE = 'default'

/** The trust domain of a cluster; it never changes. */
export function trustDomainOf(clusterId: string): string {
  return `${clusterId.toLowerCase()}.consul`
}

/** `spiffe://<trust domain>/ns/default/dc/<datacenter>/svc/<service>` */
export function serviceUri(of: { trustDomain: string; datacenter: string; service: string; namespace?: string }): string {
  const namespace = escaped(of.namespace ?? DEFAULT_NAMESPACE)
  return `${signingUri(of.trustDomain)}/ns/${namespace}/dc/${escaped(of.datacenter)}/svc/${escaped(of.service)}`
}

/** `spiffe://<trust domain>/agent/client/dc/<datacenter>/id/<node>` */
export function agentUri(of: { trustDomain: string; datacenter: string; node: string }): string {
  return `${signingUri(of.trustDomain)}/agent/client/dc/${escaped(of.datacenter)}/id/${escaped(of.node)}`
}

/** `spiffe://<trust domain>` */
export function signingUri(trustDomain: string): string {
  return `spiffe://${trustDomain.toLowerCase()}`
}

/** The URI of any identity; the reverse of `parseIdentity`. */
export function identityUri(identity: Identity): string {
  if (identity.kind === 'service') return serviceUri(identity)
  return identity.kind === 'agent' ? agentUri(identity) : signingUri(identity.trustDomain)
}

/** Reads a SPIFFE id. `invalid` with Consul's text for anything else. */
export function parseIdentity(uri: string): Result<Identity> {
  const parts = splitUri(uri)
  if (isRefused(parts)) return parts
  if (parts.scheme !== 'spiffe') return refuse('invalid', `SPIFFE ID must have 'spiffe' scheme`)
  const trustDomain = parts.host
  const service = SERVICE_PATH.exec(parts.path)
  if (service) {
    const names = unescapedAll({ namespace: service[1], datacenter: service[2], service: service[3] })
    return isRefused(names) ? names : { kind: 'service', trustDomain, ...names }
  }
  const agent = AGENT_PATH.exec(parts.path)
  if (agent) {
    const names = unescapedAll({ datacenter: agent[1], node: agent[2] })
    return isRefused(names) ? names : { kind: 'agent', trustDomain, ...names }
  }
  if (parts.path === '' && trustDomain.indexOf('.') > 0) return { kind: 'signing', trustDomain }
  return refuse('invalid', `SPIFFE ID is not in the expected format: ${uri}`)
}

/**
 * Whether a certificate's URI names the identity that was expected. The trust domain is not compared (the chain of trust has
 * settled it) and letter case does not count, which is Consul's rule for the dialling side.
 */
export function sameIdentity(uri: string, expected: string): boolean {
  const one = splitUri(uri)
  const other = splitUri(expected)
  if (isRefused(one) || isRefused(other)) return false
  return one.scheme === other.scheme && one.path !== '' && one.path.toLowerCase() === other.path.toLowerCase()
}

/** The common name of a service's certificate, at most 64 characters: `web.svc.default.1a2b3c4d.consul`. */
export function serviceCommonName(service: string, trustDomain: string, namespace = DEFAULT_NAMESPACE): string {
  const [serviceLabel, namespaceLabel] = shortened(label(service), label(namespace))
  return `${serviceLabel}.svc.${namespaceLabel}.${shortDomain(trustDomain)}.consul`
}

/** The common name of an agent's certificate: `node1.agnt.1a2b3c4d.consul`. */
export function agentCommonName(node: string, trustDomain: string): string {
  return `${label(node).slice(0, LABELS_LENGTH_MAX)}.agnt.${shortDomain(trustDomain)}.consul`
}

/** The common name of a CA: `pri-<unique>.consul.ca.1a2b3c4d.consul`, `sec-` in a secondary datacenter. */
export function authorityCommonName(of: { unique: string; trustDomain: string; provider?: string; secondary?: boolean }): string {
  const role = of.secondary ? 'sec' : 'pri'
  const unique = label(of.unique).slice(0, SHORT_LENGTH)
  return `${role}-${unique}.${label(of.provider ?? 'consul')}.ca.${shortDomain(of.trustDomain)}.consul`
}

/** Bytes as lower-case hex with colons: `0f:1a`. No bytes give ''. */
export function colonHex(bytes: Iterable<number>): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':')
}

/** The reverse of `colonHex`; letter case does not count. */
export function parseColonHex(text: string): Result<number[]> {
  if (text === '') return []
  if (!/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2})*$/.test(text)) {
    return refuse('invalid', `${JSON.stringify(text)} is not hexadecimal bytes separated by colons`)
  }
  return text.split(':').map((pair) => Number.parseInt(pair, 16))
}

/** A certificate's serial number the way the API shows it: `08`, `0f:1a`. */
export function serialText(serial: number): string {
  assert(Number.isSafeInteger(serial) && serial >= 0, 'a serial number is a whole number that a float holds exactly')
  const digits = serial.toString(16)
  return colonHex((digits.padStart(digits.length + (digits.length % 2), '0').match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16)))
}

const SERVICE_PATH = /^\/ns\/([^/]+)\/dc\/([^/]+)\/svc\/([^/]+)$/
const AGENT_PATH = /^\/agent\/client\/dc\/([^/]+)\/id\/([^/]+)$/

type UriParts = { scheme: string; host: string; path: string }

/** Scheme, host and still escaped path. Texts are those of Go's `url.Parse`. */
function splitUri(uri: string): Result<UriParts> {
  const quoted = JSON.stringify(uri)
  if (/[\u0000-\u001f\u007f]/.test(uri)) return refuse('invalid', `parse ${quoted}: net/url: invalid control character in URL`)
  const matched = /^(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)/.exec(uri)
  const path = matched?.[3] ?? ''
  const badEscape = /%(?![0-9a-fA-F]{2}).{0,2}/s.exec(path)
  if (badEscape) return refuse('invalid', `parse ${quoted}: invalid URL escape ${JSON.stringify(badEscape[0])}`)
  return { scheme: (matched?.[1] ?? '').toLowerCase(), host: matched?.[2] ?? '', path }
}

/** One path segment, with every character escaped that Go escapes in a path, and `/` too. */
function escaped(segment: string): string {
  return encodeURIComponent(segment.toWellFormed())
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(/%(?:24|26|2B|3A|3D|40)/g, decodeURIComponent)
}

function unescapedAll<Name extends string>(segments: Record<Name, string | undefined>): Result<Record<Name, string>> {
  const names: Partial<Record<Name, string>> = {}
  for (const [name, segment] of Object.entries<string | undefined>(segments) as [Name, string | undefined][]) {
    const value = unescaped(segment ?? '')
    if (value === undefined) return refuse('invalid', `Invalid ${name}: ${JSON.stringify(segment)} is not escaped UTF-8`)
    names[name] = value
  }
  return names as Record<Name, string>
}

function unescaped(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment)
  } catch {
    // The only thing decodeURIComponent throws for is malformed escaping, which the caller turns into its refusal.
    return undefined
  }
}

const SHORT_LENGTH = 8
/** What 64 characters leave for a service and its namespace beside `.svc.`, the short trust domain and `.consul`. */
const LABELS_LENGTH_MAX = 43
/** Neither of the two is cut shorter than this. */
const LABEL_LENGTH_MIN = 15

function shortened(service: string, namespace: string): [service: string, namespace: string] {
  const excess = service.length + namespace.length - LABELS_LENGTH_MAX
  if (excess <= 0) return [service, namespace]
  const shorterService = service.slice(0, Math.max(Math.min(service.length, LABEL_LENGTH_MIN), service.length - excess))
  return [shorterService, namespace.slice(0, LABELS_LENGTH_MAX - shorterService.length)]
}

function label(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '')
}

function shortDomain(trustDomain: string): string {
  return label(trustDomain.split('.')[0] ?? '').slice(0, SHORT_LENGTH)
}

/** Why a certificate with these URI names is not that of one service, or undefined if it is. Source: SPIFFE X.509-SVID, section 2. */
export function peerNamesFault(uris: readonly string[]): string | undefined {
  if (uris.length === 0) return 'the certificate has no SPIFFE id'
  if (uris.length === 1) return undefined
  const others = uris.length > NAMED_MAX ? ' …' : ''
  return `the certificate names ${uris.length} URIs, a service has one: ${uris.slice(0, NAMED_MAX).join(' ')}${others}`
}

/** A certificate may hold thousands. */
const NAMED_MAX = 3

export const NO_LEAF = 'the certificate is that of a CA, not of a service'

/** A peer's serial number from hex: 'FA0B' → 'fa:0b'. Anybody can make one of thousands of digits; valid ones have 20 bytes (RFC 5280, 4.1.2.2). */
export function peerSerial(hex: string): string {
  const digits = hex.slice(0, SERIAL_DIGITS_MAX).toLowerCase()
  const even = digits.length % 2 === 0 ? digits : `0${digits}`
  const shown = (even.match(/../g) ?? []).join(':')
  return hex.length > SERIAL_DIGITS_MAX ? `${shown}:…` : shown
}

const SERIAL_DIGITS_MAX = 40
