import type { Config } from '../src/config/config.ts'
import { compareKeys, KEY_BYTES_MAX, keyBytes, keyFault } from '../src/kernel/keys.ts'
import type { Tables } from '../src/kernel/ports.ts'
import { assert, type Refusal, type Result } from '../src/kernel/refusal.ts'
import {
  CURRENT_COPY,
  copyTable,
  LOADED_COPY,
  OUTSIDE_COPIES,
  type RangeOptions,
  type Table,
  type Transaction,
  type View,
} from '../src/kernel/tables.ts'
import { openCheckpoints } from './checkpoints.ts'
import { type Database, diskFailed, diskRefusal, openEnvironment } from './lmdb.ts'
import { thisBoot } from './processes.ts'
import { NoRoom } from './room.ts'
import { makeTemporaryDirectory } from './temporary-directory.ts'

export { KEY_BYTES_MAX }

export type TablesOptions = {
  /** Whether a commit waits for the disk. Without it a power cut may lose everything; a kill of the process does not. With `later`
   * commits are visible at once, and a power cut takes the tables back to the last `checkpoint`. */
  durable: boolean | 'later'
  /** Makes the directory if it is missing. Default: true. */
  create?: boolean
  /** For the threads beside the writer: `transact` is a broken promise. The writer must have opened the directory before. */
  readOnly?: boolean
  /** The name of the machine's run. Default: what the system says. */
  boot?: string
}

export type OpenTables = Required<Tables> & {
  readonly directory: string
  /** The newest commit, for as long as it is wanted. */
  hold(): HeldTables
  /** The copy of the tables that is not in use (see `copyTable`). For the thread that writes. */
  readonly spare: SpareTables
}

/** One commit that stays the same. Its pages cannot be used again until it is let go. */
export type HeldTables = View & {
  /** How many rows a table has. */
  count(table: Table<unknown>): number
  release(): void
}

/** Each of these is a commit of its own, durable when it returns; a disk that cannot take it refuses, and nothing has changed. */
export type SpareTables = {
  put(rows: readonly SpareRow[]): Refusal | undefined
  /** Removes up to so many rows; answers whether there are more. */
  clear(rowsMax: number): Result<boolean>
  /** Says what the copy holds; from now on `copyTable` tells. */
  finish(loaded: { id: string; index: number }): Refusal | undefined
}
export type SpareRow = readonly [tableId: number, key: string, record: unknown]

/**
 * Tables in LMDB: one environment per directory, shared by all threads of the process, each of which opens it. One of them may
 * write. Reading needs no hop to another thread: a commit is visible on every thread before `durable` is called for it.
 *
 * A view shows the newest commit and keeps showing the same one until the synchronous stretch that began to read ends (or
 * commits itself). A view that is kept longer shows the newest commit again. `transact` blocks until the disk has it, unless that is
 * `later`; `durable` is called afterwards, never from within `transact`.
 *
 * Keys have at most KEY_BYTES_MAX UTF-8 bytes; `put` throws for longer ones, everything else treats them as absent. Bytes in
 * records come back as Buffers. Throws an error naming the directory if it cannot be opened (see `claimDirectory`).
 *
 * A thread must not be terminated from outside (`worker.terminate()`) while it is inside `transact`: the whole process would hang.
 */
