import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { isRefused, type Refusal, type Result, refuse } from '../kernel/refusal.ts'
import {
  headerOf,
  isRow,
  LENGTH_BYTES,
  MAGIC,
  type SnapshotHeader,
  type SnapshotRow,
  TRAILER_BYTES,
  trailerOf,
  unpacked,
} from './format.ts'

export type SnapshotFile = {
  readonly header: SnapshotHeader
  /** Size of the file. */
  readonly bytes: number
  /** SHA-256 of everything before the checksum, in hex. */
  readonly sha256: string
  /** All rows in portions, each with the bytes it takes. Throws an `Unreadable` if they are not what the header says. */
  portions(): AsyncGenerator<{ rows: readonly SnapshotRow[]; bytes: number }, undefined>
}

/** Rows that are not what their header promised. */
export class Unreadable extends Error {}

/** A chunk of a file that is read. */
const CHUNK_BYTES = 256 * 1024
/** What is held in memory at a time. The longest values there may be, a thousand of them, are less. */
const PART_BYTES_MAX = 1024 * 1024 * 1024
const HEADER_BYTES_MAX = 1024 * 1024
const GZIP_HEADER = [0x1f, 0x8b]

/**
 * Opens a snapshot whose checksum is right. Refused with Consul's words where it has some: `failed to decompress snapshot:
 * unexpected EOF`. Rejects with the system's error if the file cannot be read.
 */
export async function openSnapshot(path: string): Promise<Result<SnapshotFile>> {
  const checked = await checkedSum(path)
  if (isRefused(checked)) return checked
  const { bytes, sha256 } = checked
  const parts = () => frames(path, bytes - TRAILER_BYTES)
  try {
    const reading = parts()
    const first = await reading.next()
    await reading.return(undefined)
    const header = headerOf(first.done ? undefined : unpacked(first.value))
    if (isRefused(header)) return refuse('invalid', `failed to read snapshot: ${header.why}`)
    return { header, bytes, sha256, portions: () => portionsOf(parts(), header) }
  } catch (error) {
    if (error instanceof Unreadable) return refuse('invalid', `failed to read snapshot: ${error.message}`)
    throw error
  }
}

async function checkedSum(path: string): Promise<{ bytes: number; sha256: string } | Refusal> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    const beginning = Buffer.alloc(GZIP_HEADER.length)
    await file.read(beginning, 0, beginning.byteLength, 0)
    if (size === 0) return refuse('invalid', 'failed to decompress snapshot: EOF')
    if (size >= GZIP_HEADER.length && !beginning.equals(Buffer.from(GZIP_HEADER))) {
      return refuse('invalid', 'failed to decompress snapshot: gzip: invalid header')
    }
    if (size <= TRAILER_BYTES) return refuse('invalid', 'failed to decompress snapshot: unexpected EOF')
    const hash = createHash('sha256')
    for await (const chunk of file.createReadStream({
      start: 0,
      end: size - TRAILER_BYTES - 1,
      highWaterMark: CHUNK_BYTES,
      autoClose: false,
    })) {
      hash.update(chunk as Buffer)
    }
    const sha256 = hash.digest('hex')
    const found = Buffer.alloc(TRAILER_BYTES)
    await file.read(found, 0, TRAILER_BYTES, size - TRAILER_BYTES)
    const wanted = trailerOf(sha256)
    if (found.equals(wanted)) return { bytes: size, sha256 }
    const isSealed = found.subarray(0, SEAL_BYTES).equals(wanted.subarray(0, SEAL_BYTES))
    return refuse(
      'invalid',
      isSealed
        ? 'failed to read snapshot: its SHA-256 does not match, so it was damaged'
        : 'failed to decompress snapshot: unexpected EOF (no checksum at its end: it is cut off, or none of this program)',
    )
  } finally {
    await file.close()
  }
}

/** What is the same in every checksum at the end of a file: all before its digits. */
const SEAL_BYTES = trailerOf('').byteLength - 1 - 8

async function* portionsOf(reading: AsyncGenerator<Buffer>, { tables }: SnapshotHeader): ReturnType<SnapshotFile['portions']> {
  const left = new Map(tables.map(({ id, rows }) => [id, rows]))
  let isHeader = true
  for await (const bytes of reading) {
    if (isHeader) {
      isHeader = false
      continue
    }
    const rows = unpacked(bytes)
    if (!Array.isArray(rows) || !rows.every(isRow)) throw new Unreadable('it has rows that are none')
    for (const [id] of rows) {
      const missing = left.get(id)
      if (missing === undefined) throw new Unreadable(`it has a row of table ${id}, which its header does not name`)
      left.set(id, missing - 1)
    }
    yield { rows, bytes: bytes.byteLength }
  }
  for (const [id, missing] of left) {
    if (missing !== 0) throw new Unreadable(`table ${id} does not have as many rows as its header says`)
  }
}

/** The parts between the magic word and the end mark, one after the other. */
async function* frames(path: string, bytes: number): AsyncGenerator<Buffer, undefined> {
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES })
  const done = new AbortController()
  const source = createReadStream(path, { end: bytes - 1, highWaterMark: CHUNK_BYTES })
  // What fails is thrown where the chunks are read; to end early is no failure.
  const piped = pipeline(source, gunzip, { signal: done.signal }).then(nothing, nothing)
  try {
    const take = taker(gunzip.iterator())
    const magic = await take(MAGIC.byteLength)
    if (!magic?.equals(MAGIC)) throw new Unreadable('it does not begin as one')
    let isHeader = true
    for (;;) {
      const length = (await take(LENGTH_BYTES))?.readUInt32BE(0)
      if (length === undefined) throw new Unreadable('it ends too early')
      if (length === 0) return
      // A few bytes can stand for any number of zeros.
      if (length > (isHeader ? HEADER_BYTES_MAX : PART_BYTES_MAX)) throw new Unreadable(`it has a part of ${length} bytes`)
      isHeader = false
      const part = await take(length)
      if (part === undefined) throw new Unreadable('it ends too early')
      yield part
    }
  } catch (error) {
    if (!isBadData(error)) throw error
    throw new Unreadable(`it cannot be decompressed: ${error.message}`)
  } finally {
    done.abort()
    await piped
  }
}

function isBadData(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')
}

function nothing(): void {
  // Said by the other side of the pipe.
}

/** Gives so many bytes at a time; nothing if there are too few left. */
function taker(chunks: AsyncIterator<Buffer>): (bytes: number) => Promise<Buffer | undefined> {
  let rest: Buffer = Buffer.alloc(0)
  return async (bytes) => {
    const parts = [rest]
    let held = rest.byteLength
    while (held < bytes) {
      const next = await chunks.next()
      if (next.done) return undefined
      parts.push(next.value)
      held += next.value.byteLength
    }
    const all = parts.length === 1 ? rest : Buffer.concat(parts)
    rest = all.subarray(bytes)
    return all.subarray(0, bytes)
  }
}
