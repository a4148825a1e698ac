import { joined, type Table, type Transaction } from '../../src/kernel/tables.ts'
import { bump, indexTable } from '../command.ts'
import { instanceTable } from './records.ts'
import {
  CHECKS,
  type CheckRecord,
  connectIndex,
  connectTable,
  EXTINCTION,
  type InstanceRecord,
  serviceIndex,
  statusIndex,
} from './tables.ts'

/** The service that is reached through an instance by Connect. */
export function destinationOf({
  native,
  kind,
  name,
  proxy,
}: Pick<InstanceRecord, 'native' | 'kind' | 'name' | 'proxy'>): string | undefined {
  if (native) return name
  return kind === 'connect-proxy' ? proxy?.destinationServiceName : undefined
}

/** The instance changed, or a check of it. */
export function bumpInstance(tx: Transaction, index: number, instance: InstanceRecord): void {
  bump(tx, serviceIndex(instance.name), index)
  const destination = destinationOf(instance)
  if (destination !== undefined) bump(tx, connectIndex(destination), index)
}

/** The instance is gone from the tables. The indexes of names that nobody has any more go too. */
export function bumpGone(tx: Transaction, index: number, instance: InstanceRecord): void {
  bumpOrForget(tx, index, instanceTable.rows, instance.name, serviceIndex(instance.name))
  const destination = destinationOf(instance)
  if (destination !== undefined) bumpOrForget(tx, index, connectTable, destination, connectIndex(destination))
}

/** A check came, changed or went. */
export function bumpCheck(tx: Transaction, index: number, before: CheckRecord | undefined, after: CheckRecord | undefined): void {
  bump(tx, CHECKS, index)
  if (before) bump(tx, statusIndex(before.status), index)
  if (after && after.status !== before?.status) bump(tx, statusIndex(after.status), index)
}

function bumpOrForget(tx: Transaction, index: number, of: Table<unknown>, name: string, indexName: string): void {
  for (const _row of tx.range(of, { prefix: joined(name.toLowerCase(), ''), limit: 1 })) {
    bump(tx, indexName, index)
    return
  }
  tx.delete(indexTable, indexName)
  bump(tx, EXTINCTION, index)
}
