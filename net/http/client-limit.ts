import { hash } from 'node:crypto'
import type { Socket } from 'node:net'

const TOO_MANY =
  'HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n' +
  'Your IP is issuing too many concurrent connections, please rate limit your calls\n'

/** Addresses that are counted at the same time, at most; a power of two. */
const ROWS = 16_384
/** Beyond this many the next ones are let in without being counted, so that finding a row stays short. */
const ROWS_USED_MAX = (ROWS / 4) * 3
/** The address is kept as so many words of its hash. */
const KEY_WORDS = 4
/** In front of the rows: who holds the lock (a thread's number and one; 0: nobody), and how many rows are in use. */
const LOCK = 0
const USED = 1
const HEAD_WORDS = 2
/** A thread that holds the lock is waited for this long before it is looked again whether it still does. */
const LOCK_WAIT_MS = 1

/**
 * Memory in which the threads with these numbers from 0 on count the open connections of each client together: a hash table, in each
 * row an address and for each thread how many it has.
 */
export function createClientTable(threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer((HEAD_WORDS + ROWS * (KEY_WORDS + threads)) * Int32Array.BYTES_PER_ELEMENT)
}

export type ClientLimitOptions = {
  /** Of `createClientTable`. */
  table: SharedArrayBuffer
  /** The number of this thread. What it counted in an earlier life is forgotten: those connections are gone. */
  thread: number
  /** Connections of one address on all threads together; 0: as many as it likes. */
  limit(): number
}

/** Takes each new connection of a thread and refuses those of an address that has as many open as `limit` says. */
export function createClientLimit({ table, thread, limit }: ClientLimitOptions): (socket: Socket) => void {
  const counts = new ClientCounts(table, thread)
  return (socket) => {
    const from = socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/, '') ?? ''
    if (from === '') return
    const key = keyOf(from)
    const taken = counts.enter(key, limit())
    if (taken === 'refused') socket.end(TOO_MANY)
    else if (taken === 'counted') socket.once('close', () => counts.leave(key))
  }
}

function keyOf(address: string): Int32Array {
  const digest = hash('sha256', address, 'buffer')
  return Int32Array.from({ length: KEY_WORDS }, (_, word) => digest.readInt32LE(word * Int32Array.BYTES_PER_ELEMENT))
}

/** One thread's way to the table. Whatever reads or changes it holds its lock, for a microsecond or two. */
class ClientCounts {
  readonly #words: Int32Array
  readonly #thread: number
  readonly #rowWords: number

  constructor(table: SharedArrayBuffer, thread: number) {
    this.#words = new Int32Array(table)
    this.#thread = thread
    this.#rowWords = (this.#words.length - HEAD_WORDS) / ROWS
    // A thread that ended while it held the lock cannot give it back.
    Atomics.compareExchange(this.#words, LOCK, thread + 1, 0)
    this.#locked(() => this.#word(USED) > 0 && this.#forget())
  }

  enter(key: Int32Array, limit: number): 'counted' | 'refused' | 'not counted' {
    return this.#locked(() => {
      const row = this.#find(key)
      const open = this.#total(row)
      if (limit > 0 && open >= limit) return 'refused'
      if (open === 0) {
        if (this.#word(USED) >= ROWS_USED_MAX) return 'not counted'
        this.#words[USED] = this.#word(USED) + 1
        this.#words.set(key, row)
      }
      this.#words[row + KEY_WORDS + this.#thread] = this.#word(row + KEY_WORDS + this.#thread) + 1
      return 'counted'
    })
  }

  leave(key: Int32Array): void {
    this.#locked(() => {
      const row = this.#find(key)
      this.#words[row + KEY_WORDS + this.#thread] = this.#word(row + KEY_WORDS + this.#thread) - 1
      if (this.#total(row) === 0) this.#remove(row)
    })
  }

  /** Takes what this thread counted out of all rows. A row that moves into the place of a removed one is looked at again. */
  #forget(): void {
    for (let at = 0; at < ROWS; at++) {
      const row = this.#rowAt(at)
      if (this.#total(row) === 0) continue
      this.#words[row + KEY_WORDS + this.#thread] = 0
      if (this.#total(row) === 0) {
        this.#remove(row)
        at--
      }
    }
  }

  /** The row of a key, or the free one that it would get. */
  #find(key: Int32Array): number {
    for (let at = this.#home(key[0] ?? 0); ; at = (at + 1) % ROWS) {
      const row = this.#rowAt(at)
      if (this.#total(row) === 0 || key.every((word, index) => this.#word(row + index) === word)) return row
    }
  }

  /** Frees a row and moves rows behind it up that could not be found otherwise. */
  #remove(row: number): void {
    this.#words[USED] = this.#word(USED) - 1
    let free = (row - HEAD_WORDS) / this.#rowWords
    for (let at = (free + 1) % ROWS; this.#total(this.#rowAt(at)) > 0; at = (at + 1) % ROWS) {
      const home = this.#home(this.#word(this.#rowAt(at)))
      if ((at - home + ROWS) % ROWS < (at - free + ROWS) % ROWS) continue
      this.#words.copyWithin(this.#rowAt(free), this.#rowAt(at), this.#rowAt(at) + this.#rowWords)
      free = at
    }
    this.#words.fill(0, this.#rowAt(free), this.#rowAt(free) + this.#rowWords)
  }

  /** Open connections on all threads; 0 for a free row. */
  #total(row: number): number {
    let total = 0
    for (let at = row + KEY_WORDS; at < row + this.#rowWords; at++) total += this.#word(at)
    return total
  }

  #rowAt(at: number): number {
    return HEAD_WORDS + at * this.#rowWords
  }

  #home(firstWord: number): number {
    return (firstWord >>> 0) % ROWS
  }

  #word(at: number): number {
    return this.#words[at] ?? 0
  }

  #locked<Found>(work: () => Found): Found {
    const own = this.#thread + 1
    for (;;) {
      const holder = Atomics.compareExchange(this.#words, LOCK, 0, own)
      if (holder === 0) break
      Atomics.wait(this.#words, LOCK, holder, LOCK_WAIT_MS)
    }
    try {
      return work()
    } finally {
      Atomics.store(this.#words, LOCK, 0)
      Atomics.notify(this.#words, LOCK, 1)
    }
  }
}
