import { assert } from './refusal.ts'
import { type ChangeNotice, isReplaced, type RangeOptions, type Table, type View } from './tables.ts'

/** What a query looked at. A change of any of it may change the answer; nothing else can. */
export type ReadSet = {
  readonly keys: ReadonlyMap<number, ReadonlySet<string>>
  /** Ranges, by what all their keys begin with; '' is the whole table. */
  readonly prefixes: ReadonlyMap<number, ReadonlySet<string>>
}

/** A view that notes what is read through it. `reads` grows with use. */
export function recordReads(view: View): { view: View; reads: ReadSet } {
  const keys = new Map<number, Set<string>>()
  const prefixes = new Map<number, Set<string>>()
  return {
    reads: { keys, prefixes },
    view: {
      get<Record>(table: Table<Record>, key: string) {
        note(keys, table.id, key)
        return view.get(table, key)
      },
      range<Record>(table: Table<Record>, options?: RangeOptions) {
        note(prefixes, table.id, options?.prefix ?? '')
        return view.range(table, options)
      },
    },
  }
}

/**
 * Those who wait for a change of what they read. A waiter is woken once and is then gone. Adding, removing and waking cost the
 * size of the waiter's read-set, whatever the number of waiters.
 */
export class Waiters {
  readonly #told: boolean
  readonly #tables = new Map<number, TableWaiters>()
  #added = 0
  #size = 0

  /** `told`: whether somebody calls `notify` after commits. Otherwise nobody may wait. */
  constructor(told = true) {
    this.#told = told
  }

  /** How many wait. */
  get size(): number {
    return this.#size
  }

  /** Calls `wake` at the first notice that touches something in `reads`. The answer ends the waiting. */
  add(reads: ReadSet, wake: (notice: ChangeNotice) => void): () => void {
    assert(this.#told, 'readers wait only where commits are told')
    const waiter: Waiter = { number: ++this.#added, reads, wake, waiting: true }
    for (const [id, keys] of reads.keys) {
      const { byKey } = this.#tableOf(id)
      for (const key of keys) join(byKey, key, waiter)
    }
    for (const [id, prefixes] of reads.prefixes) {
      const { byPrefix, prefixLengths } = this.#tableOf(id)
      for (const prefix of prefixes) {
        if (join(byPrefix, prefix, waiter)) prefixLengths.set(prefix.length, (prefixLengths.get(prefix.length) ?? 0) + 1)
      }
    }
    this.#size++
    return () => this.#remove(waiter)
  }

  /** Wakes those whom the change concerns, in the order they were added. If some throw, all are woken and the first error is thrown. */
  notify(notice: ChangeNotice): void {
    const concerned = isReplaced(notice) ? this.#everybody() : this.#concerned(notice)
    concerned.sort((a, b) => a.number - b.number)
    const errors: unknown[] = []
    for (const { wake } of concerned) {
      try {
        wake(notice)
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length > 0) throw errors[0]
  }

  /** Wakes everybody: a notice may have been lost with the thread that was to send it after its commit. */
  wakeAll(): void {
    for (const { wake } of this.#everybody().sort((a, b) => a.number - b.number)) wake({ index: 0, touched: [] })
  }

  /** Moves all waiters out of the tables. */
  #everybody(): Waiter[] {
    const everybody = new Set<Waiter>()
    for (const { byKey, byPrefix } of this.#tables.values()) {
      for (const waiters of [...byKey.values(), ...byPrefix.values()]) for (const waiter of waiters) everybody.add(waiter)
    }
    for (const waiter of everybody) this.#remove(waiter)
    return [...everybody]
  }

  #concerned({ touched }: ChangeNotice): Waiter[] {
    const concerned: Waiter[] = []
    for (const [id, key] of touched) this.#collect(id, key, concerned)
    return concerned
  }

  /** Moves the waiters for one key out of the tables. */
  #collect(id: number, key: string, into: Waiter[]): void {
    const table = this.#tables.get(id)
    if (table === undefined) return
    this.#take(table.byKey.get(key), into)
    for (const length of table.prefixLengths.keys()) {
      if (length <= key.length) this.#take(table.byPrefix.get(key.slice(0, length)), into)
    }
  }

  #take(waiters: Set<Waiter> | undefined, into: Waiter[]): void {
    for (const waiter of waiters ?? []) {
      into.push(waiter)
      this.#remove(waiter)
    }
  }

  #remove(waiter: Waiter): void {
    if (!waiter.waiting) return
    waiter.waiting = false
    this.#size--
    for (const [id, keys] of waiter.reads.keys) {
      const table = this.#tableOf(id)
      for (const key of keys) leave(table.byKey, key, waiter)
      this.#dropIfEmpty(id, table)
    }
    for (const [id, prefixes] of waiter.reads.prefixes) {
      const table = this.#tableOf(id)
      for (const prefix of prefixes) {
        if (!leave(table.byPrefix, prefix, waiter)) continue
        const left = (table.prefixLengths.get(prefix.length) ?? 1) - 1
        if (left === 0) table.prefixLengths.delete(prefix.length)
        else table.prefixLengths.set(prefix.length, left)
      }
      this.#dropIfEmpty(id, table)
    }
  }

  #tableOf(id: number): TableWaiters {
    let found = this.#tables.get(id)
    if (found === undefined) this.#tables.set(id, (found = { byKey: new Map(), byPrefix: new Map(), prefixLengths: new Map() }))
    return found
  }

  #dropIfEmpty(id: number, table: TableWaiters): void {
    if (table.byKey.size === 0 && table.byPrefix.size === 0) this.#tables.delete(id)
  }
}

type Waiter = { readonly number: number; readonly reads: ReadSet; readonly wake: (notice: ChangeNotice) => void; waiting: boolean }

type TableWaiters = {
  byKey: Map<string, Set<Waiter>>
  byPrefix: Map<string, Set<Waiter>>
  /** For each length, how many prefixes in `byPrefix` have it: the slices of a key that are worth a look. */
  prefixLengths: Map<number, number>
}

function note(sets: Map<number, Set<string>>, id: number, value: string): void {
  const found = sets.get(id)
  if (found === undefined) sets.set(id, new Set([value]))
  else found.add(value)
}

/** Answers whether the waiter is the first there. */
function join(sets: Map<string, Set<Waiter>>, at: string, waiter: Waiter): boolean {
  const found = sets.get(at)
  if (found === undefined) sets.set(at, new Set([waiter]))
  else found.add(waiter)
  return found === undefined
}

/** Answers whether the waiter was the last there. */
function leave(sets: Map<string, Set<Waiter>>, at: string, waiter: Waiter): boolean {
  const found = sets.get(at)
  if (found === undefined || !found.delete(waiter) || found.size > 0) return false
  sets.delete(at)
  return true
}
