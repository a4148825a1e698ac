import { createHash, randomBytes } from 'node:crypto'
import { type Certificate, readCertificatePem, signCertificate } from '../../net/pki/certificate.ts'
import { encode, encoded, integer, type Part, sequence, yes } from '../../net/pki/encode.ts'
import {
  AUTHORITY_USAGE,
  alternativeUri,
  authorityKeyId,
  EXTENSION,
  LEAF_USAGE,
  readSubjectKeyId,
  sameExtension,
  subjectKeyId,
} from '../../net/pki/extensions.ts'
import { makeKey, type PrivateKey, readPublicKey } from '../../net/pki/keys.ts'
import { nameOf } from '../../net/pki/names.ts'
import { pemOf } from '../../net/pki/pem.ts'
import type { KeyType } from '../../src/kernel/ports.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { granted } from './asking.ts'

/** A CA of another program. `chain`: those above it, PEM. */
export type Issuer = { certPem: string; key: PrivateKey; chain: string[] }
export type Subject = {
  commonName: string
  uris: readonly string[]
  /** Of the subject's key. */
  spki: Buffer
  notBeforeMs: number
  notAfterMs: number
  /** A CA, over so many others; else a leaf. */
  pathLength?: number
  isCa: boolean
}

export function newKey(type: KeyType, bits: number): Promise<PrivateKey> {
  return new Promise((resolve, reject) =>
    makeKey(type, bits, (key) => {
      if (isRefused(key)) reject(new Error(key.why))
      else resolve(key)
    }),
  )
}

/** A certificate with a random serial number, as other programs choose them. Without `by` it signs itself with `key`. */
export function issued(subject: Subject, by: { issuer: Issuer } | { key: PrivateKey }): string {
  const name = nameOf(subject.commonName)
  const issuer = 'issuer' in by ? certificateIn(by.issuer.certPem) : undefined
  const keyId = sha1(subject.spki)
  const usage = subject.isCa ? authorityUsage(subject.pathLength) : LEAF_USAGE
  const issuerKeyId = issuer ? (granted(readSubjectKeyId(issuer.extensions, 'issuer')) ?? keyId) : keyId
  const der = signCertificate(
    {
      serial: BigInt(`0x7${randomBytes(19).toString('hex')}`),
      issuer: issuer ? encoded(issuer.subject.whole) : name,
      subject: name,
      spki: encoded(subject.spki),
      notBeforeMs: wholeSeconds(subject.notBeforeMs),
      notAfterMs: wholeSeconds(subject.notAfterMs),
      extensions: [...usage, subjectKeyId(keyId), authorityKeyId(issuerKeyId), ...subject.uris.map(alternativeUri)],
    },
    'issuer' in by ? by.issuer.key : by.key,
  )
  return pemOf('CERTIFICATE', der)
}

/** The certificate as it is, but for who signed it. */
export function resigned(certPem: string, issuer: Issuer): string {
  const certificate = certificateIn(certPem)
  const above = certificateIn(issuer.certPem)
  const keyId = granted(readSubjectKeyId(above.extensions, 'issuer')) ?? Buffer.alloc(0)
  const kept = [...certificate.extensions].filter(([dotted]) => dotted !== EXTENSION.authorityKeyId)
  const der = signCertificate(
    {
      serial: BigInt(`0x${certificate.serial.toString('hex')}`),
      issuer: encoded(above.subject.whole),
      subject: encoded(certificate.subject.whole),
      spki: encoded(certificate.spki.whole),
      notBeforeMs: certificate.notBeforeMs,
      notAfterMs: certificate.notAfterMs,
      extensions: [...kept.map(([dotted, extension]) => sameExtension(dotted, extension)), authorityKeyId(keyId)],
    },
    issuer.key,
  )
  return pemOf('CERTIFICATE', der)
}

export function certificateIn(pem: string): Certificate {
  return granted(readCertificatePem(pem, 'certificate'))
}

/** Whether a certificate has this key. */
export function isOfKey(pem: string, { publicKey }: PrivateKey): boolean {
  return granted(readPublicKey(certificateIn(pem).spki, 'certificate')).spki.equals(publicKey.spki)
}

function authorityUsage(pathLength: number | undefined): readonly Part[] {
  const [keyUsage] = AUTHORITY_USAGE
  if (pathLength === undefined || keyUsage === undefined) return AUTHORITY_USAGE
  return [keyUsage, sameExtension(EXTENSION.basicConstraints, { critical: true, value: encode(sequence([yes(), integer(pathLength)])) })]
}

function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1_000) * 1_000
}

function sha1(bytes: Buffer): Buffer {
  return createHash('sha1').update(bytes).digest()
}
