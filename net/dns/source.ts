import type { Weights } from '../../actors/definitions.ts'
import type { Failover } from '../../src/http/failover.ts'
import type { HealthStatus } from '../../src/kernel/ports.ts'
import type { Result } from '../../src/kernel/refusal.ts'

/**
 * What DNS asks of the catalog. Names are given in lower case and match without regard to case; addresses are in the text
 * that `canonicalAddress` gives. Each question is one lookup by key, never a scan. What the asker may not see is left out.
 * A refusal (no leader, too old) becomes SERVFAIL.
 */
export interface DnsSource {
  node(name: string): Result<DnsNode | undefined>
  nodeByAddress(address: string): Result<DnsNode | undefined>
  /** Every instance in any order and with any health. */
  service(name: string): Result<readonly DnsInstance[]>
  /** The instances that speak Connect for a service: its proxies and those that are native. */
  connect(name: string): Result<readonly DnsInstance[]>
  /** The name of a service that has an instance with this address. */
  serviceByAddress(address: string): Result<string | undefined>
  /** What a prepared query finds for whoever asks, by its name or its id. `agent`: the node that was asked, if it is another one. */
  query(name: string, asker: { ip: string; chance: () => number; agent?: string }): Result<DnsQuery | undefined>
  /** The servers of this datacenter that are not critical. */
  servers(): Result<readonly DnsNode[]>
}

export type DnsQuery = {
  /** The name of the service that is asked for. */
  service: string
  /** How long the answer may be kept; undefined leaves it to the service. */
  ttlMs: number | undefined
  /** Those that are well enough, in the order in which they should be tried. */
  instances: readonly DnsInstance[]
  /** What to ask in other datacenters if there are none. */
  failover?: Failover
}

export type DnsNode = {
  /** As it was registered. */
  name: string
  /** An IP address or a host name. */
  address: string
  /** IP addresses for questions that want another family than that of `address`. */
  others?: readonly string[]
  meta: Readonly<Record<string, string>>
}

export type DnsInstance = {
  node: DnsNode
  /** An IP address or a host name; '' is the node's. */
  address: string
  /** As those of a node. */
  others?: readonly string[]
  port: number
  tags: readonly string[]
  weights: Weights
  /** The worst check of the instance and of its node. */
  status: HealthStatus
}
