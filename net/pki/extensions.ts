import { uriFault } from '../../actors/certificate-rules.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { childrenOf, type Element, elementsOf, oidText, only, TAG } from './der.ts'
import { bits, encode, encoded, implicit, octets, oid, type Part, sequence, tagged, yes } from './encode.ts'

/** Which extension is which. Source: RFC 5280, 4.2.1. */
export const EXTENSION = {
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  alternativeName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  authorityKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
} as const

export type Extension = { critical: boolean; value: Buffer }
/** Extensions by their object identifier, as they were read. */
export type Extensions = ReadonlyMap<string, Extension>

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'

/** digitalSignature, certSign and cRLSign; CA:TRUE without a path length. */
export const AUTHORITY_USAGE: readonly Part[] = [
  extension(EXTENSION.keyUsage, bits(Buffer.of(0x86), 1), true),
  extension(EXTENSION.basicConstraints, sequence([yes()]), true),
]

/** digitalSignature, keyEncipherment, dataEncipherment and keyAgreement; client and server; CA:FALSE. */
export const LEAF_USAGE: readonly Part[] = [
  extension(EXTENSION.keyUsage, bits(Buffer.of(0xb8), 3), true),
  extension(EXTENSION.extendedKeyUsage, sequence([oid(CLIENT_AUTH), oid(SERVER_AUTH)])),
  extension(EXTENSION.basicConstraints, sequence([]), true),
]

/** digitalSignature and keyEncipherment; client and server unless it is for neither; CA:FALSE. */
export function agentUsage({ speaksToAgents }: { speaksToAgents: boolean }): Part[] {
  return [
    extension(EXTENSION.keyUsage, bits(Buffer.of(0xa0), 5), true),
    ...(speaksToAgents ? [extension(EXTENSION.extendedKeyUsage, sequence([oid(SERVER_AUTH), oid(CLIENT_AUTH)]))] : []),
    extension(EXTENSION.basicConstraints, sequence([]), true),
  ]
}

export function subjectKeyId(keyId: Uint8Array): Part {
  return extension(EXTENSION.subjectKeyId, octets(keyId))
}

export function authorityKeyId(keyId: Uint8Array): Part {
  return extension(EXTENSION.authorityKeyId, sequence([implicit(0, keyId)]))
}

export function alternativeUri(uri: string): Part {
  return extension(EXTENSION.alternativeName, sequence([implicit(URI_TAG & 0x1f, Buffer.from(uri, 'latin1'))]))
}

/** `dns` are names, `ips` are addresses of 4 or 16 bytes. */
export function alternativeNames({ dns, ips }: { dns: readonly string[]; ips: readonly Uint8Array[] }): Part {
  const names = dns.map((name) => implicit(DNS_NUMBER, Buffer.from(name, 'latin1')))
  return extension(EXTENSION.alternativeName, sequence([...names, ...ips.map((ip) => implicit(IP_NUMBER, ip))]))
}

/** Only names that end so may stand in certificates of this authority. */
export function permittedNames(dns: readonly string[]): Part {
  const subtrees = dns.map((name) => sequence([implicit(DNS_NUMBER, Buffer.from(name, 'latin1'))]))
  return extension(EXTENSION.nameConstraints, sequence([tagged(0, subtrees)]), true)
}

/** An extension exactly as it was read. */
export function sameExtension(dotted: string, { critical, value }: Extension): Part {
  return encoded(encode(sequence([oid(dotted), ...(critical ? [yes()] : []), octets(value)])))
}

