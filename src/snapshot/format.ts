import { crc32 } from 'node:zlib'
import { Packr } from 'msgpackr'
import { keyFault } from '../kernel/keys.ts'
import { isObject } from '../kernel/plain.ts'
import { type Refusal, refuse } from '../kernel/refusal.ts'

/** What docs/snapshots.md describes: the parts of a snapshot and how each is written. */
export type SnapshotHeader = {
  version: number
  /** `<term>-<index>-<time in ms>`. */
  id: string
  /** The last index of the tables. */
  index: number
  /** When it was taken, in ms since 1970. */
  timeMs: number
  /** In the order in which their rows come. */
  tables: { id: number; name: string; rows: number }[]
}

/** One record: the number of its table, its key, and what is stored there. */
export type SnapshotRow = readonly [tableId: number, key: string, record: unknown]

export const SNAPSHOT_VERSION = 1
/** There are no terms in this log; Consul's tools expect one. */
export const SNAPSHOT_TERM = 1
export const MAGIC = Buffer.from('tribune snapshot\n')

const packr = new Packr({ useRecords: false, copyBuffers: true })

/** A part with its length in front: four bytes, big-endian. */
export function framed(part: SnapshotHeader | readonly SnapshotRow[]): Buffer {
  const bytes = packr.pack(part)
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + bytes.byteLength)
  frame.writeUInt32BE(bytes.byteLength, 0)
  bytes.copy(frame, LENGTH_BYTES)
  return frame
}

export function unpacked(bytes: Uint8Array): unknown {
  return packr.unpack(bytes)
}

export const LENGTH_BYTES = 4
/** Stands where another frame would begin. */
export const END = Buffer.alloc(LENGTH_BYTES)

/** The header, if it is one that this version can read. */
export function headerOf(value: unknown): SnapshotHeader | Refusal {
  if (!isObject(value)) return refuse('invalid', 'its header is not readable')
  const { version, id, index, timeMs, tables } = value
  if (version !== SNAPSHOT_VERSION) return refuse('invalid', `it has version ${String(version)}, this program reads ${SNAPSHOT_VERSION}`)
  const isWhole =
    typeof id === 'string' &&
    Number.isSafeInteger(index) &&
    typeof timeMs === 'number' &&
    Array.isArray(tables) &&
    tables.every(
      (table) =>
        isObject(table) && Number.isSafeInteger(table['id']) && typeof table['name'] === 'string' && Number.isSafeInteger(table['rows']),
    )
  return isWhole ? (value as SnapshotHeader) : refuse('invalid', 'its header is incomplete')
}

export function isRow(value: unknown): value is SnapshotRow {
  if (!Array.isArray(value) || value.length !== 3) return false
  const [id, key] = value as unknown[]
  return Number.isSafeInteger(id) && typeof key === 'string' && keyFault(key) === undefined
}

/**
 * What ends the file: a second member of gzip that holds `sha256 <hex>` of all bytes before, uncompressed. So all of it is known
 * beforehand, and a changed bit is seen wherever it is. Source of the form: RFC 1952 §2.3, RFC 1951 §3.2.4.
 */
export function trailerOf(sha256: string): Buffer {
  const text = Buffer.from(`sha256 ${sha256}\n`)
  const ends = Buffer.alloc(8)
  ends.writeUInt32LE(crc32(text), 0)
  ends.writeUInt32LE(text.byteLength, 4)
  return Buffer.concat([TRAILER_HEAD, text, ends])
}

const TEXT_BYTES = 72
const TRAILER_HEAD = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 1, TEXT_BYTES, 0, ~TEXT_BYTES & 0xff, 0xff])
export const TRAILER_BYTES = TRAILER_HEAD.byteLength + TEXT_BYTES + 8
