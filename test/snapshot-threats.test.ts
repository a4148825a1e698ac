import { createHash } from 'node:crypto'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { tarOf } from '../src/cli/tar.ts'
import { isRefused } from '../src/kernel/refusal.ts'
import { END, framed, MAGIC, type SnapshotHeader, trailerOf } from '../src/snapshot/format.ts'
import { openSnapshot, Unreadable } from '../src/snapshot/read.ts'
import { temporaryDirectory } from './kit/temporary-directory.ts'

const HEADER: SnapshotHeader = { version: 1, id: '1-2-3', index: 2, timeMs: 3, tables: [] }
const MEBIBYTE = 1024 * 1024

/** A file with the checksum of whoever made it, and what becomes of who reads all of it. */
async function readAs(t: ExecutionContext, content: Buffer): Promise<string> {
  const path = join(temporaryDirectory(t), 'given.snap')
  const packed = gzipSync(content)
  writeFileSync(path, Buffer.concat([packed, trailerOf(createHash('sha256').update(packed).digest('hex'))]))
  const opened = await openSnapshot(path)
  if (isRefused(opened)) return opened.why
  try {
    for await (const { rows } of opened.portions()) t.true(Array.isArray(rows))
    return 'read'
  } catch (error) {
    if (error instanceof Unreadable) return error.message
    throw error
  }
}

function lengthOf(bytes: number): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes)
  return length
}

test('a small file that unpacks to any number of bytes is refused before they are held', async (t) => {
  t.is(await readAs(t, Buffer.concat([MAGIC, framed(HEADER), END])), 'read')
  t.is(
    await readAs(t, Buffer.concat([MAGIC, lengthOf(0xffff_ffff), Buffer.alloc(64 * MEBIBYTE)])),
    'failed to read snapshot: it has a part of 4294967295 bytes',
  )
  t.is(
    await readAs(t, Buffer.concat([MAGIC, lengthOf(2 * MEBIBYTE), Buffer.alloc(2 * MEBIBYTE)])),
    'failed to read snapshot: it has a part of 2097152 bytes',
  )
  t.is(await readAs(t, Buffer.concat([MAGIC, framed(HEADER), lengthOf(1025 * MEBIBYTE)])), 'it has a part of 1074790400 bytes')
})

test('an archive of files, as Consul’s snapshots are, is refused: no path in it leads anywhere', async (t) => {
  const victim = join(temporaryDirectory(t), 'victim')
  const archive = tarOf([{ path: `../../../../../..${victim}`, bytes: Buffer.from('owned') }], 0)
  t.is(await readAs(t, archive), 'failed to read snapshot: it does not begin as one')
  t.false(existsSync(victim))
})
