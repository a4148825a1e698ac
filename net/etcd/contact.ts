import type { LogContact } from '../../src/kernel/ports.ts'

/** What the thread that has the log knows of it, where all threads of the process see it. */
export type SharedContact = {
  /** It answered, so somebody leads it. `term`: the number of the election, if that was told. */
  heard(term?: number): void
  /** It said that nobody leads it. */
  lost(): void
  read(): LogContact
}

/** What all threads of a process share. */
export function contactMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(WORDS * BigInt64Array.BYTES_PER_ELEMENT)
}

/** Over the memory. `nowMs` is the same for all threads and never goes back. */
export function createContact(memory: SharedArrayBuffer, nowMs: () => number = sinceBoot): SharedContact {
  const words = new BigInt64Array(memory)
  const at = (word: number) => Number(Atomics.load(words, word))
  const put = (word: number, value: number) => Atomics.store(words, word, BigInt(value))
  return {
    heard(term = 0) {
      // 0 means never.
      put(HEARD_AT, Math.max(1, Math.floor(nowMs())))
      put(IS_LOST, 0)
      if (term > 0) put(TERM, term)
    },
    lost: () => put(IS_LOST, 1),
    read() {
      const heardAtMs = at(HEARD_AT)
      const silentMs = heardAtMs === 0 ? Number.POSITIVE_INFINITY : Math.max(0, Math.floor(nowMs()) - heardAtMs)
      return { isLed: at(IS_LOST) === 0 && silentMs < LOST_MS, silentMs, overdueMs: Math.max(0, silentMs - EXPECTED_MS), term: at(TERM) }
    },
  }
}

const WORDS = 3
const [HEARD_AT, IS_LOST, TERM] = [0, 1, 2]
/** The log is asked something more often than this, whatever happens. */
const EXPECTED_MS = 1_200
/** After this long another server may have been elected without this one hearing of it. */
const LOST_MS = 4_000

/** The system's monotonic clock; `performance.now` begins anew in each thread. */
function sinceBoot(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1_000 + nanoseconds / 1_000_000
}