/** Reads the SEQUENCE of extensions of a certificate or a CSR. One that comes twice is refused. */
export function readExtensions(list: Element, what: string): Result<Extensions> {
  const extensions = new Map<string, Extension>()
  const elements = elementsOf(list.content, what)
  if (isRefused(elements)) return elements
  for (const element of elements) {
    if (element.tag !== TAG.sequence) return refuse('invalid', `${what}: an extension that is not a sequence`)
    const parts = childrenOf(element, [TAG.oid], what)
    if (isRefused(parts)) return parts
    const dotted = oidText(parts[0], what)
    if (isRefused(dotted)) return dotted
    const critical = parts[1]?.tag === TAG.boolean && parts[1].content.equals(TRUE)
    const value = parts.at(-1)
    if (value?.tag !== TAG.octetString || parts.length !== (critical ? 3 : 2)) {
      return refuse('invalid', `${what}: extension ${dotted} is malformed`)
    }
    if (extensions.has(dotted)) return refuse('invalid', `${what}: extension ${dotted} comes twice`)
    extensions.set(dotted, { critical, value: value.content })
  }
  return extensions
}

/** The URIs among the subject's alternative names; none if there is no such extension. */
export function readUris(extensions: Extensions, what: string): Result<string[]> {
  const found = extensions.get(EXTENSION.alternativeName)
  if (!found) return []
  const list = only(found.value, TAG.sequence, `${what}: alternative names`)
  if (isRefused(list)) return list
  const names = elementsOf(list.content, `${what}: alternative names`)
  if (isRefused(names)) return names
  const uris: string[] = []
  for (const { tag, content } of names) {
    if (tag !== URI_TAG) continue
    const uri = content.toString('latin1')
    const fault = uriFault(uri)
    if (fault !== undefined) return refuse('invalid', `${what}: ${fault}`)
    uris.push(uri)
  }
  return uris
}

/** The subject key identifier; undefined if there is none. */
export function readSubjectKeyId(extensions: Extensions, what: string): Result<Buffer | undefined> {
  const found = extensions.get(EXTENSION.subjectKeyId)
  if (!found) return undefined
  const keyId = only(found.value, TAG.octetString, `${what}: subject key identifier`)
  return isRefused(keyId) ? keyId : keyId.content
}

/** The issuer's key identifier; undefined if there is none. */
export function readAuthorityKeyId(extensions: Extensions, what: string): Result<Buffer | undefined> {
  const found = extensions.get(EXTENSION.authorityKeyId)
  if (!found) return undefined
  const parts = only(found.value, TAG.sequence, `${what}: authority key identifier`)
  if (isRefused(parts)) return parts
  const elements = elementsOf(parts.content, `${what}: authority key identifier`)
  return isRefused(elements) ? elements : elements.find(({ tag }) => tag === KEY_ID_TAG)?.content
}

/** Whether the basic constraints say CA. */
export function readIsAuthority(extensions: Extensions, what: string): Result<boolean> {
  const found = extensions.get(EXTENSION.basicConstraints)
  if (!found) return false
  const parts = only(found.value, TAG.sequence, `${what}: basic constraints`)
  if (isRefused(parts)) return parts
  const elements = elementsOf(parts.content, `${what}: basic constraints`)
  if (isRefused(elements)) return elements
  return elements[0]?.tag === TAG.boolean && elements[0].content.equals(TRUE)
}

/** How many CAs may stand between a CA and a leaf; undefined where it does not say. */
export function readPathLength(extensions: Extensions): number | undefined {
  const found = extensions.get(EXTENSION.basicConstraints)
  const parts = found && only(found.value, TAG.sequence, 'basic constraints')
  const elements = parts && !isRefused(parts) ? elementsOf(parts.content, 'basic constraints') : []
  const length = isRefused(elements) ? undefined : elements.find(({ tag }) => tag === TAG.integer)
  return length?.content.reduce((sum, byte) => sum * 256 + byte, 0)
}

/** `[6]`, uniformResourceIdentifier. */
const URI_TAG = 0x86
/** dNSName and iPAddress. */
const DNS_NUMBER = 2
const IP_NUMBER = 7
/** `[0]`, keyIdentifier. */
const KEY_ID_TAG = 0x80
const TRUE = Buffer.of(0xff)

function extension(dotted: string, value: Part, critical = false): Part {
  return sameExtension(dotted, { critical, value: encode(value) })
}
