import type { CertificateNumbers } from '../../actors/certificate-rules.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { childrenOf, type Element, only, positiveBytes, TAG, timeMs } from './der.ts'
import { bits, encode, encoded, integer, type Part, sequence, tagged, time } from './encode.ts'
import { type Extensions, readExtensions } from './extensions.ts'
import { type PrivateKey, signature, signatureAlgorithm } from './keys.ts'
import { derOfPem } from './pem.ts'

export const CERTIFICATE_LABEL = 'CERTIFICATE'

/** What a certificate says, checked for its form but not for its signature. */
export type Certificate = {
  der: Buffer
  /** The magnitude of the serial number, without leading zeros. */
  serial: Buffer
  issuer: Element
  subject: Element
  spki: Element
  notBeforeMs: number
  notAfterMs: number
  extensions: Extensions
}

export type CertificateFields = Omit<CertificateNumbers, 'serial'> & {
  serial: number | bigint
  issuer: Part
  subject: Part
  spki: Part
  extensions: Part[]
}

/** The DER of an X.509 version 3 certificate. Source: RFC 5280, 4.1. */
export function signCertificate(fields: CertificateFields, signer: PrivateKey): Buffer {
  const algorithm = encoded(encode(signatureAlgorithm(signer.publicKey)))
  const signed = encode(
    sequence([
      VERSION_3,
      integer(fields.serial),
      algorithm,
      fields.issuer,
      sequence([time(fields.notBeforeMs), time(fields.notAfterMs)]),
      fields.subject,
      fields.spki,
      tagged(3, [sequence(fields.extensions)]),
    ]),
  )
  return encode(sequence([encoded(signed), algorithm, bits(signature(signed, signer))]))
}

/** The first certificate of a PEM text. `what` names the input in the refusal. */
export function readCertificatePem(pem: string, what: string): Result<Certificate> {
  const der = derOfPem(pem, [CERTIFICATE_LABEL, 'X509 CERTIFICATE', 'TRUSTED CERTIFICATE'], what)
  return isRefused(der) ? der : readCertificate(der, what)
}

export function readCertificate(der: Buffer, what: string): Result<Certificate> {
  const outer = only(der, TAG.sequence, what)
  if (isRefused(outer)) return outer
  const parts = childrenOf(outer, [TAG.sequence, TAG.sequence, TAG.bitString], what)
  if (isRefused(parts)) return parts
  const version = childrenOf(parts[0], [TAG.context0], what)
  if (isRefused(version)) return refuse('invalid', `${what}: not an X.509 certificate of version 3`)
  if (!version[0].whole.equals(VERSION_3_BYTES)) return refuse('invalid', `${what}: not an X.509 certificate of version 3`)
  const fields = childrenOf(
    parts[0],
    [TAG.context0, TAG.integer, TAG.sequence, TAG.sequence, TAG.sequence, TAG.sequence, TAG.sequence],
    what,
  )
  if (isRefused(fields)) return fields
  const [, serialElement, , issuer, validity, subject, spki, ...others] = fields
  const serial = positiveBytes(serialElement, `${what}: serial number`)
  if (isRefused(serial)) return serial
  const times = childrenOf(validity, [], `${what}: validity`)
  if (isRefused(times)) return times
  const [notBefore, notAfter] = times
  if (notBefore === undefined || notAfter === undefined) return refuse('invalid', `${what}: validity: must have two times`)
  const notBeforeMs = timeMs(notBefore, `${what}: not before`)
  if (isRefused(notBeforeMs)) return notBeforeMs
  const notAfterMs = timeMs(notAfter, `${what}: not after`)
  if (isRefused(notAfterMs)) return notAfterMs
  const extensions = extensionsIn(others, what)
  if (isRefused(extensions)) return extensions
  return { der, serial, issuer, subject, spki, notBeforeMs, notAfterMs, extensions }
}

const VERSION_3_BYTES = encode(tagged(0, [integer(2)]))
const VERSION_3 = encoded(VERSION_3_BYTES)

function extensionsIn(parts: (Element | undefined)[], what: string): Result<Extensions> {
  const wrapper = parts.find((part) => part?.tag === TAG.context3)
  if (!wrapper) return new Map()
  const list = only(wrapper.content, TAG.sequence, `${what}: extensions`)
  return isRefused(list) ? list : readExtensions(list, what)
}
