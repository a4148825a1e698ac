import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { SecureContext, SecureContextOptions, TLSSocket } from 'node:tls'
import { createSecureContext } from 'node:tls'
import { NO_LEAF, peerNamesFault, peerSerial } from '../../actors/spiffe.ts'
import type { MeshPeer } from '../../src/kernel/ports.ts'
import type { Result } from '../../src/kernel/refusal.ts'
import { isRefused, refuse } from '../../src/kernel/refusal.ts'
import { TLS_RULES } from '../../src/tls-rules.ts'
import { trustDomainIn, uriNames } from './names.ts'

/** What an owner proves itself with, and whom it believes. `secure` makes a server context, `client` is one for dialling. */
export type Identity = {
  readonly secure: SecureContextOptions
  readonly client: SecureContext
  /** Lower-case hosts of the roots' SPIFFE ids; empty when no root names one. */
  readonly trustDomains: ReadonlySet<string>
}

/** How long a client may come back with a ticket in place of a full handshake. New TLS material ends all tickets at once. */
const SESSION_SECONDS = 3_600

/** Checks PEM texts and makes TLS material of them. Refuses with `invalid`, naming the field. */
export function readIdentity(certPem: string, keyPem: string, rootsPem: readonly string[]): Result<Identity> {
  const leaf = readCertificate('certPem', certPem)
  if (isRefused(leaf)) return leaf
  if (rootsPem.length === 0) return refuse('invalid', 'rootsPem: at least one root certificate is required')
  const trustDomains = new Set<string>()
  for (const [position, rootPem] of rootsPem.entries()) {
    const root = readCertificate(`rootsPem[${position}]`, rootPem)
    if (isRefused(root)) return root
    for (const uri of uriNames(root.subjectAltName ?? '')) {
      const domain = trustDomainIn(uri)
      if (domain !== undefined) trustDomains.add(domain)
    }
  }
  const matched = matchKey(leaf, keyPem)
  if (isRefused(matched)) return matched
  const secure: SecureContextOptions = {
    cert: certPem,
    key: keyPem,
    ca: [...rootsPem],
    sessionTimeout: SESSION_SECONDS,
    ...TLS_RULES,
  }
  try {
    return { secure, client: createSecureContext(secure), trustDomains }
  } catch (error) {
    return refuse('invalid', `the TLS material cannot be used: ${messageOf(error)}`)
  }
}

function readCertificate(field: string, pem: string): Result<X509Certificate> {
  try {
    return new X509Certificate(pem)
  } catch (error) {
    return refuse('invalid', `${field}: not a PEM certificate: ${messageOf(error)}`)
  }
}

function matchKey(leaf: X509Certificate, keyPem: string): Result<{ matches: true }> {
  try {
    if (leaf.checkPrivateKey(createPrivateKey(keyPem))) return { matches: true }
    return refuse('invalid', 'keyPem: the private key does not belong to the certificate')
  } catch (error) {
    return refuse('invalid', `keyPem: not a PEM private key: ${messageOf(error)}`)
  }
}

/** A peer's certificate, as far as decisions need it. `fault` says why it is not that of one service; `uri` is '' then. */
export type PeerCertificate = MeshPeer & { readonly fault: string | undefined; readonly expiresMs: number }

/** The certificate the other end showed, or undefined if it showed none. Says nothing about whether it is to be believed. */
export function peerCertificate(stream: TLSSocket): PeerCertificate | undefined {
  const certificate = stream.getPeerX509Certificate()
  if (certificate === undefined) return undefined
  const uris = uriNames(certificate.subjectAltName ?? '')
  const fault = certificate.ca ? NO_LEAF : peerNamesFault(uris)
  return {
    uri: fault === undefined ? (uris[0] ?? '') : '',
    fault,
    serial: peerSerial(certificate.serialNumber),
    expiresMs: certificate.validToDate.getTime(),
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
