import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { threadId } from 'node:worker_threads'
import { makeDirectory } from './make-directory.ts'
import { isAlive, isSameProcess, type ProcessName, thisProcess } from './processes.ts'

/** The layout of a data directory that this program writes. A directory of another format is not opened. */
const FORMAT = 1
const DIRECTORY_MODE = 0o700
const FILE_MODE = 0o600

export type Claim = {
  /** Whether another thread of this process had claimed it before. */
  readonly joined: boolean
  /** Who the lock file names although nobody can tell whether it runs: a process of another container. */
  readonly suspect: ProcessName | undefined
  /** Gives the directory free for other processes. A claim that joined leaves that to the one it joined. */
  release(): void
}

/**
 * Takes a data directory for this process, whose threads may all claim it, and makes it if it is missing and `create` is set.
 * Throws an error that names the directory: another format, in use by another process, not a directory, not permitted.
 * A process that was killed leaves its lock file behind, which the next claim recognises and replaces.
 */
export function claimDirectory(directory: string, { create, readOnly }: { create: boolean; readOnly: boolean }): Claim {
  try {
    const made = create && !readOnly ? makeDirectory(directory, DIRECTORY_MODE) : undefined
    if (made !== undefined) syncDirectory(dirname(made))
    if (!statSync(directory).isDirectory()) throw new Error(`data directory ${directory} is not a directory`)
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK)
    const claim = readOnly ? JOINED : lock(directory)
    try {
      checkFormat(directory, !readOnly)
    } catch (error) {
      claim.release()
      throw error
    }
    return claim
  } catch (error) {
    throw explained(error, directory)
  }
}

/** `data directory D is in use by process N`. */
export function inUse(directory: string, pid: number): Error {
  return new Error(`data directory ${directory} is in use by process ${pid}`)
}

/** Makes the names in a directory survive a power cut. */
export function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

const JOINED: Claim = { joined: true, suspect: undefined, release: () => undefined }

function lock(directory: string): Claim {
  const path = join(directory, 'lock')
  const self = thisProcess()
  const own = `${path}.${self.pid}.${threadId}`
  const release = () => rmSync(path, { force: true })
  writeFileSync(own, `${self.pid} ${self.started} ${self.where}\n`, { mode: FILE_MODE })
  try {
    if (linked(own, path)) return { joined: false, suspect: undefined, release }
    const owner = readLock(path)
    if (owner !== undefined && isSameProcess(owner, self)) return JOINED
    const alive = owner === undefined ? 'no' : isAlive(owner)
    if (owner !== undefined && alive === 'yes') throw inUse(directory, owner.pid)
    renameSync(own, path)
    return { joined: false, suspect: alive === 'unknown' ? owner : undefined, release }
  } finally {
    rmSync(own, { force: true })
  }
}

/** Puts a complete file under a second name at once. Answers false if that name is taken. */
function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

/** Nothing for a file that is gone, or that a power cut left incomplete. */
function readLock(path: string): ProcessName | undefined {
  const [, pid, started, where] = /^(\d+) (\d*) (\S*)\n$/.exec(textOf(path) ?? '') ?? []
  return pid === undefined ? undefined : { pid: Number(pid), started: started ?? '', where: where ?? '' }
}

/** The file `format` holds the number. It is written before any data, so data without it is not ours. */
function checkFormat(directory: string, create: boolean): void {
  const path = join(directory, 'format')
  const found = textOf(path)?.trim()
  if (found === String(FORMAT)) return
  if (found !== undefined) throw new Error(`data directory ${directory} has format ${found}, this program reads format ${FORMAT}`)
  if (!create || existsSync(join(directory, 'data.mdb'))) {
    throw new Error(`data directory ${directory} has no file "format", so it was not made by this program`)
  }
  const incomplete = `${path}.new`
  writeFileSync(incomplete, `${FORMAT}\n`, { mode: FILE_MODE, flush: true })
  renameSync(incomplete, path)
  syncDirectory(directory)
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

const FULL = 'is on a full disk'
const WHY: Record<string, string> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'is not a directory',
  EEXIST: 'is not a directory',
  EACCES: 'is not permitted to this user: reading, writing and searching are needed',
  EPERM: 'is not permitted to this user: reading, writing and searching are needed',
  EROFS: 'is on a file system that is mounted read-only',
  ENOSPC: FULL,
  EDQUOT: FULL,
  EFBIG: FULL,
}

/** The system's error with the directory and plain words; anything else as it is. */
export function explained(error: unknown, directory: string): unknown {
  const why = takesNone(error) ?? WHY[String(codeOf(error))]
  return why === undefined ? error : new Error(`data directory ${directory} ${why}`, { cause: error })
}

/** What the system says of a folder that is there and in which nothing can be made, as in /proc. */
function takesNone(error: unknown): string | undefined {
  const { code, syscall, path = '' } = error as NodeJS.ErrnoException
  return code === 'ENOENT' && syscall === 'mkdir' ? `cannot be made: the folder ${dirname(path)} takes no new ones` : undefined
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
