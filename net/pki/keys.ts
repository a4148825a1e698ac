import { createPrivateKey, createPublicKey, generateKeyPair, generateKeyPairSync, hash, type KeyObject, sign } from 'node:crypto'
import { keySizeFault } from '../../actors/certificate-rules.ts'
import type { KeyType } from '../../src/kernel/ports.ts'
import { assert, isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import { bitStringBytes, childrenOf, type Element, isNull, oidText, TAG } from './der.ts'
import { nothing, oid, type Part, sequence } from './encode.ts'
import { encodeP256 } from './p256.ts'
import { PEM_LENGTH_MAX } from './pem.ts'

/** A public key as certificates and CSRs carry it. */
export type PublicKey = {
  key: KeyObject
  type: KeyType
  bits: number
  /** The whole SubjectPublicKeyInfo. */
  spki: Buffer
  /** SHA-256 of `spki`: Consul's subject key identifier. */
  keyId: Buffer
}
/** `pem`: see `privateKeyPem`, where it is known already. */
export type PrivateKey = { key: KeyObject; publicKey: PublicKey; pem?: string }

/** A new key pair; `invalid` for sizes that Consul does not have. RSA keys are made on another thread. */
export function makeKey(type: KeyType, bits: number, done: (key: Result<PrivateKey>) => void): void {
  const fault = keySizeFault(type, bits)
  if (fault !== undefined) return done(refuse('invalid', fault))
  if (type === 'rsa') {
    generateKeyPair('rsa', { modulusLength: bits }, (error, _publicKey, privateKey) =>
      done(error ? refuse('busy', `no RSA key could be made: ${error.message}`) : privateKeyOf(privateKey, 'key')),
    )
    return
  }
  const curve = Object.entries(CURVE_BITS).find(([, known]) => known === bits)?.[0]
  assert(curve !== undefined, 'there is a curve for every size of EC key')
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: curve })
  if (bits !== P256_BITS) return done(privateKeyOf(privateKey, 'key'))
  const { spki, pem } = encodeP256(privateKey)
  done({ key: privateKey, publicKey: { key: publicKey, type, bits, spki, keyId: keyIdOf(spki) }, pem })
}

/** `EC PRIVATE KEY` (SEC1) or `RSA PRIVATE KEY` (PKCS #1). */
export function privateKeyPem({ key, publicKey, pem }: PrivateKey): string {
  return pem ?? key.export({ type: publicKey.type === 'ec' ? 'sec1' : 'pkcs1', format: 'pem' }).toString()
}

/** An unencrypted private key in SEC1, PKCS #1 or PKCS #8 PEM. `what` names the input in the refusal. */
export function readPrivateKey(pem: string, what: string): Result<PrivateKey> {
  if (pem.length > PEM_LENGTH_MAX) return refuse('invalid', `${what}: longer than ${PEM_LENGTH_MAX} characters`)
  const key = attempt(() => createPrivateKey({ key: pem, format: 'pem' }), `${what}: not a usable private key`)
  return isRefused(key) ? key : privateKeyOf(key, what)
}

/**
 * A public key from its SubjectPublicKeyInfo: RSA, or an uncompressed point on one of the named curves, since Go takes no
 * others. Refuses a point that is not on its curve.
 */
export function readPublicKey(spki: Element, what: string): Result<PublicKey> {
  const fault = formFault(spki, what)
  if (fault) return fault
  const key = attempt(() => createPublicKey({ key: spki.whole, format: 'der', type: 'spki' }), `${what}: not a usable public key`)
  return isRefused(key) ? key : publicKeyOf(key, spki.whole, what)
}

/** The AlgorithmIdentifier of `signature`: ECDSA has no parameters, RSA has NULL. Source: RFC 5758, 3.2 and RFC 4055, 5. */
export function signatureAlgorithm(signer: PublicKey): Part {
  return signer.type === 'ec' ? sequence([oid(ECDSA_SHA256)]) : sequence([oid(RSA_SHA256), nothing()])
}

/** Signs with SHA-256, which Consul uses for every size of key. */
export function signature(signed: Buffer, signer: PrivateKey): Buffer {
  return sign('sha256', signed, signer.key)
}

