import { parseIdentity, peerNamesFault, sameIdentity } from '../../actors/spiffe.ts'
import type { SignerOutcome } from '../../src/kernel/ports.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'

/** The facts of a certificate that the data plane judges by, as `read-certificate` of the signer gives them. */
export type CertificateFacts = Pick<
  SignerOutcome,
  'uris' | 'serial' | 'id' | 'keyId' | 'authorityKeyId' | 'isCa' | 'notBeforeMs' | 'notAfterMs'
>
export type CertificateReader = (certPem: string) => Result<CertificateFacts>
/** The key identifier of a private key. */
export type KeyReader = (keyPem: string) => Result<string>

/** A handshake of mutual TLS, as one of its two sides has judged the other. */
export type SimHandshake = {
  readonly owner: string
  readonly side: 'dialler' | 'listener'
  /** Where the other end is, as `address:port`, and on which node. */
  readonly peer: string
  readonly peerNode: string
  /** What the other end showed; nothing where this side had no certificate to begin with. */
  readonly shown: readonly CertificateFacts[]
  /** Of the key that the other end has signed with. */
  readonly keyId: string
  /** What this side goes by; undefined while it has no certificate. */
  readonly own: SimIdentity | undefined
  /** Why the other end's certificate is not believed; undefined if it is, whoever's it may be. */
  readonly fault: string | undefined
}

export type SimIdentity = {
  /** Of the private key: what is signed with it can be checked with the certificate that has the same. */
  readonly keyId: string
  /** The leaf first, then what leads from it to a root. */
  readonly chain: readonly CertificateFacts[]
  readonly roots: readonly CertificateFacts[]
  readonly trustDomains: ReadonlySet<string>
}

/** Refuses with `invalid` and the field, as the real data plane does. */
export function readSimIdentity(
  certPem: string,
  keyPem: string,
  rootsPem: readonly string[],
  { read, readKey }: { read: CertificateReader; readKey: KeyReader },
): Result<SimIdentity> {
  const chain = readAll('certPem', blocks(certPem), read)
  if (isRefused(chain)) return chain
  if (rootsPem.length === 0) return refuse('invalid', 'rootsPem: at least one root certificate is required')
  const roots: CertificateFacts[] = []
  for (const [position, rootPem] of rootsPem.entries()) {
    const root = readAll(`rootsPem[${position}]`, blocks(rootPem), read)
    if (isRefused(root)) return root
    roots.push(...root)
  }
  const keyId = readKey(keyPem)
  if (isRefused(keyId)) return refuse('invalid', 'keyPem: not a PEM private key')
  if (keyId !== chain[0]?.keyId) return refuse('invalid', 'keyPem: the private key does not belong to the certificate')
  const trustDomains = roots.flatMap(({ uris = [] }) => uris.flatMap((uri) => trustDomainIn(uri) ?? []))
  return { keyId, chain, roots, trustDomains: new Set(trustDomains) }
}

/** Why what a peer has signed does not prove that the leaf is its own; undefined if it does. */
export function proofFault(chain: readonly CertificateFacts[], keyId: string): string | undefined {
  return chain.length === 0 || chain[0]?.keyId === keyId ? undefined : 'the handshake was signed with another key than the certificate has'
}

/** Why a peer's chain is not to be believed at this time, in the words of the real data plane; undefined if it is. */
export function chainFault(chain: readonly CertificateFacts[], roots: readonly CertificateFacts[], nowMs: number): string | undefined {
  const leaf = chain[0]
  if (leaf === undefined) return 'no client certificate was shown'
  const seen = new Set<CertificateFacts>()
  let certificate: CertificateFacts = leaf
  while (!seen.has(certificate)) {
    seen.add(certificate)
    const fault = timeFault(certificate, nowMs)
    if (fault !== undefined) return fault
    const issuer = certificate.authorityKeyId
    const root = roots.find(({ keyId }) => keyId !== undefined && keyId === issuer)
    if (root !== undefined) return timeFault(root, nowMs)
    const next = chain.find((other) => other.isCa && other.keyId !== undefined && other.keyId === issuer)
    if (next === undefined) break
    certificate = next
  }
  return 'the certificate is signed by an unknown CA'
}

/** Why a certificate is not that of `expected`, or undefined if it is. */
export function identityFault({ uris = [] }: CertificateFacts, expected: string, trustDomains: ReadonlySet<string>): string | undefined {
  const fault = peerNamesFault(uris)
  if (fault !== undefined) return fault
  const [uri = ''] = uris
  if (!sameIdentity(uri, expected)) return `the certificate is for ${uri}, expected ${expected}`
  const domain = trustDomainIn(uri)
  if (domain === undefined) return `the certificate names ${uri}, which is not a SPIFFE id`
  if (trustDomains.size === 0 || trustDomains.has(domain)) return undefined
  return `the certificate is for ${uri}, whose trust domain is not that of the roots`
}

function timeFault({ notBeforeMs, notAfterMs }: CertificateFacts, nowMs: number): string | undefined {
  if (notBeforeMs !== undefined && nowMs < notBeforeMs) return 'the certificate is not valid yet'
  if (notAfterMs !== undefined && nowMs > notAfterMs) return 'the certificate has expired'
  return undefined
}

function readAll(field: string, pems: readonly string[], read: CertificateReader): Result<CertificateFacts[]> {
  if (pems.length === 0) return refuse('invalid', `${field}: not a PEM certificate`)
  const certificates: CertificateFacts[] = []
  for (const pem of pems) {
    const facts = read(pem)
    if (isRefused(facts)) return refuse('invalid', `${field}: not a PEM certificate: ${facts.why}`)
    certificates.push(facts)
  }
  return certificates
}

function blocks(pem: string): string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----\n?/g) ?? []
}

function trustDomainIn(uri: string): string | undefined {
  const identity = parseIdentity(uri)
  return isRefused(identity) ? undefined : identity.trustDomain.toLowerCase()
}
