import { type Refusal, refuse } from '../../src/kernel/refusal.ts'
import { joined, type Transaction } from '../../src/kernel/tables.ts'
import { bump, indexTable } from '../command.ts'
import { removeCoordinates } from '../coordinates/commands.ts'
import { endSessionsWith } from '../sessions/changes.ts'
import { addressKey } from './addresses.ts'
import { bumpCheck } from './index-bumps.ts'
import { removeInstance } from './instance-changes.ts'
import { nodeTable } from './records.ts'
import { same } from './same.ts'
import {
  checkTable,
  NODE_EXTINCTION,
  NODES,
  type NodeRecord,
  nodeAddressTable,
  nodeIdTable,
  nodeIndex,
  nodeKey,
  nodeServiceKey,
  nodeServiceTable,
  SERF_HEALTH,
} from './tables.ts'

export type NodeRegistration = {
  node: string
  /** '' leaves the id of a node that has one. */
  id: string
  address: string
  taggedAddresses: Record<string, string> | null
  meta: Record<string, string> | null
}

/** Adds or changes a node. A known id under a new name renames the node, and what was on it goes. Source: Consul's state store. */
export function putNode(tx: Transaction, index: number, registration: NodeRegistration): Refusal | undefined {
  const key = nodeKey(registration.node)
  const id = registration.id.toLowerCase()
  const renamed = renamedFrom(tx, id, key)
  const clash = id === '' ? undefined : nameClash(tx, registration.node, id, renamed === undefined)
  if (clash) return clash
  if (renamed) removeNode(tx, index, renamed.name)
  const before = nodeTable.get(tx, key)
  const told = {
    id: id === '' ? (before?.id ?? '') : id,
    name: registration.node,
    address: registration.address,
    taggedAddresses: registration.taggedAddresses,
    meta: registration.meta,
  }
  if (
    before &&
    same(told, { id: before.id, name: before.name, address: before.address, taggedAddresses: before.taggedAddresses, meta: before.meta })
  ) {
    return undefined
  }
  if (before) unlist(tx, key, before)
  const after: NodeRecord = {
    ...told,
    checks: before?.checks ?? [],
    createIndex: before?.createIndex ?? renamed?.createIndex ?? index,
    modifyIndex: index,
    touchedIndex: index,
  }
  nodeTable.put(tx, key, after)
  if (after.id !== '') tx.put(nodeIdTable, after.id, { node: key })
  const address = addressKey(after.address)
  if (address !== undefined) tx.put(nodeAddressTable, joined(address, key), { node: key })
  bump(tx, NODES, index)
  bump(tx, nodeIndex(key), index)
  return undefined
}

/** Removes a node with its services and checks, if it is there. */
export function removeNode(tx: Transaction, index: number, name: string): void {
  const key = nodeKey(name)
  const node = nodeTable.get(tx, key)
  if (!node) return
  const prefix = joined(key, '')
  for (const [at] of [...tx.range(nodeServiceTable, { prefix })]) removeInstance(tx, index, key, at.slice(prefix.length))
  for (const check of node.checks) {
    tx.delete(checkTable, nodeServiceKey(key, check.checkId))
    bumpCheck(tx, index, check, undefined)
  }
  unlist(tx, key, node)
  nodeTable.delete(tx, key)
  tx.delete(indexTable, nodeIndex(key))
  bump(tx, NODES, index)
  bump(tx, NODE_EXTINCTION, index)
  endSessionsWith(tx, index, key, '')
  removeCoordinates(tx, index, key)
}

/** The node that has this id under another name. */
function renamedFrom(tx: Transaction, id: string, key: string): NodeRecord | undefined {
  const holder = id === '' ? undefined : tx.get(nodeIdTable, id)?.node
  return holder === undefined || holder === key ? undefined : nodeTable.get(tx, holder)
}

/** A name belongs to the id that has it, unless that node has failed or is no agent. */
function nameClash(tx: Transaction, name: string, id: string, mayTakeNameless: boolean): Refusal | undefined {
  const holder = nodeTable.get(tx, nodeKey(name))
  if (!holder || holder.id === id || (holder.id === '' && mayTakeNameless)) return undefined
  const health = holder.checks.find(({ checkId }) => checkId === SERF_HEALTH)
  if (!health || health.status === 'critical') return undefined
  return refuse(
    'conflict',
    `failed inserting node: Error while renaming Node ID: ${JSON.stringify(id)}: Node name ${name} is reserved by node ${holder.id} with name ${holder.name} (${holder.address})`,
  )
}

function unlist(tx: Transaction, key: string, node: NodeRecord): void {
  if (node.id !== '') tx.delete(nodeIdTable, node.id)
  const address = addressKey(node.address)
  if (address !== undefined) tx.delete(nodeAddressTable, joined(address, key))
}
