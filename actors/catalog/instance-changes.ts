import { joined, type Transaction } from '../../src/kernel/tables.ts'
import { bump } from '../command.ts'
import { removeReport } from '../reports/commands.ts'
import { endSessionsWith } from '../sessions/changes.ts'
import { addressKey } from './addresses.ts'
import { bumpCheck, bumpGone, bumpInstance, destinationOf } from './index-bumps.ts'
import { instanceTable } from './records.ts'
import { same } from './same.ts'
import {
  checkTable,
  connectTable,
  type InstanceRecord,
  instanceKey,
  nodeIndex,
  nodeServiceKey,
  nodeServiceTable,
  SERVICE_NAMES,
  SERVICES,
  serviceAddressTable,
  summaryTable,
} from './tables.ts'

export type InstanceRegistration = Omit<InstanceRecord, 'checks' | 'createIndex' | 'modifyIndex'>

/** Adds or changes a service of a node that exists. Its checks stay. */
export function putInstance(tx: Transaction, index: number, node: string, registration: InstanceRegistration): void {
  const before = instanceOf(tx, node, registration.id)
  if (before) {
    const { checks: _checks, createIndex: _createIndex, modifyIndex: _modifyIndex, ...known } = before
    if (same(known, registration)) return
    unlist(tx, node, before)
  }
  const after: InstanceRecord = {
    ...registration,
    checks: before?.checks ?? [],
    createIndex: before?.createIndex ?? index,
    modifyIndex: index,
  }
  list(tx, node, after)
  summarize(tx, index, before, after)
  if (before && !isListedAlike(before, after)) bumpGone(tx, index, before)
  bumpInstance(tx, index, after)
  bump(tx, SERVICES, index)
  bump(tx, nodeIndex(node), index)
}

/** Whether both are found under the same names, so that none is left behind. */
function isListedAlike(before: InstanceRecord, after: InstanceRecord): boolean {
  return (
    before.name.toLowerCase() === after.name.toLowerCase() && destinationOf(before)?.toLowerCase() === destinationOf(after)?.toLowerCase()
  )
}

/** Removes a service with its checks, if it is there. */
export function removeInstance(tx: Transaction, index: number, node: string, id: string): void {
  const before = instanceOf(tx, node, id)
  if (!before) return
  for (const check of before.checks) {
    tx.delete(checkTable, nodeServiceKey(node, check.checkId))
    bumpCheck(tx, index, check, undefined)
    endSessionsWith(tx, index, node, check.checkId)
  }
  unlist(tx, node, before)
  removeReport(tx, index, node, id)
  if (before.proxy?.reports) removeReport(tx, index, node, before.proxy.destinationServiceId)
  summarize(tx, index, before, undefined)
  bumpGone(tx, index, before)
  bump(tx, SERVICES, index)
  bump(tx, nodeIndex(node), index)
}

export function instanceOf(tx: Transaction, node: string, id: string): InstanceRecord | undefined {
  const pointer = tx.get(nodeServiceTable, nodeServiceKey(node, id))
  return pointer && instanceTable.get(tx, instanceKey(pointer.name, node, id))
}

function list(tx: Transaction, node: string, instance: InstanceRecord): void {
  const name = instance.name.toLowerCase()
  const at = instanceKey(name, node, instance.id)
  instanceTable.put(tx, at, instance)
  tx.put(nodeServiceTable, nodeServiceKey(node, instance.id), { name })
  const destination = destinationOf(instance)
  if (destination !== undefined) tx.put(connectTable, instanceKey(destination, node, instance.id), { name })
  const address = addressKey(instance.address)
  if (address !== undefined) tx.put(serviceAddressTable, joined(address, at), { name: instance.name })
}

function unlist(tx: Transaction, node: string, instance: InstanceRecord): void {
  const at = instanceKey(instance.name, node, instance.id)
  instanceTable.delete(tx, at)
  tx.delete(nodeServiceTable, nodeServiceKey(node, instance.id))
  const destination = destinationOf(instance)
  if (destination !== undefined) tx.delete(connectTable, instanceKey(destination, node, instance.id))
  const address = addressKey(instance.address)
  if (address !== undefined) tx.delete(serviceAddressTable, joined(address, at))
}

/** Counts instances and tags by service name. */
function summarize(tx: Transaction, index: number, before: InstanceRecord | undefined, after: InstanceRecord | undefined): void {
  if (before && after && before.name === after.name && same(before.tags, after.tags)) return
  const wasKnown = before !== undefined && count(tx, before, -1)
  const isKnown = after !== undefined && count(tx, after, 1)
  if (wasKnown || isKnown) bump(tx, SERVICE_NAMES, index)
}

/** Answers whether the name or one of its tags came or went. */
function count(tx: Transaction, { name, tags }: InstanceRecord, by: 1 | -1): boolean {
  const before = tx.get(summaryTable, name) ?? { instances: 0, tags: [] }
  const counts = new Map(before.tags)
  for (const tag of new Set(tags)) {
    const left = (counts.get(tag) ?? 0) + by
    if (left === 0) counts.delete(tag)
    else counts.set(tag, left)
  }
  const instances = before.instances + by
  if (instances === 0) tx.delete(summaryTable, name)
  else tx.put(summaryTable, name, { instances, tags: [...counts] })
  return instances === 0 || before.instances === 0 || counts.size !== before.tags.length
}
