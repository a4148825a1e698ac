import { connectInstances, type Instance, serviceInstances, worstStatus } from '../../actors/catalog/queries.ts'
import { nodeTable } from '../../actors/catalog/records.ts'
import { type NodeRecord, nodeAddressTable, SERVER_SERVICE, serviceAddressTable } from '../../actors/catalog/tables.ts'
import { joined, type View } from '../../src/kernel/tables.ts'
import type { DnsInstance, DnsNode, DnsSource } from './source.ts'

/** Answers DNS from the newest durable state of the tables. `view` is asked for at every question. */
export function dnsSource(view: () => View): DnsSource {
  return {
    node: (name) => {
      const node = nodeTable.get(view(), name)
      return node && dnsNode(node)
    },
    nodeByAddress: (address) => {
      const tables = view()
      for (const [, { node }] of tables.range(nodeAddressTable, { prefix: joined(address, ''), limit: 1 })) {
        const record = nodeTable.get(tables, node)
        return record && dnsNode(record)
      }
      return undefined
    },
    service: (name) => serviceInstances(view(), name).instances.map(dnsInstance),
    connect: (name) => connectInstances(view(), name).instances.map(dnsInstance),
    serviceByAddress: (address) => {
      for (const [, { name }] of view().range(serviceAddressTable, { prefix: joined(address, ''), limit: 1 })) return name
      return undefined
    },
    servers: () =>
      serviceInstances(view(), SERVER_SERVICE)
        .instances.filter((server) => worstStatus(server) !== 'critical')
        .map(({ node }) => dnsNode(node)),
  }
}

function dnsNode({ name, address, meta }: NodeRecord): DnsNode {
  return { name, address, meta: meta ?? {} }
}

function dnsInstance(found: Instance): DnsInstance {
  const { address, port, tags, weights } = found.instance
  return { node: dnsNode(found.node), address, port, tags, weights, status: worstStatus(found) }
}
