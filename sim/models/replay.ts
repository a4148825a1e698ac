import { isDeepStrictEqual } from 'node:util'
import * as ca from '../../actors/ca/tables.ts'
import { instanceTable, nodeTable } from '../../actors/catalog/records.ts'
import * as catalog from '../../actors/catalog/tables.ts'
import { indexTable, lastIndex, metaTable } from '../../actors/command.ts'
import { applyGroup } from '../../actors/commands.ts'
import * as intentions from '../../actors/intentions/tables.ts'
import * as kv from '../../actors/kv/tables.ts'
import type { Table, View } from '../../src/kernel/tables.ts'
import { createSimTables, type SimTables } from '../ports/tables.ts'

/** The tables as an ordered log of groups makes them, one group after the other. */
export class Replay {
  readonly #entries: readonly { commands: readonly object[] }[]
  readonly #tables: SimTables
  /** How many entries are applied. */
  position = 0

  constructor(entries: readonly { commands: readonly object[] }[]) {
    this.#entries = entries
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
      (tx) => applyGroup(tx, entry.commands),
      () => undefined,
    )
    return true
  }
}

/** Every table that the log's commands change. */
const TABLES: readonly Table<unknown>[] = [
  metaTable,
  indexTable,
  nodeTable.rows,
  instanceTable.rows,
  ...[ca, catalog, intentions, kv].flatMap((module) => Object.values(module).filter(isTable)),
]

/** The first row that is not the same in both, in words. */
export function tableDifference(a: View, b: View): string | undefined {
  for (const table of TABLES) {
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

function isTable(value: unknown): value is Table<unknown> {
  return typeof value === 'object' && value !== null && 'id' in value && 'name' in value
}

function keyText(key: string): string {
  return JSON.stringify(key.replaceAll('\0', ' '))
}

function text(record: unknown): string {
  return JSON.stringify(record, (_name, value) => (typeof value === 'bigint' ? `${value}n` : value)) ?? String(record)
}
