import { closeSync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { constants } from 'node:os'

/** Room in a data file for changes that LMDB is about to make. */
export type Room = {
  /** Makes sure of the room for one more change, with a value of so many bytes (0 for a deletion). Throws NoRoom. */
  reserve(valueBytes: number): void
  /** What is reserved for changes that are neither in the file nor dropped. */
  readonly inFlightBytes: number
  /** Changes with so many reserved bytes are in the file or have been dropped. */
  settle(bytes: number): void
  close(): void
}

export class NoRoom extends Error {}

/** How LMDB uses the file, as of the last commit. `freeBytes` are pages inside that it may write again; what is in use parts them
 * into at most `stretches` stretches, and one more. */
export type Usage = { usedBytes: number; freeBytes: number; freelistBytes: number; stretches: number }

/**
 * LMDB as lmdb-js builds it corrupts its memory when a write finds the disk full. So it never gets there: the file is made
 * longer beforehand, with blocks that are really there, in portions that also spare most commits a change of the file's length.
 * Estimates are upper bounds; what they took too much comes back when the usage is looked at again.
 *
 * The last of the room is kept for deletions and for LMDB's list of free pages, so that a full disk can be emptied again.
 */
export function openRoom(path: string, usage: () => Usage): Room {
  const handle = openSync(path, 'a+')
  dropHoles(handle, usage().usedBytes)
  /** Bytes that may be taken before the usage must be looked at again, and those taken that are not settled. */
  let leftBytes = 0
  let inFlightBytes = 0

  /** Whether there is room for a change and for `moreBytes`, behind what is used or plainly inside. */
  function isEnough(valueBytes: number, moreBytes: number): boolean {
    const bytes = changeBytes(valueBytes)
    if (leftBytes >= bytes + moreBytes) return true
    const { usedBytes, freeBytes, freelistBytes, stretches } = usage()
    const behindBytes = () => fstatSync(handle).size - usedBytes - inFlightBytes - freelistBytes * FREELIST_COPIES
    leftBytes = behindBytes()
    if (leftBytes < bytes + moreBytes) {
      lengthen(handle, bytes + KEPT_BYTES - leftBytes)
      leftBytes = behindBytes()
    }
    if (leftBytes >= bytes + moreBytes) return true
    const neededBytes = (inFlightBytes + bytes) * FREE_MARGIN
    const sparedBytes = freeBytes - neededBytes
    if (sparedBytes < 0 || sparedBytes + Math.max(leftBytes, 0) < moreBytes) return false
    const inFlightPages = inFlightBytes / PAGE_BYTES
    return hasRun(runPages(valueBytes), (freeBytes - bytes) / PAGE_BYTES - inFlightPages, stretches + inFlightPages + PAGES_PER_CHANGE + 1)
  }

  return {
    reserve(valueBytes) {
      const bytes = changeBytes(valueBytes)
      if (!isEnough(valueBytes, valueBytes === 0 ? 0 : KEPT_BYTES)) throw new NoRoom(`no room for ${valueBytes} bytes`)
      leftBytes -= bytes
      inFlightBytes += bytes
    },
    get inFlightBytes() {
      return inFlightBytes
    },
    settle(bytes) {
      inFlightBytes -= bytes
    },
    close: () => closeSync(handle),
  }
}

const PAGE_BYTES = 4_096
/** A change writes its leaf anew, perhaps a second one and a branch after a split. */
const PAGES_PER_CHANGE = 3
const KEPT_BYTES = 64 * PAGE_BYTES
/** A commit may write the list of free pages anew while the old one is still in use, and lengthen it. */
const FREELIST_COPIES = 2
/** Pages inside may be in use by a reader, so only a multiple of the need counts. */
const FREE_MARGIN = 4
const PORTION_BYTES_MIN = 2 ** 18
const PORTION_BYTES_MAX = 2 ** 20
/** Part of the file's length by which it grows. */
const PORTION_SHARE = 1 / 16

function changeBytes(valueBytes: number): number {
  return (PAGES_PER_CHANGE + Math.ceil(valueBytes / PAGE_BYTES)) * PAGE_BYTES
}

/** Pages side by side that a value takes; LMDB puts short ones beside others. */
function runPages(valueBytes: number): number {
  return Math.ceil((valueBytes + PAGE_HEADER_BYTES) / PAGE_BYTES)
}

const PAGE_HEADER_BYTES = 16

/** Whether so many pages must lie side by side among free ones in so many stretches: if all were too short, they held no more than this. */
function hasRun(pages: number, freePages: number, stretches: number): boolean {
  return pages <= 1 || freePages > stretches * (pages - 1)
}

/** A copied file may have holes behind what is used, where nothing was: no blocks are there. */
function dropHoles(handle: number, usedBytes: number): void {
  const { size, blocks } = fstatSync(handle)
  if (blocks * 512 < size && usedBytes < size) ftruncateSync(handle, usedBytes)
}

/** Adds a portion at the end, at least so many bytes; as much as the disk has if that is less. */
function lengthen(handle: number, bytesMin: number): void {
  const portion = Math.min(Math.max(fstatSync(handle).size * PORTION_SHARE, PORTION_BYTES_MIN), PORTION_BYTES_MAX)
  const bytes = Math.ceil(Math.max(portion, bytesMin) / PAGE_BYTES) * PAGE_BYTES
  try {
    // Opened for appending: whatever LMDB writes meanwhile, nothing of it is overwritten.
    for (let added = 0; added < bytes; ) added += writeSync(handle, ZEROS, 0, Math.min(ZEROS.length, bytes - added))
  } catch (error) {
    if (!isNoSpace(error)) throw error
  }
}

const ZEROS = new Uint8Array(2 ** 16)
const NO_SPACE: readonly number[] = [constants.errno.ENOSPC, constants.errno.EDQUOT, constants.errno.EFBIG]

function isNoSpace(error: unknown): boolean {
  return error instanceof Error && 'errno' in error && NO_SPACE.includes(-Number(error.errno))
}
