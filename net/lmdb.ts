import { statfsSync } from 'node:fs'
import { constants } from 'node:os'
import { open, type RootDatabase } from 'lmdb'
import { type Refusal, refuse } from '../src/kernel/refusal.ts'
import { type Claim, claimDirectory, inUse } from './data-directory.ts'

/** Binary keys, records as msgpack; bytes in records come back as Buffers. */
export type Database = RootDatabase<unknown, Buffer>

export type EnvironmentOptions = {
  /** Whether a commit waits for the disk. Without it a power cut may lose everything; a kill of the process does not. */
  durable: boolean
  /** Makes the directory if it is missing. */
  create: boolean
  /** For further threads of a process that has the directory open. */
  readOnly: boolean
}

/**
 * Opens the LMDB environment in a directory of its own, which is claimed for this process (see `claimDirectory` for the errors).
 * All threads that open it share one environment. `close` ends the use on this thread.
 */
export function openEnvironment(
  directory: string,
  { durable, create, readOnly }: EnvironmentOptions,
): { database: Database; close(): Promise<void> } {
  const claim = claimDirectory(directory, { create, readOnly })
  try {
    const database = openDatabase(directory, durable)
    if (!claim.joined) checkAlone(directory, database, claim)
    return { database, close: () => database.close().finally(claim.release) }
  } catch (error) {
    claim.release()
    throw error
  }
}

/**
 * What a failed commit is answered with; nothing for errors that are not the disk's. `final` if no later commit may be tried:
 * after anything but a full disk LMDB may be unable to begin one.
 */
export function diskRefusal(error: unknown, directory: string): { refusal: Refusal; final: boolean } | undefined {
  // Errors with a number for a code are LMDB's, or the system's as LMDB met it.
  if (!(error instanceof Error && 'code' in error && typeof error.code === 'number')) return undefined
  const full = NO_SPACE.includes(error.code) || freeBytes(directory) < FREE_BYTES_MIN
  const what = full ? 'disk full' : 'disk failed, no more writes until restart'
  return { refusal: refuse('busy', `${what}: ${directory}: ${error.message}`), final: !full }
}

/**
 * Address space, not memory or disk: the file grows as it is used. LMDB can enlarge it later, but moves the map then, so it
 * starts beyond what a mesh can fill.
 */
const MAP_BYTES = 64 * 2 ** 30
const FILE_MODE = 0o600
/** Places in the list of readers: one a thread, more while snapshots are held. LMDB's own default is 126. */
const READERS_MAX = 512

const MDB_MAP_FULL = -30792
const NO_SPACE: readonly number[] = [constants.errno.ENOSPC, constants.errno.EDQUOT, constants.errno.EFBIG, MDB_MAP_FULL]
/** A write that was cut short is reported as an input/output error, whatever the reason. */
const FREE_BYTES_MIN = 2 ** 20

function openDatabase(directory: string, durable: boolean): Database {
  // `permissionsMode`, `maxReaders` and `useRecords` are absent from lmdb's types.
  const options = {
    noSubdir: false,
    mapSize: MAP_BYTES,
    maxReaders: READERS_MAX,
    permissionsMode: FILE_MODE,
    // Overlapping would show a commit to readers before the disk has it.
    overlappingSync: false,
    noSync: !durable,
    encoding: 'msgpack' as const,
    useRecords: false,
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

function freeBytes(directory: string): number {
  const { bavail, bsize } = statfsSync(directory)
  return bavail * bsize
}
