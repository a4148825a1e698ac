import { compareKeys } from './keys.ts'
import type { RangeOptions, Table, Transaction, View } from './tables.ts'

/** A transaction that keeps its changes to itself until they are applied to another one. */
export type Overlay = Transaction & {
  /** What `applyTo` would change: pairs of table id and key, each once, in the order they were first changed. */
  touched(): [tableId: number, key: string][]
  /** Makes the changes in `tx`. The overlay may be used on and applied again. */
  applyTo(tx: Transaction): void
}

/**
 * Lays changes over `base`, which must not change meanwhile. Dropping the overlay drops its changes. A range shows the state
 * at the moment its reading begins, so changing what one reads is safe.
 */
export function overlay(base: View): Overlay {
  const tables = new Map<number, Changes>()

  function changesOf(table: Table<unknown>): Map<string, unknown> {
    let found = tables.get(table.id)
    if (found === undefined) tables.set(table.id, (found = { table, byKey: new Map() }))
    return found.byKey
  }

  return {
    get<Record>(table: Table<Record>, key: string) {
      const changes = tables.get(table.id)?.byKey
      if (changes === undefined || !changes.has(key)) return base.get(table, key)
      const changed = changes.get(key)
      return changed === DELETED ? undefined : (changed as Record)
    },
    range<Record>(table: Table<Record>, options: RangeOptions = {}) {
      const changes = tables.get(table.id)?.byKey
      if (changes === undefined || changes.size === 0) return base.range(table, options)
      return { [Symbol.iterator]: () => merged(base, table, changes, options) }
    },
    put(table, key, record) {
      changesOf(table).set(key, record)
    },
    delete(table, key) {
      const inBase = base.get(table, key) !== undefined
      const changes = changesOf(table)
      const existed = changes.has(key) ? changes.get(key) !== DELETED : inBase
      if (inBase) changes.set(key, DELETED)
      else changes.delete(key)
      return existed
    },
    touched() {
      return [...tables].flatMap(([id, { byKey }]) => [...byKey.keys()].map((key): [number, string] => [id, key]))
    },
    applyTo(tx) {
      for (const { table, byKey } of tables.values()) {
        for (const [key, record] of byKey) {
          if (record === DELETED) tx.delete(table, key)
          else tx.put(table, key, record)
        }
      }
    },
  }
}

type Changes = { table: Table<unknown>; byKey: Map<string, unknown> }

const DELETED = Symbol('deleted')

/** The base's rows and the changes in one order; a change hides the base's row of the same key. */
function* merged<Record>(
  base: View,
  table: Table<Record>,
  changes: Map<string, unknown>,
  { prefix = '', after, limit = Number.POSITIVE_INFINITY }: RangeOptions,
): Generator<readonly [string, Record], undefined> {
  let left = limit
  if (left <= 0) return
  const own = [...changes]
    .filter(([key]) => key.startsWith(prefix) && (after === undefined || compareKeys(key, after) > 0))
    .sort(([a], [b]) => compareKeys(a, b))
  let next = 0
  for (const row of base.range(table, after === undefined ? { prefix } : { prefix, after })) {
    for (; next < own.length && compareKeys(own[next]![0], row[0]) < 0; next++) {
      if (own[next]![1] === DELETED) continue
      yield own[next] as [string, Record]
      if (--left === 0) return
    }
    const hidden = next < own.length && own[next]![0] === row[0]
    const shown = hidden ? own[next++]! : row
    if (shown[1] === DELETED) continue
    yield shown as readonly [string, Record]
    if (--left === 0) return
  }
  for (; next < own.length; next++) {
    if (own[next]![1] === DELETED) continue
    yield own[next] as [string, Record]
    if (--left === 0) return
  }
}
