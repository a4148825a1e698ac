import { type Call, type Feed, refOf } from '../../src/kernel/protocol.ts'
import type { Token } from '../authorize.ts'
import type { ProxyStatus } from '../proxy/protocol.ts'

/** The sidecars that this agent runs for its services. */
export type ProxiesProtocol = {
  /** All of them, ordered by service id. */
  list: Call<{ token: Token }, ManagedProxy[]>
  /** The same, again whenever one changes. The index counts values. */
  proxies: Feed<null, readonly ManagedProxy[]>
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

export const proxiesRef = refOf<ProxiesProtocol>('proxies')
