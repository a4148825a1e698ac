import type { KeyObject } from 'node:crypto'
import { assert } from '../../src/kernel/refusal.ts'
import { pemOf } from './pem.ts'

/**
 * The SubjectPublicKeyInfo and the SEC1 PEM of a private key on P-256, byte for byte as OpenSSL writes them, for a fifth of the
 * time: only three numbers differ from key to key. Sources: RFC 5480, 2 and RFC 5915, 3.
 */
export function encodeP256(key: KeyObject): { spki: Buffer; pem: string } {
  const { d, x, y } = key.export({ format: 'jwk' })
  const secret = numberOf(d)
  const point = Buffer.concat([UNCOMPRESSED, numberOf(x), numberOf(y)])
  const sec1 = Buffer.concat([SEC1_BEFORE_SECRET, secret, SEC1_BEFORE_POINT, point])
  return { spki: Buffer.concat([SPKI_BEFORE_POINT, point]), pem: pemOf('EC PRIVATE KEY', sec1) }
}

const NUMBER_BYTES = 32
const UNCOMPRESSED = Buffer.from('04', 'hex')
/** SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING { … */
const SPKI_BEFORE_POINT = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex')
/** SEQUENCE { 1, OCTET STRING { … */
const SEC1_BEFORE_SECRET = Buffer.from('30770201010420', 'hex')
/** … }, [0] { prime256v1 }, [1] { BIT STRING { … */
const SEC1_BEFORE_POINT = Buffer.from('a00a06082a8648ce3d030107a144034200', 'hex')

function numberOf(base64: string | undefined): Buffer {
  const bytes = Buffer.from(base64 ?? '', 'base64url')
  assert(bytes.length === NUMBER_BYTES, 'the numbers of a key on P-256 are exported with 32 bytes each')
  return bytes
}
