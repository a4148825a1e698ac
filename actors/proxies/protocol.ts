import { type Call, type Feed, refOf } from '../../src/kernel/protocol.ts'
import type { Token } from '../authorize.ts'
import type { WantedDaemon } from '../daemons/protocol.ts'
import type { InForce, ProxyPair, ProxyStatus } from '../proxy/protocol.ts'

/** The sidecars that this agent runs for its services, and what applications without one tell. */
export type ProxiesProtocol = {
  /** All of them, ordered by service id. */
  list: Call<{ token: Token }, ManagedProxy[]>
  /** Connections that are open, for each pair of services; up to a second old. */
  open: Call<null, OpenConnections[]>
  /** The agent ends: sidecars that are to wait for their connections take no more. Answered once they have waited. */
  drain: Call<null, null>
  /** A process of an application that is in the mesh by itself, or of a proxy that this agent does not run, says what it has in force.
   * Whoever asks has seen that it is registered here as that. `conflict`: a sidecar runs for it; `busy`: too many processes tell of it. */
  applicationTells: Call<ApplicationTold & { token: Token }, null>
  /** A process ends, and takes no connections any more. One that never told has ended already. The service is one of this agent. */
  applicationEnds: Call<{ serviceId: string; service: string; process: string; token: Token }, null>
  /** The same as `list`, again whenever one changes. The index counts values. */
  proxies: Feed<null, readonly ManagedProxy[]>
  /** The programs of others that are to run as managed proxies, ordered by id; first once they are known. The index counts values. */
  daemons: Feed<null, readonly WantedDaemon[]>
}

export type ManagedProxy = {
  serviceId: string
  service: string
  /** `stopped`: its definition cannot be carried out, `why` says what is wrong with it. */
  phase: ProxyStatus['phase'] | 'stopped'
  why: string
  /** None before it was started. */
  status: ProxyStatus | null
}

/** It holds for `withinMs`, and is told again before. `process`: whatever it calls itself, to be told apart from others of the service. */
export type ApplicationTold = {
  serviceId: string
  service: string
  kind: 'native' | 'proxy'
  process: string
  withinMs: number
  /** `leafKeyId` is '' where it is not known who signed the leaf. */
  inForce: InForce
  open: number
}

export type OpenConnections = { serviceId: string; service: string; pairs: ProxyPair[] }

export const proxiesRef = refOf<ProxiesProtocol>('proxies')
