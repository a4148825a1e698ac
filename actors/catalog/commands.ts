import { keyBytes } from '../../src/kernel/keys.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import { SEPARATOR } from '../../src/kernel/tables.ts'
import type { CommandFunction } from '../command.ts'
import { type CheckRegistration, putCheck, removeCheck } from './check-changes.ts'
import { type InstanceRegistration, putInstance, removeInstance } from './instance-changes.ts'
import { type NodeRegistration, putNode, removeNode } from './node-changes.ts'
import { nodeTable } from './records.ts'
import { nodeKey } from './tables.ts'

/** A node and, in one step with it, a service on it and checks of either. */
export type CatalogRegister = NodeRegistration & {
  /** Leave a node that exists as it is. */
  skipNodeUpdate: boolean
  service?: InstanceRegistration
  checks: CheckRegistration[]
}

/** Without a service and a check, the node goes with everything on it; with a service, it goes with its checks. */
export type CatalogDeregister = { node: string; serviceId: string; checkId: string }

/** Names become parts of keys, up to three in one. */
const NAME_BYTES_MAX = 512

/** All or nothing. What is already so takes no index. */
export const catalogRegister: CommandFunction<CatalogRegister, null> = (tx, { index }, request) => {
  const wrong = registrationWrong(request)
  if (wrong !== undefined) return refuse('invalid', wrong)
  const known = nodeTable.get(tx, nodeKey(request.node))
  if (!known || !request.skipNodeUpdate) {
    const refused = putNode(tx, index, request)
    if (refused) return refused
  }
  if (request.service) putInstance(tx, index, request.node, request.service)
  for (const check of request.checks) {
    const refused = putCheck(tx, index, request.node, check)
    if (refused) return refuse(refused.refused, `failed inserting check: ${refused.why}`)
  }
  return null
}

/** What is not there is gone already. */
export const catalogDeregister: CommandFunction<CatalogDeregister, null> = (tx, { index }, { node, serviceId, checkId }) => {
  if (node === '') return refuse('invalid', 'Must provide node')
  if (serviceId !== '') removeInstance(tx, index, node, serviceId)
  else if (checkId !== '') removeCheck(tx, index, node, checkId)
  else removeNode(tx, index, node)
  return null
}

function registrationWrong({ node, id, address, skipNodeUpdate, service, checks }: CatalogRegister): string | undefined {
  if (node === '') return 'Must provide node'
  if (address === '' && !skipNodeUpdate) return 'Must provide address if SkipNodeUpdate is not set'
  const wrongId = nodeIdFault(id)
  if (wrongId !== undefined) return `Bad node ID: ${wrongId}`
  if (service && service.name === '') return 'Must provide service name with ID'
  const names = {
    'Node name': node,
    'Service name': service?.name,
    'Service ID': service?.id,
    Destination: service?.proxy?.destinationServiceName,
  }
  for (const [what, name] of Object.entries(names)) {
    const fault = name === undefined ? undefined : nameFault(name)
    if (fault !== undefined) return `${what} ${fault}`
  }
  for (const check of checks) {
    if (check.node !== '' && nodeKey(check.node) !== nodeKey(node))
      return `check node ${JSON.stringify(check.node)} does not match node ${JSON.stringify(node)}`
    const fault = nameFault(check.checkId) ?? nameFault(check.serviceId)
    if (fault !== undefined) return `Check ID ${fault}`
  }
  return undefined
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const UUID_LENGTH = 36

/** Why a text cannot be the id of a node; '' stands for none. */
export function nodeIdFault(id: string): string | undefined {
  if (id === '' || UUID.test(id)) return undefined
  return id.length === UUID_LENGTH
    ? 'invalid UUID: not hexadecimal digits in groups of 8, 4, 4, 4 and 12'
    : `uuid string is wrong length: ${id.length}`
}

/** Why a name cannot be part of a key. */
export function nameFault(name: string): string | undefined {
  if (name.includes(SEPARATOR)) return 'contains the character U+0000'
  if (!name.isWellFormed()) return 'is not well-formed Unicode'
  if (name.length * 3 <= NAME_BYTES_MAX) return undefined
  const bytes = keyBytes(name)
  return bytes > NAME_BYTES_MAX ? `is too long (${bytes} > ${NAME_BYTES_MAX} bytes)` : undefined
}
