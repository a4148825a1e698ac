import { connectInstances, type Instance, serviceInstances, worstStatus } from '../../actors/catalog/queries.ts'
import { nodeTable } from '../../actors/catalog/records.ts'
import { type NodeRecord, nodeAddressTable, SERVER_SERVICE, serviceAddressTable } from '../../actors/catalog/tables.ts'
import { lastIndex } from '../../actors/command.ts'
import { inOrder, queryInstances } from '../../actors/prepared-queries/execute.ts'
import { resolveQuery } from '../../actors/prepared-queries/queries.ts'
import { mayFailOver } from '../../src/http/failover.ts'
import { fromAbroad, nodeFromAbroad } from '../../src/http/wan-addresses.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import { joined, type View } from '../../src/kernel/tables.ts'
import type { DnsInstance, DnsNode, DnsQuery, DnsSource } from './source.ts'

/** Answers that are kept until the tables change. Questions come from anybody, so there is a limit. */
const KEPT_MAX = 4_096

/** Answers DNS from the newest durable state of the tables. `view` is asked for at every question; `agent` is this machine's node. `isAbroad`:
 * whoever asks is in another datacenter and takes the addresses for that. */
export function dnsSource(view: () => View, agent: string, isAbroad = false): DnsSource {
  const kept = new Map<string, unknown>()
  let keptAt = -1

  /** The answer to a question, found anew only when something has changed since. */
  function answer<T>(question: string, name: string, find: (tables: View, name: string) => T): T {
    const tables = view()
    const index = lastIndex(tables)
    if (index !== keptAt || kept.size >= KEPT_MAX) {
      kept.clear()
      keptAt = index
    }
    const key = joined(question, name)
    if (kept.has(key)) return kept.get(key) as T
    const found = find(tables, name)
    kept.set(key, found)
    return found
  }

  const placedNode = isAbroad ? abroadNode : dnsNode
  const placed = isAbroad ? abroadInstance : dnsInstance

  return {
    node: (name) => answer('node', name, (tables) => nodeNamed(tables, name, placedNode)),
    nodeByAddress: (address) => answer('node-address', address, nodeAt),
    service: (name) => answer('service', name, (tables) => serviceInstances(tables, name).instances.map(placed)),
    connect: (name) => answer('connect', name, (tables) => connectInstances(tables, name).instances.map(placed)),
    serviceByAddress: (address) => answer('service-address', address, serviceAt),
    query(name, asker) {
      const found = answer('query', name, (tables) => queryNamed(tables, name, placed))
      if (found === undefined || isRefused(found)) return found
      const { near, ...query } = found
      return { ...query, instances: inOrder(view(), query.instances, { near }, { agent, ...asker, near: '' }) }
    },
    servers: () => answer('servers', '', servers),
  }
}

function nodeNamed(tables: View, name: string, placed: (node: NodeRecord) => DnsNode): DnsNode | undefined {
  const node = nodeTable.get(tables, name)
  return node && placed(node)
}

function nodeAt(tables: View, address: string): DnsNode | undefined {
  for (const [, { node }] of tables.range(nodeAddressTable, { prefix: joined(address, ''), limit: 1 }))
    return nodeNamed(tables, node, dnsNode)
  return undefined
}

function serviceAt(tables: View, address: string): string | undefined {
  for (const [, { name }] of tables.range(serviceAddressTable, { prefix: joined(address, ''), limit: 1 })) return name
  return undefined
}

type Placed = (instance: Instance) => DnsInstance

function queryNamed(tables: View, name: string, placed: Placed): Result<(DnsQuery & { near: string }) | undefined> {
  const query = resolveQuery(tables, name)
  if (query === undefined || isRefused(query)) return query
  const { service, dns } = query
  const instances = queryInstances(tables, service, false).map(placed)
  const failover = mayFailOver(service) ? { query: service, connect: false, limit: 0 } : undefined
  return {
    service: service.service.toLowerCase(),
    ttlMs: dns.ttl === '' ? undefined : dns.ttlMs,
    near: service.near,
    instances,
    ...(failover && { failover }),
  }
}

function servers(tables: View): DnsNode[] {
  return serviceInstances(tables, SERVER_SERVICE)
    .instances.filter((server) => worstStatus(server) !== 'critical')
    .map(({ node }) => dnsNode(node))
}

function dnsNode({ name, address, meta }: NodeRecord): DnsNode {
  return { name, address, meta: meta ?? {} }
}

/** An instance as DNS sees it. */
export function dnsInstance(found: Instance): DnsInstance {
  const { address, port, tags, weights } = found.instance
  return { node: dnsNode(found.node), address, port, tags, weights, status: worstStatus(found) }
}

/** The same for whoever is in another datacenter and takes the addresses for that. */
export function abroadInstance(found: Instance): DnsInstance {
  const tagged = Object.entries(found.instance.taggedAddresses).map(([tag, { address }]): [string, string] => [tag, address])
  return { ...dnsInstance(fromAbroad(found)), node: abroadNode(found.node), others: wanAddressesOf(tagged) }
}

function abroadNode(node: NodeRecord): DnsNode {
  return { ...dnsNode(nodeFromAbroad(node)), others: wanAddressesOf(Object.entries(node.taggedAddresses ?? {})) }
}

function wanAddressesOf(tagged: readonly (readonly [tag: string, address: string])[]): string[] {
  return tagged.filter(([tag, address]) => (tag === 'wan_ipv4' || tag === 'wan_ipv6') && address !== '').map(([, address]) => address)
}
