import { isDeepStrictEqual } from 'node:util'
import { caSerialTable, SERIAL_KEY } from '../../actors/ca/tables.ts'
import { lastIndex, setLastIndex } from '../../actors/command.ts'
import { applyGroup } from '../../actors/commands.ts'
import { tables as known } from '../../actors/tables.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import { type Transaction, table, type View } from '../../src/kernel/tables.ts'
import type { SnapshotRow } from '../../src/snapshot/format.ts'
import { createSimTables, type SimTables } from '../ports/tables.ts'

/** The tables as an ordered log of groups makes them, one group after the other. */
export class Replay {
  readonly #entries: readonly Entry[]
  readonly #snapshots: readonly LoadedSnapshot[]
  readonly #tables: SimTables
  /** How many entries are applied. */
  position = 0

  /** Restores need what each command came to, and what may have been loaded. */
  constructor(entries: readonly Entry[], snapshots: readonly LoadedSnapshot[] = []) {
    this.#entries = entries
    this.#snapshots = snapshots
    this.#tables = createSimTables({ after: (_ms, work) => work(), drawCommitMs: () => 0 })
  }

  get view(): View {
    return this.#tables.view()
  }

  get index(): number {
    return lastIndex(this.view)
  }

  /** Applies the next entry; false if there is none. */
  next(): boolean {
    const entry = this.#entries[this.position]
    if (!entry) return false
    this.position++
    this.#tables.transact(
      (tx) => this.#apply(tx, entry),
      () => undefined,
    )
    return true
  }

  #apply(tx: Transaction, { commands, outcomes }: Entry): void {
    let from = 0
    for (const [at, command] of commands.entries()) {
      const { kind, request } = command as { kind: string; request: { id: string } }
      if (kind !== 'snapshots.take' || !outcomes || isRefused(outcomes[at])) continue
      applyGroup(tx, commands.slice(from, at))
      const snapshot = this.#snapshots.find(({ id }) => id === request.id)
      if (!snapshot) throw new Error(`broken promise: somebody has restored ${request.id}`)
      replaceBy(tx, snapshot)
      from = at + 1
    }
    applyGroup(tx, commands.slice(from))
  }
}

type Entry = { commands: readonly object[]; outcomes?: readonly Result<unknown>[] }
type LoadedSnapshot = { id: string; index: number; rows: readonly SnapshotRow[] }

/** Puts a snapshot in the place of everything. Indexes and serial numbers of certificates go on above both. */
function replaceBy(tx: Transaction, { index, rows }: LoadedSnapshot): void {
  const indexBefore = lastIndex(tx)
  const serialBefore = tx.get(caSerialTable, SERIAL_KEY)
  for (const table of known) for (const [key] of [...tx.range(table)]) tx.delete(table, key)
  for (const [id, key, record] of rows) tx.put(table<unknown>('', id), key, record)
  if (serialBefore && serialBefore.next > (tx.get(caSerialTable, SERIAL_KEY)?.next ?? 0)) tx.put(caSerialTable, SERIAL_KEY, serialBefore)
  setLastIndex(tx, Math.max(index, indexBefore) + 1)
}

/** The first row that is not the same in both, in words. */
export function tableDifference(a: View, b: View): string | undefined {
  for (const table of known) {
    const { name } = table
    const others = b.range(table)[Symbol.iterator]()
    for (const [key, record] of a.range(table)) {
      const { value: other, done } = others.next()
      if (done) return `${name}: ${keyText(key)} is only in the first`
      if (other[0] !== key) return `${name}: ${keyText(key)} against ${keyText(other[0])}`
      if (!isDeepStrictEqual(record, other[1])) return `${name}: ${keyText(key)} is ${text(record)} against ${text(other[1])}`
    }
    const { value: left, done } = others.next()
    if (!done) return `${name}: ${keyText(left[0])} is only in the second`
  }
  return undefined
}

function keyText(key: string): string {
  return JSON.stringify(key.replaceAll('\0', ' '))
}

function text(record: unknown): string {
  return JSON.stringify(record, (_name, value) => (typeof value === 'bigint' ? `${value}n` : value)) ?? String(record)
}
