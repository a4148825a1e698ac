import type { CertificateAuthority } from '../../src/kernel/ports.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { readCertificatePem } from './certificate.ts'
import { encode, encoded, type Part } from './encode.ts'
import { authorityKeyId, readIsAuthority, readSubjectKeyId } from './extensions.ts'
import { type PrivateKey, readPrivateKey } from './keys.ts'

/** A CA that is ready to sign. */
export type Authority = {
  key: PrivateKey
  /** Its subject, which becomes the issuer. */
  name: Part
  /** The extension that names its key. */
  keyId: Part
}

/** Remembers the CAs used last, since reading a key takes longer than signing with it. */
export function authorities(): (by: CertificateAuthority) => Result<Authority> {
  const known = new Map<string, Authority>()
  return (by) => {
    const name = `${by.certPem}\n${by.keyPem}`
    const remembered = known.get(name)
    if (remembered) return remembered
    const authority = readAuthority(by)
    if (isRefused(authority)) return authority
    if (known.size >= REMEMBERED_MAX) known.clear()
    known.set(name, authority)
    return authority
  }
}

const REMEMBERED_MAX = 16

function readAuthority({ certPem, keyPem }: CertificateAuthority): Result<Authority> {
  const certificate = readCertificatePem(certPem, 'by.certPem')
  if (isRefused(certificate)) return certificate
  const key = readPrivateKey(keyPem, 'by.keyPem')
  if (isRefused(key)) return key
  if (!key.publicKey.spki.equals(certificate.spki.whole)) return refuse('invalid', 'by.keyPem: not the key of by.certPem')
  const isAuthority = readIsAuthority(certificate.extensions, 'by.certPem')
  if (isRefused(isAuthority)) return isAuthority
  if (!isAuthority) return refuse('invalid', 'by.certPem: not a CA certificate')
  const keyId = readSubjectKeyId(certificate.extensions, 'by.certPem')
  if (isRefused(keyId)) return keyId
  return {
    key,
    name: encoded(certificate.subject.whole),
    keyId: encoded(encode(authorityKeyId(keyId ?? key.publicKey.keyId))),
  }
}