export function openTables(directory: string, { durable, create = true, readOnly = false, boot = thisBoot() }: TablesOptions): OpenTables {
  /** Whether the newest commit is none that a checkpoint keeps. */
  let isBehind = false
  const keepsFreePages = () => isBehind
  const { database, room, release } = openEnvironment(directory, { durable, create, readOnly, boot, keepsFreePages })
  const checkpoints = durable === 'later' && !readOnly ? openCheckpoints({ directory, database, boot }) : undefined
  /** So many commits more are to begin with a checkpoint: on a full disk free pages inside the file are needed. */
  let tight = 0
  let commits = 0
  let isOpen = true
  let isFresh = false
  let isWriting = false
  let broken: Refusal | undefined
  /** Added to the numbers of tables: says in which copy they are. */
  let copyBit = 0

  /** Lets go of the snapshot that lmdb keeps for a whole turn of the event loop, once in a synchronous stretch. */
  function freshen(): void {
    if (isFresh || isWriting) return
    assert(isOpen, 'tables are read while they are open')
    database.resetReadTxn()
    isFresh = true
    copyBit = copyBitOf(database)
    queueMicrotask(endStretch)
  }
  function endStretch(): void {
    isFresh = false
  }

  const view: View = {
    get<Record>(table: Table<Record>, key: string) {
      freshen()
      const bytes = keyOf(physical(table.id), key)
      return bytes === undefined ? undefined : (database.get(bytes) as Record | undefined)
    },
    range<Record>(table: Table<Record>, options: RangeOptions = {}) {
      const begin = () => {
        freshen()
        return physical(table.id)
      }
      return { [Symbol.iterator]: () => rows<Record>(database, begin, options) }
    },
  }
  function physical(id: number): number {
    return OUTSIDE_COPIES.includes(id) ? id : id | copyBit
  }

  const transaction: Transaction = {
    ...view,
    put(table, key, record) {
      assert(isWriting, 'a transaction is used only while its work runs')
      const fault = keyFault(key)
      if (fault !== undefined) throw new Error(`table ${table.name}: ${fault}`)
      void database.put(keyOf(physical(table.id), key)!, record)
      if (table.id === copyTable.id) copyBit = copyBitOf(database)
    },
    delete(table, key) {
      assert(isWriting, 'a transaction is used only while its work runs')
      const bytes = keyOf(physical(table.id), key)
      if (bytes === undefined) return false
      room?.reserve(0)
      const existed = database.removeSync(bytes)
      if (table.id === copyTable.id) copyBit = copyBitOf(database)
      return existed
    },
  }

  function commit<R>(work: (tx: Transaction) => R): Result<R> {
    if (broken !== undefined) return broken
    const unready = prepare()
    if (unready) return unready
    isWriting = true
    isFresh = false
    try {
      // Kept out of lmdb's sight, for which a result with a `then` would mean more.
      let result: R
      database.transactionSync(() => {
        copyBit = copyBitOf(database)
        // Pages that a checkpoint keeps are not used again, so each commit also takes new ones for LMDB's list of them.
        if (checkpoints) for (let reserved = 0; reserved < COMMIT_RESERVES; reserved++) room?.reserve(0)
        result = work(transaction)
      })
      isBehind = checkpoints !== undefined
      if (++commits % CHECKPOINT_COMMITS === 0) checkpoint(noteFailure)
      return result!
    } catch (error) {
      if (!(isBehind && error instanceof NoRoom)) return refusalOf(error)
    } finally {
      isWriting = false
      room?.settle(room.inFlightBytes)
    }
    tight = TIGHT_COMMITS
    return commit(work)
  }

  function prepare(): Refusal | undefined {
    try {
      checkpoints?.beforeCommit()
      if (tight === 0) return undefined
      checkpoints?.now()
      tight--
      isBehind = false
      return undefined
    } catch (error) {
      return failed(error)
    }
  }

  function checkpoint(done: (result: Result<null>) => void): void {
    if (checkpoints === undefined) return queueMicrotask(() => done(null))
    checkpoints.begin((error) => done(error ? failed(error) : null))
  }

  function failed(error: unknown): Refusal {
    broken = diskFailed(error, directory)
    return broken
  }

  function refusalOf(error: unknown): Refusal {
    const answer = diskRefusal(error, directory)
    if (answer === undefined) throw error
    if (answer.final) broken = answer.refusal
    return answer.refusal
  }

  function closeDatabase(): void {
    // Nothing is under way, as only the store writes on lmdb's thread, so this closes at once.
    void database.close()
    release()
  }

  return {
    directory,
    hold: () => holdTables(database),
    spare: spareTables(database, commit, () => room?.reserve(0)),
    view: () => view,
    transact(work, durable) {
      assert(isOpen && !readOnly, 'transact is called on open tables, by the one thread that writes')
      const result = commit(work)
      queueMicrotask(() => durable(result))
    },
    checkpoint,
    close() {
      if (!isOpen) return
      isOpen = false
      try {
        checkpoints?.close()
      } finally {
        closeDatabase()
      }
    },
  }
}

/** How an agent keeps its tables: those that are a copy of a log in etcd need not wait for the disk. */
export function durabilityOf({ devMode, etcd }: Pick<Config, 'devMode' | 'etcd'>): TablesOptions['durable'] {
  if (devMode) return false
  return etcd === undefined ? true : 'later'
}

/** Tables for one run in a directory of their own: not durable, gone after `close` and when the process exits. */
export function openTemporaryTables(): OpenTables {
  const { directory, remove } = makeTemporaryDirectory()
  const tables = openTables(directory, { durable: false })
  const close = () => {
    tables.close()
    remove()
  }
  return { ...tables, close }
}

/** Pages that are free since the last checkpoint cannot be used again before the next: so whoever writes much, without asking for any, gets some. */
const CHECKPOINT_COMMITS = 512

/** Whoever writes next is told. */
function noteFailure(): void {
  // The tables remember it.
}

/** Each is room for as much as a deletion takes. */
const COMMIT_RESERVES = 4
/** On a disk that was found full. */
const TIGHT_COMMITS = 256

/** Rows are fetched in growing portions: what reads them may stop early, and in a transaction may change the table meanwhile. */
const PORTION_MIN = 16
const PORTION_MAX = 512

