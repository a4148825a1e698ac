import { constants, createPrivateKey, X509Certificate } from 'node:crypto'
import type { SecureContext, SecureContextOptions, TLSSocket } from 'node:tls'
import { createSecureContext } from 'node:tls'
import { peerNamesFault } from '../../actors/spiffe.ts'
import type { MeshPeer } from '../../src/kernel/ports.ts'
import type { Result } from '../../src/kernel/refusal.ts'
import { isRefused, refuse } from '../../src/kernel/refusal.ts'
import { trustDomainIn, uriNames } from './names.ts'

/** What an owner proves itself with, and whom it believes. `secure` makes a server context, `client` is one for dialling. */
export type Identity = {
  readonly secure: SecureContextOptions
  readonly client: SecureContext
  /** Lower-case hosts of the roots' SPIFFE ids; empty when no root names one. */
  readonly trustDomains: ReadonlySet<string>
}

/** ECDHE with an AEAD only. AES-128 comes first because it is the fastest on machines with AES instructions. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  // No keys below 112 bits of strength (RSA 2048, curves of 224 bits) and no signatures with SHA-1, however the library was built.
  '@SECLEVEL=2',
].join(':')

/** Named, because the library's own list begins with a post-quantum hybrid that costs a fifth of the handshakes per second. The last
 * one is for leaves with such keys: TLS 1.2 takes none on other curves. */
const CURVES = 'X25519:prime256v1:secp384r1:secp521r1'

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
    minVersion: 'TLSv1.2',
    ciphers: CIPHERS,
    ecdhCurve: CURVES,
    sessionTimeout: SESSION_SECONDS,
    honorCipherOrder: true,
    // Who the peer is has been judged by its first handshake, so there is no second one.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
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
  const fault = certificate.ca ? 'the certificate is that of a CA, not of a service' : peerNamesFault(uris)
  return {
    uri: fault === undefined ? (uris[0] ?? '') : '',
    fault,
    serial: serialText(certificate.serialNumber),
    expiresMs: certificate.validToDate.getTime(),
  }
}

/** Anybody can make a certificate with a number of thousands of digits; valid ones have 20 bytes at most (RFC 5280, 4.1.2.2). */
function serialText(hex: string): string {
  return hex.length <= SERIAL_DIGITS_MAX ? colonHex(hex) : `${colonHex(hex.slice(0, SERIAL_DIGITS_MAX))}:…`
}

const SERIAL_DIGITS_MAX = 40

/** 'FA0B' → 'fa:0b'. */
export function colonHex(hex: string): string {
  const even = hex.length % 2 === 0 ? hex : `0${hex}`
  return (even.toLowerCase().match(/../g) ?? []).join(':')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
