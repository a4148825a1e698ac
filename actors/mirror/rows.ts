import type { ChangeNotice, Table, Transaction, View } from '../../src/kernel/tables.ts'
import { joined } from '../../src/kernel/tables.ts'
import { CONFIG_KEY, caConfigTable, caRootTable } from '../ca/tables.ts'
import { instanceTable, nodeTable } from '../catalog/records.ts'
import { instanceKey, nodeIndex, nodeKey, nodeServiceTable } from '../catalog/tables.ts'
import { indexTable, lastIndex, setLastIndex } from '../command.ts'
import { DEFAULTS_INDEX, defaultsTable } from '../config-entries/tables.ts'
import { proxyReportTable } from '../reports/tables.ts'

/** One row of one table. Nothing in it is secret. */
export type MirroredRow = readonly [tableId: number, key: string, record: unknown]

/** What an agent that is no server has in its tables, and nothing else. */
const MIRRORED: readonly Table<unknown>[] = [
  indexTable,
  nodeTable.rows,
  nodeServiceTable,
  instanceTable.rows,
  defaultsTable,
  proxyReportTable,
  caConfigTable,
  caRootTable,
]

/** Rows that an agent needs so that its own actors find in its tables what they find in a server's: its node, central settings, roots. */
export function mirroredRows(view: View, node: string): MirroredRow[] {
  const rows: MirroredRow[] = []
  const add = <R>(table: Table<R>, key: string, record: R | undefined) => {
    if (record !== undefined) rows.push([table.id, key, record])
  }
  // No index of all nodes' reports: each agent would be told of what each other one reports.
  for (const name of [DEFAULTS_INDEX, nodeIndex(node), 'connect-ca-roots']) add(indexTable, name, view.get(indexTable, name))
  add(nodeTable.rows, nodeKey(node), view.get(nodeTable.rows, nodeKey(node)))
  const prefix = joined(nodeKey(node), '')
  for (const [key, service] of view.range(nodeServiceTable, { prefix })) {
    add(nodeServiceTable, key, service)
    const at = instanceKey(service.name, node, key.slice(prefix.length))
    add(instanceTable.rows, at, view.get(instanceTable.rows, at))
  }
  for (const [key, record] of view.range(proxyReportTable, { prefix })) add(proxyReportTable, key, record)
  for (const [key, record] of view.range(defaultsTable)) add(defaultsTable, key, record)
  const config = view.get(caConfigTable, CONFIG_KEY)
  add(caConfigTable, CONFIG_KEY, config && { ...config, shown: {} })
  for (const [key, root] of view.range(caRootTable)) add(caRootTable, key, root)
  return rows
}

/** Makes the tables hold these rows, the last of a group. The index is this agent's own. */
export function applyMirrored(tx: Transaction, group: readonly object[]): { outcomes: null[]; notice: ChangeNotice } {
  const { rows } = group.at(-1) as { rows: readonly MirroredRow[] }
  const touched: ChangeNotice['touched'] = []
  for (const table of MIRRORED) {
    const wanted = new Map(rows.filter(([id]) => id === table.id).map(([, key, record]) => [key, record]))
    for (const [key, known] of [...tx.range(table)]) {
      const record = wanted.get(key)
      wanted.delete(key)
      if (record !== undefined && JSON.stringify(record) === JSON.stringify(known)) continue
      if (record === undefined) tx.delete(table, key)
      else tx.put(table, key, record)
      touched.push([table.id, key])
    }
    for (const [key, record] of wanted) {
      tx.put(table, key, record)
      touched.push([table.id, key])
    }
  }
  const index = lastIndex(tx) + (touched.length > 0 ? 1 : 0)
  if (touched.length > 0) setLastIndex(tx, index)
  return { outcomes: group.map(() => null), notice: { index, touched } }
}
