import type { CheckRegistration } from '../catalog/check-changes.ts'
import type { CatalogRegister } from '../catalog/commands.ts'
import type { InstanceRegistration } from '../catalog/instance-changes.ts'
import type { NodeRegistration } from '../catalog/node-changes.ts'
import { SERF_HEALTH, SERVER_SERVICE } from '../catalog/tables.ts'
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
    ...(facts.server && { service: serverService(facts) }),
    checks: [aliveCheck],
  }
}

const aliveCheck: CheckRegistration = {
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

function serverService({ ports, compatibleVersion }: AgentFacts): InstanceRegistration {
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
      version: compatibleVersion,
    },
    port: ports.server,
    socketPath: '',
    enableTagOverride: false,
    weights: { passing: 1, warning: 1 },
    native: false,
  }
}
