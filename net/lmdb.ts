import { appendFileSync, statSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { open, type RootDatabase } from 'lmdb'
import { Packr } from 'msgpackr'
import { type Refusal, refuse } from '../src/kernel/refusal.ts'
import { endCheckpoints, restoreCheckpoint } from './checkpoints.ts'
import { type Claim, claimDirectory, explained, inUse } from './data-directory.ts'
import { thisBoot } from './processes.ts'
import { NoRoom, openRoom, type Room, type Usage } from './room.ts'

/** Binary keys, records as msgpack; bytes in records come back as Buffers. */
export type Database = RootDatabase<unknown, Buffer>

export type EnvironmentOptions = {
  /** Whether a commit waits for the disk. Without it a power cut may lose everything, a kill of the process loses nothing. With
   * `later` a power cut goes back to the last checkpoint, which whoever writes must make (`openCheckpoints`). */
  durable: boolean | 'later'
  /** The name of the machine's run. Default: what the system says. */
  boot?: string
  /** Whether free pages inside the file may still be needed by a state that is kept. */
  keepsFreePages?: () => boolean
  /** Makes the directory if it is missing. */
  create: boolean
  /** For further threads of a process that has the directory open. */
  readOnly: boolean
}

export type Environment = {
  readonly database: Database
  /** For the changes to come, which must be settled. Putting reserves by itself, removing does not. Absent if `readOnly`. */
  readonly room: Room | undefined
  /** After closing the database: frees the directory for other processes. */
  release(): void
}

/**
 * Opens the LMDB environment in a directory of its own, which is claimed for this process (see `claimDirectory` for the errors).
 * All threads that open it share one environment.
 */
export function openEnvironment(directory: string, options: EnvironmentOptions): Environment {
  const { durable, boot = thisBoot(), keepsFreePages = () => false, create, readOnly } = options
  const claim = claimDirectory(directory, { create, readOnly })
  let room: Room | undefined
  try {
    if (!claim.joined) {
      restoreCheckpoint(directory, boot)
      if (durable === true) endCheckpoints(directory)
      fillLockFile(directory)
    }
    const database = openDatabase(directory, durable === true, (valueBytes) => room?.reserve(valueBytes))
    if (!claim.joined) checkAlone(directory, database, claim)
    if (!readOnly) room = openRoom(join(directory, 'data.mdb'), () => usageOf(database, keepsFreePages()))
    if (room !== undefined && isEmpty(database)) makeSure(room)
    const release = () => {
      room?.close()
      claim.release()
    }
    return { database, room, release }
  } catch (error) {
    claim.release()
    throw openingError(error, directory)
  }
}

/**
 * What a failed commit is answered with; nothing for errors that are not the disk's. `final` if no later commit may be tried:
 * after anything but a full disk LMDB may be unable to begin one.
 */
export function diskRefusal(error: unknown, directory: string): { refusal: Refusal; final: boolean } | undefined {
  const full: Refusal = refuse('busy', `disk full: no room in ${directory}`)
  if (error instanceof NoRoom) return { refusal: full, final: false }
  if (!isLmdbError(error)) return undefined
  if (NO_SPACE.includes(error.code)) return { refusal: full, final: false }
  return { refusal: diskFailed(error, directory), final: true }
}

export function diskFailed(error: unknown, directory: string): Refusal {
  const why = error instanceof Error ? error.message : String(error)
  return refuse('busy', `disk failed, no more writes until restart: ${directory}: ${why}`)
}

/**
 * Address space, not memory or disk: the file grows as it is used. LMDB can enlarge it later, but moves the map then, so it
 * starts beyond what a mesh can fill.
 */
const MAP_BYTES = 64 * 2 ** 30
const FILE_MODE = 0o600
/** Places in the list of readers: one a thread, more while snapshots are held. LMDB's own default is 126. */
const READERS_MAX = 512

const LOCK_FILE_BYTES = 9 * 4_096

const MDB_MAP_FULL = -30792
const NO_SPACE: readonly number[] = [constants.errno.ENOSPC, constants.errno.EDQUOT, constants.errno.EFBIG, MDB_MAP_FULL]

/** Errors with a number for a code are LMDB's, or the system's as LMDB met it. */
function isLmdbError(error: unknown): error is Error & { code: number } {
  return error instanceof Error && 'code' in error && typeof error.code === 'number'
}

function openingError(error: unknown, directory: string): unknown {
  const isFull = error instanceof NoRoom || (isLmdbError(error) && NO_SPACE.includes(error.code))
  if (isFull) return explained(Object.assign(new Error('no room'), { code: 'ENOSPC' }), directory)
  if (isLmdbError(error)) return new Error(`data directory ${directory} cannot be opened: ${error.message}`, { cause: error })
  return explained(error, directory)
}

/**
 * LMDB maps its lock file into memory, where a block that the disk turns out not to have ends the process. So all of it is
 * written before; what a full disk left incomplete is completed. A complete one is not touched: closing it would give up the locks
 * that this process has on it.
 */
function fillLockFile(directory: string): void {
  const path = join(directory, 'lock.mdb')
  const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  if (bytes < LOCK_FILE_BYTES) appendFileSync(path, new Uint8Array(LOCK_FILE_BYTES - bytes), { mode: FILE_MODE })
}

/** A directory that cannot take its first change is not begun. Throws NoRoom. */
function makeSure(room: Room): void {
  room.reserve(1)
  room.settle(room.inFlightBytes)
}

function openDatabase(directory: string, durable: boolean, measured: (valueBytes: number) => void): Database {
  // `permissionsMode`, `maxReaders`, `eventTurnBatching` and `encoder` are absent from lmdb's types.
  const options = {
    noSubdir: false,
    mapSize: MAP_BYTES,
    maxReaders: READERS_MAX,
    permissionsMode: FILE_MODE,
    // Overlapping would show a commit to readers before the disk has it.
    overlappingSync: false,
    noSync: !durable,
    // Batches by turn have a promise of their own, which nobody can keep from being an unhandled rejection when the disk is full.
    eventTurnBatching: false,
    encoder: measuringEncoder(measured),
    keyEncoding: 'binary' as const,
  }
  return open<unknown, Buffer>(directory, options)
}

/**
 * The lock file can lie: two processes may replace a stale one at the same moment, and a container cannot see another's
 * processes. LMDB's own lock is the system's: its list of readers is emptied by whoever opens it alone.
 */
function checkAlone(directory: string, database: Database, { suspect }: Claim): void {
  database.get(Buffer.of(0)) // takes a place in the list, so that others see this process
  const pids = [...database.readerList().matchAll(/^\s*(\d+)\s/gm)].map(([, pid]) => Number(pid))
  const foreign = pids.find((pid) => pid !== process.pid)
  const other = foreign ?? (pids.length > 1 ? suspect?.pid : undefined)
  if (other === undefined) return
  void database.close()
  throw inUse(directory, other)
}

/** msgpack that tells the size of each record before it is written. `measured` may throw to keep it from being written. */
function measuringEncoder(measured: (valueBytes: number) => void) {
  const packr = new Packr({ useRecords: false, copyBuffers: true })
  return {
    /** Says that the bytes may be part of a buffer that is used again, from `start` to `end`; see lmdb's write.js. */
    copyBuffers: true,
    encode(record: unknown, mode?: number): Buffer {
      const bytes: Buffer & { start?: number; end?: number } = packr.encode(record, mode)
      measured(bytes.start === undefined ? bytes.length : bytes.end! - bytes.start)
      return bytes
    },
    decode: (bytes: Buffer, endOrOptions?: number) => packr.decode(bytes, endOrOptions) as unknown,
  }
}

function usageOf(database: Database, isFreeKept = false): Usage {
  const stats = database.getStats() as Stats & { lastPageNumber: number; free: Stats }
  const usedPages = stats.lastPageNumber + 1
  const freelistPages = pagesOf(stats.free)
  const freePages = usedPages - META_PAGES - freelistPages - pagesOf(stats)
  // A long value's pages lie side by side.
  const longValues = Math.min(stats.overflowPages, stats.entryCount)
  return {
    usedBytes: usedPages * stats.pageSize,
    freeBytes: isFreeKept ? 0 : freePages * stats.pageSize,
    freelistBytes: freelistPages * stats.pageSize,
    stretches: META_PAGES + freelistPages + stats.treeBranchPageCount + stats.treeLeafPageCount + longValues,
  }
}

function isEmpty(database: Database): boolean {
  return usageOf(database).usedBytes === META_PAGES * (database.getStats() as Stats).pageSize
}

/** As lmdb gives them for one tree of pages. */
type Stats = { pageSize: number; entryCount: number; treeBranchPageCount: number; treeLeafPageCount: number; overflowPages: number }
const META_PAGES = 2

function pagesOf({ treeBranchPageCount, treeLeafPageCount, overflowPages }: Stats): number {
  return treeBranchPageCount + treeLeafPageCount + overflowPages
}
