import { type Call, type Feed, refOf } from '../../src/kernel/protocol.ts'
import type { Token } from '../authorize.ts'
import type { WantedDaemon } from '../daemons/protocol.ts'
import type { ProxyPair, ProxyStatus } from '../proxy/protocol.ts'

/** The sidecars that this agent runs for its services. */
export type ProxiesProtocol = {
  /** All of them, ordered by service id. */
  list: Call<{ token: Token }, ManagedProxy[]>
  /** Connections that are open, for each pair of services; up to a second old. */
  open: Call<null, OpenConnections[]>
  /** The agent ends: sidecars that are to wait for their connections take no more. Answered once they have waited. */
  drain: Call<null, null>
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

export type OpenConnections = { serviceId: string; service: string; pairs: ProxyPair[] }

export const proxiesRef = refOf<ProxiesProtocol>('proxies')
