import type { Instance } from '../../actors/catalog/queries.ts'
import type { InstanceRecord, NodeRecord } from '../../actors/catalog/tables.ts'

/** A node as it is reached from other datacenters: at its tagged address `wan`, if it has one. */
export function nodeFromAbroad(node: NodeRecord): NodeRecord {
  const address = node.taggedAddresses?.['wan'] ?? ''
  return address === '' ? node : { ...node, address }
}

/** The same for an instance: its own tagged address, with its port, and that of its node. */
export function fromAbroad({ node, instance }: Instance): Instance {
  return { node: nodeFromAbroad(node), instance: instanceFromAbroad(instance) }
}

function instanceFromAbroad(instance: InstanceRecord): InstanceRecord {
  const wan = instance.taggedAddresses['wan']
  if (!wan) return instance
  return { ...instance, address: wan.address === '' ? instance.address : wan.address, port: wan.port === 0 ? instance.port : wan.port }
}
