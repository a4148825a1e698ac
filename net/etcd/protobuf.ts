/**
 * The wire form of Protocol Buffers, as far as etcd's messages use it: whole numbers, bytes and messages in messages. Source: the
 * encoding guide of Protocol Buffers, version 3.
 */
export type Fields = ReadonlyMap<number, readonly (bigint | Buffer)[]>

/** A message out of its fields, in this order. What is 0, empty or undefined is left out, which says the same. */
export function message(...fields: readonly (readonly [number: number, value: FieldValue])[]): Buffer {
  const parts: Buffer[] = []
  for (const [number, value] of fields) {
    for (const item of Array.isArray(value) ? value : [value]) field(parts, number, item)
  }
  return Buffer.concat(parts)
}

/** The fields of a message by their number, in the order in which they stand there. Throws if it is malformed. */
export function fieldsOf(bytes: Buffer): Fields {
  const fields = new Map<number, (bigint | Buffer)[]>()
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; shift < VARINT_BITS_MAX; shift += 7n) {
      const byte = bytes[at++]
      if (byte === undefined) throw new Error(CUT_OFF)
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asIntN(64, value)
    }
    throw new Error('a number of the message is too long')
  }
  const take = (size: number): Buffer => {
    if (at + size > bytes.byteLength) throw new Error(CUT_OFF)
    at += size
    return bytes.subarray(at - size, at)
  }
  while (at < bytes.byteLength) {
    const tag = Number(varint())
    const kind = tag & 7
    if (kind !== VARINT && kind !== BYTES && kind !== FIXED_64 && kind !== FIXED_32)
      throw new Error(`the message has a field of kind ${kind}`)
    const value = kind === VARINT ? varint() : take(kind === BYTES ? Number(varint()) : kind === FIXED_64 ? 8 : 4)
    const values = fields.get(tag >>> 3)
    if (values) values.push(value)
    else fields.set(tag >>> 3, [value])
  }
  return fields
}

/** A whole number, the last of its field; 0 if there is none. Above 2^53 it is not exact. */
export function numberOf(fields: Fields, number: number): number {
  return Number(bigintOf(fields, number))
}

export function bigintOf(fields: Fields, number: number): bigint {
  const value = fields.get(number)?.at(-1)
  return typeof value === 'bigint' ? value : 0n
}

/** Bytes, or a message, the last of its field; empty if there is none. */
export function bytesOf(fields: Fields, number: number): Buffer {
  const value = fields.get(number)?.at(-1)
  return Buffer.isBuffer(value) ? value : NO_BYTES
}

/** All messages of a field. */
export function messagesOf(fields: Fields, number: number): Buffer[] {
  return (fields.get(number) ?? []).filter((value) => Buffer.isBuffer(value))
}

type FieldItem = number | bigint | boolean | string | Uint8Array | undefined
type FieldValue = FieldItem | readonly Uint8Array[]

const VARINT = 0
const FIXED_64 = 1
const BYTES = 2
const FIXED_32 = 5
const VARINT_BITS_MAX = 70n
const NO_BYTES = Buffer.alloc(0)
const CUT_OFF = 'the message is cut off'

/** Messages in lists are written although they are empty. */
function field(parts: Buffer[], number: number, value: FieldItem | readonly Uint8Array[]): void {
  if (value === undefined || value === '' || value === false || value === 0 || value === 0n) return
  if (typeof value === 'string' || value instanceof Uint8Array) {
    const bytes = typeof value === 'string' ? Buffer.from(value) : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    parts.push(varintOf((number << 3) | BYTES), varintOf(bytes.byteLength), bytes)
  } else if (!Array.isArray(value)) parts.push(varintOf((number << 3) | VARINT), varintOf(BigInt(value as number | bigint | boolean)))
}

/** Negative numbers are ten bytes long. */
function varintOf(value: number | bigint): Buffer {
  const bytes: number[] = []
  let left = BigInt.asUintN(64, BigInt(value))
  do {
    const low = Number(left & 0x7fn)
    left >>= 7n
    bytes.push(left > 0n ? low | 0x80 : low)
  } while (left > 0n)
  return Buffer.from(bytes)
}
