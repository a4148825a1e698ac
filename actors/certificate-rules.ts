import type { KeyType } from '../src/kernel/ports.ts'

/** What a certificate may say here. Each rule answers what is wrong, beginning with the field's name, or undefined. */
export function keySizeFault(type: KeyType, bits: number): string | undefined {
  const sizes = Object.hasOwn(KEY_BITS, type) ? KEY_BITS[type] : undefined
  if (!sizes) return "type: private key type must be either 'ec' or 'rsa'"
  if (sizes.includes(bits)) return undefined
  return type === 'ec' ? 'bits: EC key length must be one of (224, 256, 384, 521) bits' : 'bits: RSA key length must be 2048 or 4096 bits'
}

/** Source of the length: RFC 5280, ub-common-name. */
export function commonNameFault(commonName: string): string | undefined {
  const length = [...commonName].length
  if (length === 0 || length > COMMON_NAME_LENGTH_MAX)
    return `commonName: must have 1 to ${COMMON_NAME_LENGTH_MAX} characters, has ${length}`
  if (/\p{Cc}/u.test(commonName) || !commonName.isWellFormed())
    return 'commonName: must not have control characters or halves of characters'
  return undefined
}

/** Source of the length: the SPIFFE-ID standard. */
export function uriFault(uri: string): string | undefined {
  if (uri.length > URI_LENGTH_MAX) return `uri: must have at most ${URI_LENGTH_MAX} characters, has ${uri.length}`
  return PRINTABLE_ASCII.test(uri) ? undefined : `uri: must be printable ASCII without spaces, got ${JSON.stringify(uri)}`
}

export function namesFault({ commonName, uri }: { commonName: string; uri: string }): string | undefined {
  return commonNameFault(commonName) ?? uriFault(uri)
}

/** The serial number and both times; these are in ms since 1970 and are written in whole seconds. */
export function numbersFault({ serial, notBeforeMs, notAfterMs }: CertificateNumbers): string | undefined {
  if (!Number.isSafeInteger(serial) || serial < 1)
    return `serial: must be a whole number from 1 to ${Number.MAX_SAFE_INTEGER}, got ${serial}`
  for (const [name, ms] of Object.entries({ notBeforeMs, notAfterMs })) {
    if (!(ms >= EARLIEST_MS && ms <= LATEST_MS)) return `${name}: must be between the years 1950 and 9999, got ${ms}`
  }
  return notBeforeMs < notAfterMs ? undefined : `notAfterMs: must be after notBeforeMs, got ${notAfterMs} and ${notBeforeMs}`
}

export type CertificateNumbers = { serial: number; notBeforeMs: number; notAfterMs: number }

/** Sizes of keys, in bits, as Consul has them. */
const KEY_BITS: Readonly<Record<KeyType, readonly number[]>> = { ec: [224, 256, 384, 521], rsa: [2048, 4096] }
const COMMON_NAME_LENGTH_MAX = 64
const URI_LENGTH_MAX = 2048
const PRINTABLE_ASCII = /^[\u0021-\u007e]+$/
/** The first second of 1950. */
const EARLIEST_MS = -631_152_000_000
/** The last second of 9999. */
const LATEST_MS = 253_402_300_799_000
