import {
  closeSync,
  existsSync,
  fdatasync,
  fdatasyncSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { assert } from '../src/kernel/refusal.ts'
import { syncDirectory } from './data-directory.ts'
import type { Database } from './lmdb.ts'

/** The last states of an environment that are whole on the disk, although its commits do not wait for the disk. */
export type Checkpoints = {
  /** To be called before every commit. Throws what the disk says. */
  beforeCommit(): void
  /** Makes what is committed survive a power cut; `done` once that is so, or with what the disk says. */
  begin(done: (error?: Error) => void): void
  /** The same at once. Throws what the disk says. */
  now(): void
  /** As `now`, and closes the files; what is asked for later is not done. */
  close(): void
}

export type CheckpointsOptions = { directory: string; database: Database; boot: string }

/**
 * LMDB writes a change to pages that no reader and no newer state uses, then its two first pages, which say where the newest state is.
 * Without waiting for the disk, these may get there in any order. So a checkpoint keeps a reader at its state, whose pages stay as
 * they are for that long, has the disk take all that is written, and then a copy of the two first pages, which becomes one of two such copies in
 * a file beside. Whoever finds that the machine was started anew since puts the newest whole copy back (`restoreCheckpoint`).
 * The kill of a process needs none of this: what it has written is with the system.
 */
export function openCheckpoints({ directory, database, boot }: CheckpointsOptions): Checkpoints {
  const data = openSync(join(directory, DATA), 'r')
  const file = openCopies(directory)
  const { pageSize } = database.getStats() as { pageSize: number }
  let number = readCopies(directory)?.number ?? 0
  /** Keeps the state of the newest copy that is whole. */
  let kept: Kept | undefined
  let waiting: ((error?: Error) => void)[] = []
  let isRunning = false
  let isClosed = false

  function pin(): Kept {
    database.resetReadTxn()
    const reader = database.useReadTransaction()
    const pages = Buffer.alloc(META_PAGES * pageSize)
    readSync(data, pages, 0, pages.length, 0)
    return { reader, pages }
  }

  function write(pages: Buffer, writtenIn: string): void {
    const copy = copyOf({ number: ++number, boot: writtenIn, pages })
    writeSync(file, copy, 0, copy.length, (number % COPIES) * COPY_BYTES)
  }

  function keep(state: Kept): void {
    kept?.reader.done()
    kept = state
  }

  function now(): void {
    const state = pin()
    try {
      fdatasyncSync(data)
      write(state.pages, boot)
      fdatasyncSync(file)
    } catch (error) {
      lost(state)
      throw error
    }
    keep(state)
  }

  /** What the disk did not take the system may have forgotten too: the next one that opens it goes back to what is whole. */
  function lost(state: Kept): void {
    state.reader.done()
    if (kept) write(kept.pages, '')
  }

  function next(): void {
    if (isRunning || isClosed || waiting.length === 0) return
    isRunning = true
    const told = waiting
    waiting = []
    const state = pin()
    const settled = (error?: Error | null) => {
      isRunning = false
      if (error) lost(state)
      else keep(state)
      for (const done of told) done(error ?? undefined)
      next()
    }
    fdatasync(data, (error) => {
      if (isClosed) return closeFiles()
      if (error) return settled(error)
      write(state.pages, boot)
      fdatasync(file, (error) => {
        if (isClosed) closeFiles()
        else settled(error)
      })
    })
  }

  function closeFiles(): void {
    closeSync(data)
    closeSync(file)
  }

  return {
    beforeCommit() {
      if (kept === undefined) now()
    },
    begin(done) {
      waiting.push(done)
      next()
    },
    now,
    close() {
      assert(!isClosed, 'checkpoints are closed once')
      isClosed = true
      try {
        if (kept !== undefined) now()
      } finally {
        kept?.reader.done()
        // The system still works with them.
        if (!isRunning) closeFiles()
      }
    },
  }
}

/**
 * Makes the environment in this directory what it was at its last checkpoint, unless all that was written since is there: the machine
 * has run since, by its `boot`. Nothing if there were no checkpoints. For the first that opens the directory, before it does.
 */
export function restoreCheckpoint(directory: string, boot: string): void {
  if (!existsSync(join(directory, DATA))) return rmSync(join(directory, FILE), { force: true })
  const copy = readCopies(directory)
  if (copy === undefined || (boot !== '' && copy.boot === boot)) return
  const data = openSync(join(directory, DATA), 'r+')
  try {
    writeSync(data, copy.pages, 0, copy.pages.length, 0)
    fdatasyncSync(data)
  } finally {
    closeSync(data)
  }
}

/** From now on each commit is durable by itself: makes all durable that is there, and forgets the checkpoints. */
export function endCheckpoints(directory: string): void {
  const path = join(directory, FILE)
  if (!existsSync(path)) return
  const data = openSync(join(directory, DATA), 'r')
  try {
    fdatasyncSync(data)
  } finally {
    closeSync(data)
  }
  rmSync(path)
  syncDirectory(directory)
}

/** A state that stays as it is for as long as it has a reader. */
type Kept = { reader: ReturnType<Database['useReadTransaction']>; pages: Buffer }
/** `boot`: '' where the system does not tell. `pages`: the first ones of the data file. */
type Copy = { number: number; boot: string; pages: Buffer }

const DATA = 'data.mdb'
const FILE = 'checkpoint'
const META_PAGES = 2
const COPIES = 2
/** A copy: its number, its checksum, the lengths of what follows as 32-bit numbers, the boot as text, the pages. LMDB's pages have 64 KB at most. */
const COPY_BYTES = META_PAGES * 65_536 + 4_096
const HEAD_BYTES = 24
const CHECKSUM_AT = 8
const FILE_MODE = 0o600

function copyOf({ number, boot, pages }: Copy): Buffer {
  const name = Buffer.from(boot)
  const head = Buffer.alloc(HEAD_BYTES)
  head.writeBigUInt64LE(BigInt(number))
  head.writeUInt32LE(name.length, 16)
  head.writeUInt32LE(pages.length, 20)
  const copy = Buffer.concat([head, name, pages])
  assert(copy.length <= COPY_BYTES, 'a copy fits into its place')
  copy.writeUInt32LE(crc32(copy), CHECKSUM_AT)
  return copy
}

/** The newest copy that is whole. */
function readCopies(directory: string): Copy | undefined {
  const path = join(directory, FILE)
  if (!existsSync(path)) return undefined
  const bytes = readFileSync(path)
  const copies = Array.from({ length: COPIES }, (_, at) => readCopy(bytes.subarray(at * COPY_BYTES, (at + 1) * COPY_BYTES)))
  return copies.filter((copy) => copy !== undefined).sort((a, b) => b.number - a.number)[0]
}

function readCopy(place: Buffer): Copy | undefined {
  if (place.length < HEAD_BYTES) return undefined
  const number = Number(place.readBigUInt64LE())
  const pagesAt = HEAD_BYTES + place.readUInt32LE(16)
  const end = pagesAt + place.readUInt32LE(20)
  if (number === 0 || end > place.length) return undefined
  const copy = Buffer.from(place.subarray(0, end))
  const checksum = copy.readUInt32LE(CHECKSUM_AT)
  copy.writeUInt32LE(0, CHECKSUM_AT)
  if (crc32(copy) !== checksum) return undefined
  return { number, boot: copy.toString('utf8', HEAD_BYTES, pagesAt), pages: copy.subarray(pagesAt) }
}

/** The file with room for all copies, so that a full disk takes them too. */
function openCopies(directory: string): number {
  const path = join(directory, FILE)
  if (!existsSync(path)) {
    writeFileSync(path, new Uint8Array(COPIES * COPY_BYTES), { mode: FILE_MODE, flush: true })
    syncDirectory(directory)
  }
  return openSync(path, 'r+')
}
