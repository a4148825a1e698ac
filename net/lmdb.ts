import { closeSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
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
 * All threads that open it share one environment. After closing the database, `release` frees the directory for other processes.
 */
export function openEnvironment(
  directory: string,
  { durable, create, readOnly }: EnvironmentOptions,
): { database: Database; release(): void } {
  const claim = claimDirectory(directory, { create, readOnly })
  try {
    const database = openDatabase(directory, durable)
    if (!claim.joined) checkAlone(directory, database, claim)
    return { database, release: claim.release }
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
  // LMDB reports a write that was cut short as an input/output error, whatever the reason.
  const full = NO_SPACE.includes(error.code) || (error.code === errno.EIO && !takesMore(directory))
  if (full) return { refusal: refuse('busy', `disk full: no room in ${directory}`), final: false }
  return { refusal: refuse('busy', `disk failed, no more writes until restart: ${directory}: ${error.message}`), final: true }
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
const { errno } = constants
const NO_SPACE: readonly number[] = [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, MDB_MAP_FULL]
const FREE_BYTES_MIN = 2 ** 20

function openDatabase(directory: string, durable: boolean): Database {
  // `permissionsMode`, `maxReaders`, `eventTurnBatching` and `useRecords` are absent from lmdb's types.
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

/** Whether there is room behind the data: free blocks, and no quota or limit of a file's size in the way. */
function takesMore(directory: string): boolean {
  const { bavail, bsize } = statfsSync(directory)
  if (bavail * bsize < FREE_BYTES_MIN) return false
  const probe = join(directory, 'probe')
  const handle = openSync(probe, 'w', FILE_MODE)
  try {
    writeSync(handle, new Uint8Array(bsize), 0, bsize, statSync(join(directory, 'data.mdb')).size)
    return true
  } catch (error) {
    if (error instanceof Error && 'errno' in error && NO_SPACE.includes(-Number(error.errno))) return false
    throw error
  } finally {
    closeSync(handle)
    rmSync(probe)
  }
}