function* rows<Record>(
  database: Database,
  begin: () => number,
  { prefix = '', after, limit = Number.POSITIVE_INFINITY }: RangeOptions,
  transaction?: ReadTransaction,
): Generator<readonly [string, Record], undefined> {
  if (keyBytes(prefix) > KEY_BYTES_MAX) return
  const id = begin()
  const end = boundAfter(id, prefix)
  const isLater = after !== undefined && compareKeys(after, prefix) >= 0
  let start = boundOf(id, isLater ? after : prefix)
  let exclusiveStart = isLater
  let left = limit
  for (let portion = PORTION_MIN; left > 0; portion = Math.min(portion * 4, PORTION_MAX)) {
    const wanted = Math.min(portion, left)
    if (begin() !== id) return
    const found = [...database.getRange({ start, end, exclusiveStart, limit: wanted, ...(transaction && { transaction }) })]
    for (const { key, value } of found) yield [key.toString('utf8', ID_BYTES), value as Record]
    if (found.length < wanted) return
    left -= wanted
    start = found.at(-1)!.key
    exclusiveStart = true
  }
}

/** The highest bit of a table's number on disk says in which copy the table is. */
const COPY_BIT = 0x8000
const COPY_KEY = Buffer.from([copyTable.id >> 8, copyTable.id & 0xff, ...Buffer.from(CURRENT_COPY)])

function copyBitOf(database: Database): number {
  return database.getBinaryFast(COPY_KEY) === undefined ? 0 : COPY_BIT
}

type ReadTransaction = ReturnType<Database['useReadTransaction']>

function holdTables(database: Database): HeldTables {
  database.resetReadTxn()
  const transaction = database.useReadTransaction()
  const copyBit = database.get(COPY_KEY, { transaction }) === undefined ? 0 : COPY_BIT
  const physical = (id: number) => (OUTSIDE_COPIES.includes(id) ? id : id | copyBit)
  return {
    get<Record>(table: Table<Record>, key: string) {
      const bytes = keyOf(physical(table.id), key)
      return bytes === undefined ? undefined : (database.get(bytes, { transaction }) as Record | undefined)
    },
    range: <Record>(table: Table<Record>, options: RangeOptions = {}) => ({
      [Symbol.iterator]: () => rows<Record>(database, () => physical(table.id), options, transaction),
    }),
    count: ({ id }) => database.getKeysCount({ start: boundOf(physical(id), ''), end: boundAfter(physical(id), ''), transaction }),
    release: () => transaction.done(),
  }
}

function spareTables(database: Database, commit: <R>(work: () => R) => Result<R>, reserveRemoval: () => void): SpareTables {
  const spareBit = () => copyBitOf(database) ^ COPY_BIT
  return {
    put(given) {
      const result = commit(() => {
        const bit = spareBit()
        for (const [id, key, record] of given) {
          assert(id < COPY_BIT && !OUTSIDE_COPIES.includes(id) && keyFault(key) === undefined, 'only rows that a copy can hold are loaded')
          void database.put(keyOf(id | bit, key)!, record)
        }
        return null
      })
      return result ?? undefined
    },
    clear(rowsMax) {
      return commit(() => {
        const bit = spareBit()
        database.removeSync(LOADED_KEY)
        const keys = [
          ...database.getKeys({ start: boundOf(bit, ''), end: boundOf(bit | (COPY_BIT - 1), ''), limit: rowsMax + OUTSIDE_COPIES.length }),
        ].filter((key) => bit !== 0 || !OUTSIDE_COPIES.includes(key.readUInt16BE(0)))
        for (const key of keys.slice(0, rowsMax)) {
          reserveRemoval()
          database.removeSync(key)
        }
        return keys.length >= rowsMax
      })
    },
    finish(loaded) {
      const result = commit(() => {
        void database.put(LOADED_KEY, loaded)
        return null
      })
      return result ?? undefined
    },
  }
}

const LOADED_KEY = Buffer.from([copyTable.id >> 8, copyTable.id & 0xff, ...Buffer.from(LOADED_COPY)])

const ID_BYTES = 2
const BOUND_BYTES_MAX = ID_BYTES + KEY_BYTES_MAX

/** One buffer for the key that is looked up, with a view of it for each length, so that a lookup allocates nothing. */
const scratch = Buffer.alloc(BOUND_BYTES_MAX)
const scratchOfLength: Buffer[] = []

/** The key as LMDB has it: table number, big-endian, and UTF-8. Valid until the next call; nothing for one that is too long. */
function keyOf(id: number, key: string): Buffer | undefined {
  if (key.length * 3 > KEY_BYTES_MAX && keyBytes(key) > KEY_BYTES_MAX) return undefined
  scratch[0] = id >> 8
  scratch[1] = id & 0xff
  const end = ID_BYTES + scratch.write(key, ID_BYTES)
  return (scratchOfLength[end] ??= scratch.subarray(0, end))
}

/** A bound of a range. One that is too long is cut: no stored key equals it then, and those after it are those after the cut one. */
function boundOf(id: number, key: string): Buffer {
  const bytes = Buffer.from(`00${key}`)
  bytes.writeUInt16BE(id, 0)
  return bytes.subarray(0, BOUND_BYTES_MAX)
}

/** The first bound after all keys that begin with the prefix. */
function boundAfter(id: number, prefix: string): Buffer {
  if (prefix === '') return boundOf(id + 1, '')
  const bytes = boundOf(id, prefix)
  // No byte of UTF-8 is 255.
  bytes[bytes.length - 1]! += 1
  return bytes
}
