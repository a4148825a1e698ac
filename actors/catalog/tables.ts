import type { HealthStatus } from '../../src/kernel/ports.ts'
import { joined, table } from '../../src/kernel/tables.ts'
import type { ProxyDefinition, ServiceAddress, Weights } from '../definitions.ts'

/** A machine (or something outside that is listed as one), with the checks of it as a whole. */
export type NodeRecord = {
  /** A UUID in lower case; '' for most nodes that have no agent. */
  id: string
  name: string
  address: string
  taggedAddresses: Record<string, string> | null
  meta: Record<string, string> | null
  /** Ordered by check id. */
  checks: CheckRecord[]
  createIndex: number
  modifyIndex: number
  /** When the node or one of `checks` last changed: what else than its own changes matters to each of its services. */
  touchedIndex: number
}

/** One instance of a service, with its own checks. */
export type InstanceRecord = {
  id: string
  name: string
  kind: string
  tags: string[]
  address: string
  taggedAddresses: Record<string, ServiceAddress>
  meta: Record<string, string>
  port: number
  socketPath: string
  enableTagOverride: boolean
  weights: Weights
  /** Speaks Connect by itself. */
  native: boolean
  /** For proxies and gateways. */
  proxy?: ProxyDefinition
  /** Ordered by check id. */
  checks: CheckRecord[]
  createIndex: number
  modifyIndex: number
}

/** A check; of which service and node is said by where it is. */
export type CheckRecord = {
  checkId: string
  name: string
  status: HealthStatus
  notes: string
  output: string
  type: string
  /** As text for people, '' if unknown. */
  interval: string
  timeout: string
  exposedPort: number
  /** As it is shown; empty but for checks that were registered with the catalog itself. */
  definition: Record<string, unknown>
  createIndex: number
  modifyIndex: number
}

/** By node id: the node's key. */
export const nodeIdTable = table<{ node: string }>('catalog-node-ids', 21)
/** By node in lower case and service id: the service's name in lower case. */
export const nodeServiceTable = table<{ name: string }>('catalog-node-services', 23)
/** By node in lower case and check id: where the check is. `serviceId` is '' for one of the node. */
export const checkTable = table<{ serviceId: string; status: HealthStatus }>('catalog-checks', 24)
/** By the name in lower case of the service that is reached, node in lower case and service id: the instance's name in lower case. */
export const connectTable = table<{ name: string }>('catalog-connect', 25)
/** By address (in its one text) and node in lower case. */
export const nodeAddressTable = table<{ node: string }>('catalog-node-addresses', 26)
/** By address (in its one text), service name in lower case, node in lower case and service id. */
export const serviceAddressTable = table<{ name: string }>('catalog-service-addresses', 27)
/** By service name as written: how many instances there are, and how many have each tag. */
export const summaryTable = table<{ instances: number; tags: [tag: string, instances: number][] }>('catalog-summary', 28)

export function nodeKey(name: string): string {
  return name.toLowerCase()
}

export function instanceKey(name: string, node: string, id: string): string {
  return joined(name.toLowerCase(), node.toLowerCase(), id)
}

export function nodeServiceKey(node: string, id: string): string {
  return joined(node.toLowerCase(), id)
}

/** The check that says whether an agent is alive. */
export const SERF_HEALTH = 'serfHealth'
/** The service that all servers are instances of. */
export const SERVER_SERVICE = 'consul'

/** Names in the table of indexes. */
export const NODES = 'nodes'
export const SERVICES = 'services'
export const CHECKS = 'checks'
/** The set of service names and their tags. */
export const SERVICE_NAMES = 'service-names'
/** The last time that something vanished which had an index of its own. */
export const EXTINCTION = 'service-extinction'
export const NODE_EXTINCTION = 'node-extinction'
export const nodeIndex = (name: string): string => `node/${name.toLowerCase()}`
export const serviceIndex = (name: string): string => `service/${name.toLowerCase()}`
export const connectIndex = (name: string): string => `connect/${name.toLowerCase()}`
export const statusIndex = (status: HealthStatus): string => `checks/${status}`
