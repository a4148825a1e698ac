import { isRefused, type Refusal, refuse } from '../../src/kernel/refusal.ts'
import type { Transaction, View } from '../../src/kernel/tables.ts'
import { putCheck, removeCheck } from '../catalog/check-changes.ts'
import { putInstance, removeInstance } from '../catalog/instance-changes.ts'
import { putNode, removeNode } from '../catalog/node-changes.ts'
import { type PlacedCheck, serviceOn } from '../catalog/queries.ts'
import { nodeTable } from '../catalog/records.ts'
import { checkTable, type NodeRecord, nodeIdTable, nodeKey, nodeServiceKey } from '../catalog/tables.ts'
import type { CommandContext } from '../command.ts'
import { runKv } from './kv-operations.ts'
import type { CheckOperation, NodeOperation, ServiceOperation, TxnError, TxnOperation, TxnOutcome, TxnResult } from './protocol.ts'

/** Carries out operations in order. After an error the rest is still tried, so that all errors are known; the changes are worth nothing then. */
export function runOperations(tx: Transaction, { index }: CommandContext, operations: readonly TxnOperation[]): TxnOutcome {
  const results: TxnResult[] = []
  const errors: TxnError[] = []
  operations.forEach((operation, at) => {
    const found = runOne(tx, index, operation)
    if (isRefused(found)) errors.push({ at, why: found.why })
    else results.push(...found)
  })
  return errors.length > 0 ? { results: [], errors } : { results, errors }
}

function runOne(tx: Transaction, index: number, operation: TxnOperation): TxnResult[] | Refusal {
  switch (operation.on) {
    case 'kv':
      return runKv(tx, index, operation)
    case 'node':
      return runNode(tx, index, operation)
    case 'service':
      return runService(tx, index, operation)
    case 'check':
      return runCheck(tx, index, operation)
  }
}

function runNode(tx: Transaction, index: number, { verb, node: told, index: at }: NodeOperation): TxnResult[] | Refusal {
  const name = JSON.stringify(told.node)
  const shown = (): TxnResult[] => {
    const node = nodeFound(tx, told)
    return node ? [{ node }] : []
  }
  switch (verb) {
    case 'get':
      return nodeFound(tx, told) ? shown() : refuse('missing', `node ${name} doesn't exist`)
    case 'set':
      return putNode(tx, index, told) ?? shown()
    case 'cas': {
      if (!mayReplace(nodeTable.get(tx, nodeKey(told.node)), at)) return refuse('conflict', `failed to set node ${name}, index is stale`)
      return putNode(tx, index, told) ?? shown()
    }
    case 'delete':
      removeNode(tx, index, told.node)
      return []
    case 'delete-cas':
      if (nodeTable.get(tx, nodeKey(told.node))?.modifyIndex !== at) {
        return refuse('conflict', `failed to delete node ${name}, index is stale`)
      }
      removeNode(tx, index, told.node)
      return []
    default:
      return refuse('invalid', `unknown Node verb ${JSON.stringify(verb)}`)
  }
}

function runService(tx: Transaction, index: number, { verb, node, service: told, index: at }: ServiceOperation): TxnResult[] | Refusal {
  const before = serviceOn(tx, node, told.id)
  const which = `service ${JSON.stringify(told.id)} on node ${JSON.stringify(node)}`
  const put = (): TxnResult[] | Refusal => {
    if (!nodeTable.get(tx, nodeKey(node))) return refuse('missing', 'Missing node registration')
    putInstance(tx, index, node, told)
    const service = serviceOn(tx, node, told.id)
    return service ? [{ service }] : []
  }
  switch (verb) {
    case 'get':
      return before ? [{ service: before }] : refuse('missing', `${which} doesn't exist`)
    case 'set':
      return put()
    case 'cas':
      return mayReplace(before, at) ? put() : refuse('conflict', `failed to set ${which}, index is stale`)
    case 'delete':
      removeInstance(tx, index, node, told.id)
      return []
    case 'delete-cas':
      if (before?.modifyIndex !== at) return refuse('conflict', `failed to delete ${which}, index is stale`)
      removeInstance(tx, index, node, told.id)
      return []
    default:
      return refuse('invalid', `unknown Service verb ${JSON.stringify(verb)}`)
  }
}

function runCheck(tx: Transaction, index: number, { verb, check: told, index: at }: CheckOperation): TxnResult[] | Refusal {
  const { node, checkId } = told
  const before = checkOn(tx, node, checkId)
  const which = `check ${JSON.stringify(checkId)} on node ${JSON.stringify(node)}`
  const put = (): TxnResult[] | Refusal => {
    const refused = putCheck(tx, index, node, told)
    if (refused) return refused
    const check = checkOn(tx, node, checkId)
    return check ? [{ check }] : []
  }
  switch (verb) {
    case 'get':
      return before ? [{ check: before }] : refuse('missing', `${which} doesn't exist`)
    case 'set':
      return put()
    case 'cas':
      return mayReplace(before?.check, at) ? put() : refuse('conflict', `failed to set ${which}, index is stale`)
    case 'delete':
      removeCheck(tx, index, node, checkId)
      return []
    case 'delete-cas':
      if (before?.check.modifyIndex !== at) return refuse('conflict', `failed to delete ${which}, index is stale`)
      removeCheck(tx, index, node, checkId)
      return []
    default:
      return refuse('invalid', `unknown Check verb ${JSON.stringify(verb)}`)
  }
}

/** Index 0 stands for what does not exist yet. */
function mayReplace(before: { modifyIndex: number } | undefined, at: number): boolean {
  return (before?.modifyIndex ?? 0) === at
}

/** By its id if that is given, else by its name. */
function nodeFound(view: View, { node, id }: NodeOperation['node']): NodeRecord | undefined {
  const key = id === '' ? nodeKey(node) : view.get(nodeIdTable, id.toLowerCase())?.node
  return key === undefined ? undefined : nodeTable.get(view, key)
}

function checkOn(view: View, node: string, id: string): PlacedCheck | undefined {
  const pointer = view.get(checkTable, nodeServiceKey(node, id))
  const record = pointer && nodeTable.get(view, nodeKey(node))
  if (!record) return undefined
  const service = pointer.serviceId === '' ? undefined : serviceOn(view, node, pointer.serviceId)
  const check = (service ?? record).checks.find(({ checkId }) => checkId === id)
  return check && { node: record.name, check, service }
}
