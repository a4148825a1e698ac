import type { PeerCertificate } from 'node:tls'
import { colonHex } from '../../actors/spiffe.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { readCertificate } from './certificate.ts'
import { readUris } from './extensions.ts'

/**
 * Who a certificate is for, once its chain was verified elsewhere: its only URI, and its serial number as colon-separated
 * lower-case hex. Takes the DER or what `getPeerCertificate` answers. `missing` if the peer showed no certificate; `invalid`
 * if it cannot be read or does not have exactly one URI, which the SPIFFE standard demands.
 */
export function peerOf(certificate: Uint8Array | PeerCertificate): Result<{ uri: string; serial: string }> {
  const bytes = certificate instanceof Uint8Array ? certificate : (certificate.raw as Buffer | undefined)
  if (bytes === undefined) return refuse('missing', 'peer certificate: the peer showed none')
  const der = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const known = readCertificate(der, 'peer certificate')
  if (isRefused(known)) return known
  const uris = readUris(known.extensions, 'peer certificate')
  if (isRefused(uris)) return uris
  const [uri] = uris
  if (uri === undefined || uris.length > 1) return refuse('invalid', `peer certificate: must name one URI, names ${uris.length}`)
  return { uri, serial: colonHex(known.serial) }
}
