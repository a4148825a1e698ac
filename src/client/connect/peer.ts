import type { PeerCertificate, TLSSocket } from 'node:tls'
import { NO_LEAF, parseIdentity, peerNamesFault, peerSerial, serviceUri } from '../../../actors/spiffe.ts'
import { identityMismatch, uriNames } from '../../../net/mesh/names.ts'
import { dialReason, failureOf, handshakeReason } from '../../../net/mesh/reasons.ts'
import { isRefused } from '../../kernel/refusal.ts'

/** Who is at the other end of a connection, after its certificate was verified. */
export type Peer = {
  /** SPIFFE id. */
  readonly uri: string
  readonly service: string
  readonly datacenter: string
  /** Of its certificate, colon-separated lower-case hex. */
  readonly serial: string
  /** When its certificate ends. The connection stays. */
  readonly validUntil: Date
}

/** `peer` is there if the certificate names one service. `why` says what is wrong: with the certificate, or with who it names. */
export type Judged = { peer: Peer } | { kind: 'handshake' | 'identity'; why: string; uri?: string; serial?: string }

/** Judges whoever dialled, after a handshake that let every chain through: as sidecars do. `trustDomain` is in lower case. */
export function judgeCaller(socket: TLSSocket, trustDomain: string): Judged {
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) return { kind: 'handshake', why: 'no client certificate was shown' }
  const serial = peerSerial(certificate.serialNumber)
  const uris = uriNames(certificate.subjectAltName ?? '')
  const fault = peerNamesFault(uris)
  const [uri = ''] = uris
  const refused = (why: string, kind: 'handshake' | 'identity' = 'handshake'): Judged => {
    return { kind, why, serial, ...(fault === undefined && { uri }) }
  }
  const validUntil = new Date(certificate.validTo)
  if (!socket.authorized) return refused(verdictOf(socket.authorizationError))
  // A resumed session was verified when it began; the certificate may have ended since.
  if (socket.isSessionReused() && validUntil.getTime() <= Date.now()) return refused('the certificate has expired')
  if (certificate.ca) return refused(NO_LEAF)
  if (fault !== undefined) return refused(fault, 'identity')
  const identity = parseIdentity(uri)
  if (isRefused(identity)) return refused(identity.why, 'identity')
  if (identity.kind !== 'service') return refused(`${uri} is not the identity of a service`, 'identity')
  if (identity.trustDomain.toLowerCase() !== trustDomain)
    return refused(`${uri} is of another trust domain, ours is ${trustDomain}`, 'identity')
  return { peer: { uri, service: identity.service, datacenter: identity.datacenter, serial, validUntil } }
}

export type Expected = { readonly trustDomain: string; readonly datacenter: string; readonly service: string }

/** Why a server's certificate is not the one expected, or undefined if it is. Its chain was verified. */
export function calledFault(certificate: PeerCertificate, expected: Expected): string | undefined {
  if (certificate.ca) return NO_LEAF
  const uris = uriNames(certificate.subjectaltname ?? '')
  return peerNamesFault(uris) ?? identityMismatch(uris[0] ?? '', serviceUri(expected), new Set([expected.trustDomain]))
}

/** Whoever was called, once `calledFault` found nothing. */
export function calledPeer(socket: TLSSocket, { datacenter, service }: Expected): Peer {
  const certificate = socket.getPeerX509Certificate()
  const [uri = ''] = uriNames(certificate?.subjectAltName ?? '')
  const validUntil = new Date(certificate?.validTo ?? 0)
  return { uri, service, datacenter, serial: peerSerial(certificate?.serialNumber ?? ''), validUntil }
}

/** What Envoy's proxies ask for by the name of the server: `db.default.dc1.internal.<trust domain>`. Those of the mesh may pass over it. */
export function serverNameOf({ service, datacenter, trustDomain }: Expected): string | undefined {
  const name = `${service}.default.${datacenter}.internal.${trustDomain}`
  return /^[a-z0-9._-]{1,255}$/i.test(name) ? name : undefined
}

/** Why a handshake of somebody who dialled did not work out, in words. */
export function handshakeFault(error: unknown): string {
  return handshakeReason(failureOf(error))
}

/** Why an address could not be reached, or was not who was expected. */
export function dialFault(address: string, error: unknown): string {
  return dialReason(`tcp ${address}`, failureOf(error))
}

/** The field holds OpenSSL's name for the verdict, or an error with it. */
function verdictOf(verdict: unknown): string {
  const code = verdict instanceof Error ? verdict.message : String(verdict)
  return handshakeReason({ code, message: code })
}
