import type { HealthStatus } from '../../src/kernel/ports.ts'
import { type Call, type Cast, type Feed, refOf } from '../../src/kernel/protocol.ts'
import type { Token } from '../authorize.ts'
import type { CheckDefinition, CheckType, ServiceDefinition } from '../definitions.ts'

/**
 * What this machine's agent runs: the services and checks that were registered with it, and how they are. Whatever changes one
 * of them is answered once it is kept on this machine and known to the catalog.
 */
export type LocalProtocol = {
  /** Adds a service with its checks (and its sidecar, if it asks for one), or replaces the one with the same id. Earlier checks of
   * the service that the definition does not name stay, unless `replaceExistingChecks`. `conflict`: this agent does not allow it. */
  registerService: Call<{ service: ServiceDefinition; replaceExistingChecks: boolean; token: Token }, null>
  /** Removes a service with its checks, its sidecar and its managed proxy. One that is not there is removed already. */
  deregisterService: Call<{ serviceId: string; token: Token }, null>
  registerCheck: Call<{ check: CheckDefinition; token: Token }, null>
  deregisterCheck: Call<{ checkId: string; token: Token }, null>
  /** A TTL check's owner says how it is. `conflict` if there is no such TTL check. */
  ttlUpdate: Call<{ checkId: string; status: HealthStatus; output: string; token: Token }, null>
  /** Adds or removes the critical check that takes a service out of use. `reason` may be ''. `missing`: no such service. */
  serviceMaintenance: Call<{ serviceId: string; enable: boolean; reason: string; token: Token }, null>
  nodeMaintenance: Call<{ enable: boolean; reason: string; token: Token }, null>
  /** Everything at once, ordered by id. */
  list: Call<null, LocalList>
  /** One service with its checks and those of the node. `service` is null if there is none with this id. */
  service: Call<{ serviceId: string }, { service: LocalService | null; checks: LocalCheck[] }>
  /** Who this agent is. */
  facts: Call<null, AgentFacts>
  /** The definitions of the configuration files, read anew: those that left the files go, those of the API stay. */
  reload: Call<Reload, null>
  /**
   * The managed proxy of a service accepts connections: it becomes the service `managedProxyId(serviceId)` in the catalog, with its
   * TCP check. Saying it again is harmless, and needed after every value of `services`, because the agent may have
   * lost its memory. `address` is the configured bind address; `silent` is one that does not tell what it has in force. Refused with `missing` if the service has no managed proxy (any more).
   */
  proxyListening: Call<{ serviceId: string; address: string; port: number; silent?: boolean }, null>
  /** The cluster's record of this agent may have changed: everything is compared with it soon. */
  compare: Cast<null>
  /** What a look at something brought. */
  checked: Cast<{ checkId: string; status: HealthStatus; output: string }>

  /** Services that have a managed proxy (`connect.proxy`), ordered by id. The index counts changes. */
  services: Feed<null, readonly ServiceDefinition[]>
  /** Checks that need somebody to look at something at intervals (`http`, `tcp`, `script`), ordered by id. */
  checks: Feed<null, readonly CheckDefinition[]>
  /** One service by id, `null` while there is none. */
  serviceChanges: Feed<{ serviceId: string }, LocalService | null>
}

export const localRef = refOf<LocalProtocol>('local')

export type Reload = {
  services: ServiceDefinition[]
  checks: CheckDefinition[]
  /** What else of the configuration may change while the agent runs; absent: it stays as it is. */
  nodeMeta?: Record<string, string>
  discardCheckOutput?: boolean
}

export type LocalList = { services: LocalService[]; checks: LocalCheck[] }

/** A service as it is announced: its sidecar and its managed proxy are services of their own. */
export type LocalService = {
  definition: ServiceDefinition
  origin: Origin
}

/** Where something came from: the configuration files, the API, or another registration that it belongs to. */
export type Origin = 'file' | 'api' | 'derived'

export type LocalCheck = {
  checkId: string
  name: string
  notes: string
  status: HealthStatus
  output: string
  /** '' for a check of the node. */
  serviceId: string
  serviceName: string
  serviceTags: string[]
  type: CheckType | 'maintenance'
  intervalMs: number
  timeoutMs: number
  /** Registered by itself, not within a service. */
  standalone: boolean
}

export type AgentFacts = {
  node: string
  nodeId: string
  datacenter: string
  primaryDatacenter: string
  server: boolean
  /** IP address under which others reach this machine. */
  address: string
  taggedAddresses: Record<string, string>
  nodeMeta: Record<string, string>
  ports: { server: number; serfLan: number; serfWan: number; dns: number; http: number; grpc: number }
  /** Whether agents speak to each other with a key that the configuration gives. */
  isEncrypted: boolean
  /** This program's version, and the one of Consul that clients see. */
  version: string
  compatibleVersion: string
  /** The whole configuration, for people. */
  debugConfig: Record<string, unknown>
}

/** The service id of a managed proxy in the catalog. */
export function managedProxyId(serviceId: string): string {
  return `${serviceId}-proxy`
}
