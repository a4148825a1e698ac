import type { View } from '../../src/kernel/tables.ts'
import type { CheckRegistration } from '../catalog/check-changes.ts'
import type { CatalogRegister } from '../catalog/commands.ts'
import type { InstanceRegistration } from '../catalog/instance-changes.ts'
import type { NodeRegistration } from '../catalog/node-changes.ts'
import { catalogNode, serviceOn } from '../catalog/queries.ts'
import { same } from '../catalog/same.ts'
import { type CheckRecord, SERF_HEALTH, SERVER_SERVICE } from '../catalog/tables.ts'
import type { AgentFacts } from './protocol.ts'

/** This machine as the catalog knows it. */
export function nodeRegistration({ node, nodeId, address, taggedAddresses, nodeMeta }: AgentFacts): NodeRegistration {
  return { node, id: nodeId, address, taggedAddresses, meta: { ...nodeMeta, 'consul-network-segment': '' } }
}

/** This machine with the proof that its agent lives and, on a server, the service that all servers have. */
export function ownRegistration(facts: AgentFacts): CatalogRegister {
  return {
    ...nodeRegistration(facts),
    skipNodeUpdate: false,
    ...(facts.server && { service: serverService({ port: facts.ports.server, version: facts.compatibleVersion }) }),
    checks: [aliveCheck],
  }
}

/** Whether the catalog has exactly this of the machine, so that saying it again would change nothing. */
export function isKnown(view: View, facts: AgentFacts): boolean {
  const { service, checks, ...own } = ownRegistration(facts)
  const { node } = catalogNode(view, facts.node)
  if (!node) return false
  const { id, name, address, taggedAddresses, meta } = node
  const isSameNode = same(
    { id, name, address, taggedAddresses, meta },
    { id: own.id.toLowerCase(), name: own.node, address: own.address, taggedAddresses: own.taggedAddresses, meta: own.meta },
  )
  const isSameService = !service || same(told(serviceOn(view, facts.node, service.id)), { ...service, checks: [] })
  return isSameNode && isSameService && checks.every((check) => hasCheck(node.checks, check))
}

function hasCheck(known: readonly CheckRecord[], { node: _node, serviceId: _serviceId, ...own }: CheckRegistration): boolean {
  return same(told(known.find(({ checkId }) => checkId === own.checkId)), own)
}

/** A record without what the catalog adds. */
function told(record: { createIndex: number; modifyIndex: number } | undefined): object | undefined {
  if (!record) return undefined
  const { createIndex: _createIndex, modifyIndex: _modifyIndex, ...rest } = record
  return rest
}

/** Says that the agent of a node lives. */
export const aliveCheck: CheckRegistration = {
  node: '',
  serviceId: '',
  checkId: SERF_HEALTH,
  name: 'Serf Health Status',
  status: 'passing',
  notes: '',
  output: 'Agent alive and reachable',
  type: '',
  interval: '',
  timeout: '',
  exposedPort: 0,
  definition: {},
}

/** The service that a server has, on the port of servers. */
export function serverService({ port, version }: { port: number; version: string }): InstanceRegistration {
  return {
    id: SERVER_SERVICE,
    name: SERVER_SERVICE,
    kind: '',
    tags: [],
    address: '',
    taggedAddresses: {},
    meta: {
      non_voter: 'false',
      raft_version: '3',
      read_replica: 'false',
      serf_protocol_current: '2',
      serf_protocol_max: '5',
      serf_protocol_min: '1',
      version,
    },
    port,
    socketPath: '',
    enableTagOverride: false,
    weights: { passing: 1, warning: 1 },
    native: false,
  }
}
