import { type Refusal, refuse } from '../../src/kernel/refusal.ts'
import type { Transaction } from '../../src/kernel/tables.ts'
import { bump } from '../command.ts'
import { endSessionsWith } from '../sessions/changes.ts'
import { bumpCheck, bumpInstance } from './index-bumps.ts'
import { instanceOf } from './instance-changes.ts'
import { instanceTable, nodeTable } from './records.ts'
import { same } from './same.ts'
import { type CheckRecord, checkTable, instanceKey, nodeIndex, nodeKey, nodeServiceKey } from './tables.ts'

/** `node` may be '' where it is known; `serviceId` is '' for a check of the node. */
export type CheckRegistration = Omit<CheckRecord, 'createIndex' | 'modifyIndex'> & { node: string; serviceId: string }

/** Adds or changes a check. Its node and service must be there. */
export function putCheck(tx: Transaction, index: number, node: string, registration: CheckRegistration): Refusal | undefined {
  const { node: _node, serviceId, ...told } = registration
  const key = nodeServiceKey(node, told.checkId)
  const pointer = tx.get(checkTable, key)
  const checks = checksOf(tx, node, serviceId)
  if (!nodeTable.get(tx, nodeKey(node))) return refuse('invalid', 'Missing node registration')
  if (!checks) return refuse('invalid', `Missing service registration on node ${JSON.stringify(node)}`)
  const isMoved = pointer !== undefined && pointer.serviceId !== serviceId
  if (isMoved) dropCheck(tx, index, node, told.checkId)
  const before = isMoved ? undefined : checks.find(({ checkId }) => checkId === told.checkId)
  if (before) {
    const { createIndex: _createIndex, modifyIndex: _modifyIndex, ...known } = before
    if (same(known, told)) return undefined
  }
  const after: CheckRecord = { ...told, createIndex: before?.createIndex ?? index, modifyIndex: index }
  const others = (checksOf(tx, node, serviceId) ?? []).filter(({ checkId }) => checkId !== told.checkId)
  putChecks(tx, index, node, serviceId, [...others, after].sort(byId))
  if (pointer?.serviceId !== serviceId || pointer.status !== after.status) tx.put(checkTable, key, { serviceId, status: after.status })
  bumpCheck(tx, index, before, after)
  if (after.status === 'critical') endSessionsWith(tx, index, node, told.checkId)
  return undefined
}

/** Removes a check, if it is there, and ends the sessions that live by it. */
export function removeCheck(tx: Transaction, index: number, node: string, id: string): void {
  dropCheck(tx, index, node, id)
  endSessionsWith(tx, index, node, id)
}

function dropCheck(tx: Transaction, index: number, node: string, id: string): void {
  const key = nodeServiceKey(node, id)
  const pointer = tx.get(checkTable, key)
  if (!pointer) return
  const checks = checksOf(tx, node, pointer.serviceId) ?? []
  tx.delete(checkTable, key)
  putChecks(
    tx,
    index,
    node,
    pointer.serviceId,
    checks.filter(({ checkId }) => checkId !== id),
  )
  bumpCheck(
    tx,
    index,
    checks.find(({ checkId }) => checkId === id),
    undefined,
  )
}

function checksOf(tx: Transaction, node: string, serviceId: string): CheckRecord[] | undefined {
  return serviceId === '' ? nodeTable.get(tx, nodeKey(node))?.checks : instanceOf(tx, node, serviceId)?.checks
}

function putChecks(tx: Transaction, index: number, node: string, serviceId: string, checks: CheckRecord[]): void {
  bump(tx, nodeIndex(node), index)
  if (serviceId === '') {
    const record = nodeTable.get(tx, nodeKey(node))
    if (record) nodeTable.put(tx, nodeKey(node), { ...record, checks, touchedIndex: index })
    return
  }
  const instance = instanceOf(tx, node, serviceId)
  if (!instance) return
  instanceTable.put(tx, instanceKey(instance.name, node, serviceId), { ...instance, checks })
  bumpInstance(tx, index, instance)
}

function byId(a: CheckRecord, b: CheckRecord): number {
  return a.checkId < b.checkId ? -1 : a.checkId > b.checkId ? 1 : 0
}
