import { parseIdentity, peerNamesFault, sameIdentity } from '../../actors/spiffe.ts'
import type { SignerOutcome } from '../../src/kernel/ports.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'

/** The facts of a certificate that the data plane judges by, as `read-certificate` of the signer gives them. */
export type CertificateFacts = Pick<
  SignerOutcome,
  'uris' | 'serial' | 'id' | 'keyId' | 'authorityKeyId' | 'isCa' | 'notBeforeMs' | 'notAfterMs'
>
export type CertificateReader = (certPem: string) => Result<CertificateFacts>

export type SimIdentity = {
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
  read: CertificateReader,
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
  if (keyPem.trim() === '') return refuse('invalid', 'keyPem: not a PEM private key')
  const trustDomains = roots.flatMap(({ uris = [] }) => uris.flatMap((uri) => trustDomainIn(uri) ?? []))
  return { chain, roots, trustDomains: new Set(trustDomains) }
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
