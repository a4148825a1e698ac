import type { View } from '../../src/kernel/tables.ts'
import type { CatalogDeregister, CatalogRegister } from '../catalog/commands.ts'
import { catalogNode, catalogNodes, serviceOn } from '../catalog/queries.ts'
import { nodeKey, SERF_HEALTH, SERVER_SERVICE } from '../catalog/tables.ts'
import { aliveCheck, serverService } from '../local/server-node.ts'
import type { Member } from '../membership/protocol.ts'

/** A change of the catalog. `what` is for people. */
export type Step = { what: string; node: string } & (
  | { kind: 'catalog.register'; request: CatalogRegister }
  | { kind: 'catalog.deregister'; request: CatalogDeregister }
)

/** What the catalog lacks to agree with a member; nothing if it does. A server never takes itself out. Source: internals, leader duties. */
export function agreement(view: View, member: Member): Step | undefined {
  const { name, status, isSelf } = member
  if (status === 'alive' || status === 'suspect') return alive(view, member)
  const { node } = catalogNode(view, name)
  // A name that another machine has by now.
  if (!node || (node.id !== '' && node.id !== member.id.toLowerCase())) return undefined
  if (status === 'failed') return failed(view, member)
  if (status !== 'left' || isSelf) return undefined
  return { what: 'leaving', node: name, kind: 'catalog.deregister', request: { node: name, serviceId: '', checkId: '' } }
}

/** Names of nodes that have an agent's check, and no member of that name. */
export function unknownNodes(view: View, members: readonly Member[]): string[] {
  const known = new Set(members.map(({ name }) => nodeKey(name)))
  return catalogNodes(view)
    .nodes.filter(({ name, checks }) => !known.has(nodeKey(name)) && checks.some(({ checkId }) => checkId === SERF_HEALTH))
    .map(({ name }) => name)
}

function alive(view: View, member: Member): Step | undefined {
  const { name, tags } = member
  const { node } = catalogNode(view, name)
  const health = node?.checks.find(({ checkId }) => checkId === SERF_HEALTH)
  const isServer = tags['role'] === 'consul'
  const isListed = !isServer || serviceOn(view, name, SERVER_SERVICE) !== undefined
  if (health?.status === 'passing' && isListed) return undefined
  const version = tags['build']?.split(':')[0] ?? ''
  const service = isServer && !isListed ? { service: serverService({ port: Number(tags['port'] ?? 0), version }) } : {}
  return { what: 'health', node: name, kind: 'catalog.register', request: { ...told(member), ...service, checks: [aliveCheck] } }
}

function failed(view: View, member: Member): Step | undefined {
  const { name } = member
  const health = catalogNode(view, name).node?.checks.find(({ checkId }) => checkId === SERF_HEALTH)
  if (health?.status === 'critical') return undefined
  const check = { ...aliveCheck, status: 'critical' as const, output: 'Agent not live or unreachable' }
  return { what: 'failure', node: name, kind: 'catalog.register', request: { ...told(member), checks: [check] } }
}

/** What the agent says of its machine itself stays. */
function told({ name, id, address }: Member): Omit<CatalogRegister, 'checks'> {
  return { node: name, id, address, taggedAddresses: null, meta: null, skipNodeUpdate: true }
}
