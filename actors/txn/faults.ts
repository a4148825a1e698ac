import { keyBytes } from '../../src/kernel/keys.ts'
import type { View } from '../../src/kernel/tables.ts'
import { authorize, type Need, type Token } from '../authorize.ts'
import { nameFault, nodeIdFault } from '../catalog/commands.ts'
import { KEY_BYTES_MAX } from '../kv/index.ts'
import type { CheckOperation, KvOperation, NodeOperation, ServiceOperation, TxnOperation } from './protocol.ts'
import { isWrite } from './protocol.ts'

/** Why an operation may not be tried at all: its form, its size, or access. */
export function operationFault(view: View, token: Token, operation: TxnOperation, valueBytesMax: number): string | undefined {
  const fault = formFault(operation, valueBytesMax)
  if (fault !== undefined) return fault
  return needsOf(operation)
    .map((need) => authorize(view, token, need)?.why)
    .find((why) => why !== undefined)
}

function formFault(operation: TxnOperation, valueBytesMax: number): string | undefined {
  switch (operation.on) {
    case 'kv':
      return kvFault(operation, valueBytesMax)
    case 'node':
      return nodeFault(operation)
    case 'service':
      return serviceFault(operation)
    case 'check':
      return checkFault(operation)
  }
}

function kvFault({ verb, key, value }: KvOperation, valueBytesMax: number): string | undefined {
  if (key === '' && verb !== 'delete-tree') return 'Must provide key'
  if (key.length * 3 > KEY_BYTES_MAX && keyBytes(key) > KEY_BYTES_MAX) {
    return `Key is too long (${keyBytes(key)} > ${KEY_BYTES_MAX} bytes)`
  }
  return value.byteLength > valueBytesMax
    ? `Value for key ${JSON.stringify(key)} is too large (${value.byteLength} > ${valueBytesMax} bytes)`
    : undefined
}

function nodeFault({ verb, node: { node, id } }: NodeOperation): string | undefined {
  const fault = nameFault(node)
  if (fault !== undefined) return `Node name ${fault}`
  if (verb === 'get') return undefined
  if (node === '') return 'Must provide node'
  const wrong = nodeIdFault(id)
  return wrong === undefined ? undefined : `Bad node ID: ${wrong}`
}

function serviceFault({ verb, node, service: { id, name, address } }: ServiceOperation): string | undefined {
  for (const [what, text] of [
    ['Node name', node],
    ['Service name', name],
    ['Service ID', id],
  ] as const) {
    const fault = nameFault(text)
    if (fault !== undefined) return `${what} ${fault}`
  }
  if (verb === 'get') return undefined
  if (name === '') return 'Must provide service name with ID'
  return ANY_ADDRESS.includes(address) ? 'Invalid service address' : undefined
}

/** What a service listens on when it listens on everything; nobody can be sent there. */
const ANY_ADDRESS: readonly string[] = ['0.0.0.0', '::', '[::]']

function checkFault({ check: { node, checkId, serviceId } }: CheckOperation): string | undefined {
  const fault = nameFault(node)
  if (fault !== undefined) return `Node name ${fault}`
  const wrong = nameFault(checkId) ?? nameFault(serviceId)
  return wrong === undefined ? undefined : `Check ID ${wrong}`
}

function needsOf(operation: TxnOperation): Need[] {
  const access = isWrite(operation) ? 'write' : 'read'
  switch (operation.on) {
    case 'kv':
      return [{ resource: operation.verb.endsWith('-tree') ? 'key_prefix' : 'key', name: operation.key, access }]
    case 'node':
      return [{ resource: 'node', name: operation.node.node, access }]
    case 'service':
      return [{ resource: 'service', name: operation.service.name, access }]
    case 'check':
      return [{ resource: 'node', name: operation.check.node, access }]
  }
}
