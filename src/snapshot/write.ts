import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createGzip } from 'node:zlib'
import { END, framed, MAGIC, type SnapshotHeader, type SnapshotRow, trailerOf } from './format.ts'

const FILE_MODE = 0o600

/**
 * Writes a snapshot to a new file, which only its owner may read: it holds private keys. Rows come in portions, in the order of
 * the header's tables; the next portion is asked for once there is room. Rejects with the system's error; the file may be
 * incomplete then.
 */
export async function writeSnapshot(path: string, header: SnapshotHeader, portions: AsyncIterable<readonly SnapshotRow[]>): Promise<void> {
  await pipeline(
    Readable.from(parts(header, portions), { objectMode: true, highWaterMark: 1 }),
    createGzip({ level: constants.Z_BEST_SPEED }),
    sealed(),
    createWriteStream(path, { flags: 'wx', mode: FILE_MODE }),
  )
}

async function* parts(header: SnapshotHeader, portions: AsyncIterable<readonly SnapshotRow[]>): AsyncGenerator<Buffer> {
  yield MAGIC
  yield framed(header)
  for await (const portion of portions) yield framed(portion)
  yield END
}

/** Passes everything on and ends with its checksum. */
function sealed(): Transform {
  const hash = createHash('sha256')
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      done(null, chunk)
    },
    flush(done) {
      done(null, trailerOf(hash.digest('hex')))
    },
  })
}
