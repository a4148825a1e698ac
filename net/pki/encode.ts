import type { asn1 as Asn1Types } from 'node-forge'
import asn1 from 'node-forge/lib/asn1.js'

/** A part of a DER structure that is being built. */
export type Part = Asn1Types.Asn1

/** The bytes of a structure. */
export function encode(part: Part): Buffer {
  return Buffer.from(asn1.toDer(part).data, 'latin1')
}

export function sequence(parts: Part[]): Part {
  return asn1.create(UNIVERSAL, TYPE.SEQUENCE, true, parts)
}

export function set(parts: Part[]): Part {
  return asn1.create(UNIVERSAL, TYPE.SET, true, parts)
}

/** `[number]` around parts. */
export function tagged(number: number, parts: Part[]): Part {
  return asn1.create(CONTEXT, number, true, parts)
}

/** `[number]` in place of a primitive's own tag. */
export function implicit(number: number, content: Uint8Array): Part {
  return asn1.create(CONTEXT, number, false, bytesText(content))
}

export function oid(dotted: string): Part {
  return asn1.create(UNIVERSAL, TYPE.OID, false, asn1.oidToDer(dotted).data)
}

/** A whole number from 0; as a float only if that holds it exactly. */
export function integer(value: number | bigint): Part {
  const digits = value.toString(16)
  const bytes = Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex')
  const content = (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes
  return asn1.create(UNIVERSAL, TYPE.INTEGER, false, bytesText(content))
}

export function nothing(): Part {
  return asn1.create(UNIVERSAL, TYPE.NULL, false, '')
}

/** BOOLEAN TRUE; DER leaves out a false that is the default. */
export function yes(): Part {
  return asn1.create(UNIVERSAL, TYPE.BOOLEAN, false, '\u00ff')
}

export function octets(content: Uint8Array): Part {
  return asn1.create(UNIVERSAL, TYPE.OCTETSTRING, false, bytesText(content))
}

/** A BIT STRING; the last `unused` bits of its last byte do not count. */
export function bits(content: Uint8Array, unused = 0): Part {
  return asn1.create(UNIVERSAL, TYPE.BITSTRING, false, String.fromCharCode(unused) + bytesText(content))
}

/** A PrintableString if it can be one, else a UTF8String: what Go's encoder chooses. */
export function text(value: string): Part {
  const type = PRINTABLE.test(value) ? TYPE.PRINTABLESTRING : TYPE.UTF8
  return asn1.create(UNIVERSAL, type, false, bytesText(Buffer.from(value, 'utf8')))
}

/** A time in whole seconds: UTCTime from 1950 to 2049, GeneralizedTime otherwise. Source: RFC 5280, 4.1.2.5. */
export function time(ms: number): Part {
  const digits = `${new Date(ms).toISOString().slice(0, 19).replace(/[-T:]/g, '')}Z`
  const year = Number(digits.slice(0, 4))
  if (year >= 1950 && year < 2050) return asn1.create(UNIVERSAL, TYPE.UTCTIME, false, digits.slice(2))
  return asn1.create(UNIVERSAL, TYPE.GENERALIZEDTIME, false, digits)
}

/** A whole element with its tag and length, exactly as it is. */
export function encoded(whole: Buffer): Part {
  const tag = whole[0] ?? 0
  const length = whole[1] ?? 0
  const start = length < 0x80 ? 2 : 2 + (length & 0x7f)
  // The encoder writes tag and content of a part that is not composed as they are, which keeps the constructed bit in the tag.
  return asn1.create(tag & 0xc0, tag & 0x3f, false, bytesText(whole.subarray(start)))
}

const TYPE = asn1.Type
const UNIVERSAL = asn1.Class.UNIVERSAL
const CONTEXT = asn1.Class.CONTEXT_SPECIFIC
const PRINTABLE = /^[A-Za-z0-9 '()+,./:=?-]*$/

function bytesText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
