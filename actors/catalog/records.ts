import type { HealthStatus } from '../../src/kernel/ports.ts'
import { type Table, type Transaction, table, type View } from '../../src/kernel/tables.ts'
import type { ProxyDefinition, ServiceAddress } from '../definitions.ts'
import type { CheckRecord, InstanceRecord, NodeRecord } from './tables.ts'

/**
 * Nodes, instances and their checks are stored as rows without names, in the order below: most of the time of a query is spent
 * on reading records, and names are most of a record.
 */
type CheckRow = [
  checkId: string,
  name: string,
  status: HealthStatus,
  notes: string,
  output: string,
  type: string,
  interval: string,
  timeout: string,
  exposedPort: number,
  definition: Record<string, unknown>,
  createIndex: number,
  modifyIndex: number,
]
type NodeRow = [
  id: string,
  name: string,
  address: string,
  taggedAddresses: Record<string, string> | null,
  meta: Record<string, string> | null,
  checks: CheckRow[],
  createIndex: number,
  modifyIndex: number,
  touchedIndex: number,
]
type InstanceRow = [
  id: string,
  name: string,
  kind: string,
  tags: string[],
  address: string,
  taggedAddresses: Record<string, ServiceAddress>,
  meta: Record<string, string>,
  port: number,
  socketPath: string,
  enableTagOverride: boolean,
  passingWeight: number,
  warningWeight: number,
  native: boolean,
  proxy: ProxyDefinition | null,
  checks: CheckRow[],
  createIndex: number,
  modifyIndex: number,
]

/** By name in lower case. */
export const nodeTable = stored<NodeRecord, NodeRow>(table('catalog-nodes', 20), nodeRow, nodeRecord)
/** By service name in lower case, node in lower case and service id: all of a service stands together. */
export const instanceTable = stored<InstanceRecord, InstanceRow>(table('catalog-instances', 22), instanceRow, instanceRecord)

/** A table whose records are written as rows. */
function stored<R, Row>(rows: Table<Row>, toRow: (record: R) => Row, toRecord: (row: Row) => R) {
  return {
    rows,
    get(view: View, key: string): R | undefined {
      const row = view.get(rows, key)
      return row && toRecord(row)
    },
    put: (tx: Transaction, key: string, record: R): void => tx.put(rows, key, toRow(record)),
    delete: (tx: Transaction, key: string): boolean => tx.delete(rows, key),
    /** All whose key begins with `prefix`, in the order of their keys. */
    *range(view: View, prefix = ''): Generator<readonly [key: string, record: R], undefined> {
      for (const [key, row] of view.range(rows, { prefix })) yield [key, toRecord(row)]
    },
  }
}

function nodeRow({ id, name, address, taggedAddresses, meta, checks, createIndex, modifyIndex, touchedIndex }: NodeRecord): NodeRow {
  return [id, name, address, taggedAddresses, meta, checks.map(checkRow), createIndex, modifyIndex, touchedIndex]
}

function nodeRecord([id, name, address, taggedAddresses, meta, checks, createIndex, modifyIndex, touchedIndex]: NodeRow): NodeRecord {
  return { id, name, address, taggedAddresses, meta, checks: checks.map(checkRecord), createIndex, modifyIndex, touchedIndex }
}

function instanceRow(record: InstanceRecord): InstanceRow {
  return [
    record.id,
    record.name,
    record.kind,
    record.tags,
    record.address,
    record.taggedAddresses,
    record.meta,
    record.port,
    record.socketPath,
    record.enableTagOverride,
    record.weights.passing,
    record.weights.warning,
    record.native,
    record.proxy ?? null,
    record.checks.map(checkRow),
    record.createIndex,
    record.modifyIndex,
  ]
}

function instanceRecord(row: InstanceRow): InstanceRecord {
  const proxy = row[13]
  const record: InstanceRecord = {
    id: row[0],
    name: row[1],
    kind: row[2],
    tags: row[3],
    address: row[4],
    taggedAddresses: row[5],
    meta: row[6],
    port: row[7],
    socketPath: row[8],
    enableTagOverride: row[9],
    weights: { passing: row[10], warning: row[11] },
    native: row[12],
    checks: row[14].map(checkRecord),
    createIndex: row[15],
    modifyIndex: row[16],
  }
  if (proxy !== null) record.proxy = proxy
  return record
}

function checkRow(record: CheckRecord): CheckRow {
  const { checkId, name, status, notes, output, type, interval, timeout, exposedPort, definition, createIndex, modifyIndex } = record
  return [checkId, name, status, notes, output, type, interval, timeout, exposedPort, definition, createIndex, modifyIndex]
}

function checkRecord(row: CheckRow): CheckRecord {
  return {
    checkId: row[0],
    name: row[1],
    status: row[2],
    notes: row[3],
    output: row[4],
    type: row[5],
    interval: row[6],
    timeout: row[7],
    exposedPort: row[8],
    definition: row[9],
    createIndex: row[10],
    modifyIndex: row[11],
  }
}