/** The digest of a signature algorithm that a key of this type makes; undefined for other algorithms. */
export function digestOf(algorithm: string, type: KeyType): string | undefined {
  return DIGESTS[type][algorithm]
}

/** What OpenSSL says no to, as a refusal that carries its reason. */
export function attempt<Value>(work: () => Value, what: string): Result<Value> {
  try {
    return work()
  } catch (error) {
    return refuse('invalid', `${what}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

const ECDSA_SHA256 = '1.2.840.10045.4.3.2'
const RSA_SHA256 = '1.2.840.113549.1.1.11'
const DIGESTS: Record<KeyType, Record<string, string>> = {
  ec: { [ECDSA_SHA256]: 'sha256', '1.2.840.10045.4.3.3': 'sha384', '1.2.840.10045.4.3.4': 'sha512' },
  rsa: { [RSA_SHA256]: 'sha256', '1.2.840.113549.1.1.12': 'sha384', '1.2.840.113549.1.1.13': 'sha512' },
}
const EC_KEY = '1.2.840.10045.2.1'
const RSA_KEY = '1.2.840.113549.1.1.1'
const UNCOMPRESSED = 0x04
const CURVE_BITS: Record<string, number> = { secp224r1: 224, prime256v1: 256, secp384r1: 384, secp521r1: 521 }
/** The default, and so what nearly all keys are. */
const P256_BITS = 256
const RSA_BITS_MIN = 2048
/** Go's TLS takes no larger ones. */
const RSA_BITS_MAX = 8192

function privateKeyOf(key: KeyObject, what: string): Result<PrivateKey> {
  const publicKey = createPublicKey(key)
  const spki = attempt(() => publicKey.export({ type: 'spki', format: 'der' }), `${what}: not a usable private key`)
  if (isRefused(spki)) return spki
  const known = publicKeyOf(publicKey, spki, what)
  return isRefused(known) ? known : { key, publicKey: known }
}

function formFault(spki: Element, what: string): Refusal | undefined {
  const parts = childrenOf(spki, [TAG.sequence, TAG.bitString], what)
  if (isRefused(parts)) return parts
  const algorithm = childrenOf(parts[0], [TAG.oid], what)
  if (isRefused(algorithm)) return algorithm
  const type = oidText(algorithm[0], what)
  if (isRefused(type)) return type
  if (algorithm.length > 2) return refuse('invalid', `${what}: an algorithm with more than its parameters`)
  if (type === RSA_KEY) return isNull(algorithm[1]) ? undefined : refuse('invalid', `${what}: the parameters of an RSA key must be NULL`)
  if (type !== EC_KEY) return refuse('invalid', `${what}: keys of the kind ${type} are not supported, only ec and rsa`)
  const point = bitStringBytes(parts[1], what)
  if (isRefused(point)) return point
  if (algorithm[1]?.tag !== TAG.oid) return refuse('invalid', `${what}: the curve is not given by its name`)
  return point[0] === UNCOMPRESSED ? undefined : refuse('invalid', `${what}: the point is not in its uncompressed form`)
}

function publicKeyOf(key: KeyObject, spki: Buffer, what: string): Result<PublicKey> {
  const size = sizeOf(key, what)
  return isRefused(size) ? size : { key, ...size, spki, keyId: keyIdOf(spki) }
}

function keyIdOf(spki: Buffer): Buffer {
  return hash('sha256', spki, 'buffer')
}

function sizeOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject, what: string): Result<{ type: KeyType; bits: number }> {
  if (asymmetricKeyType === 'ec') {
    const curve = asymmetricKeyDetails?.namedCurve ?? 'without a name'
    const bits = CURVE_BITS[curve]
    return bits === undefined ? refuse('invalid', `${what}: keys on the curve ${curve} are not supported`) : { type: 'ec', bits }
  }
  if (asymmetricKeyType !== 'rsa') return refuse('invalid', `${what}: ${asymmetricKeyType} keys are not supported, only ec and rsa`)
  const bits = asymmetricKeyDetails?.modulusLength ?? 0
  if (bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX) return { type: 'rsa', bits }
  return refuse('invalid', `${what}: RSA keys must have ${RSA_BITS_MIN} to ${RSA_BITS_MAX} bits, this one has ${bits}`)
}
