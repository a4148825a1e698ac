import type { HealthStatus } from '../../src/kernel/ports.ts'
import { joined, SEPARATOR, type View } from '../../src/kernel/tables.ts'
import { indexOf } from '../command.ts'
import { nearestFirst } from '../coordinates/distance.ts'
import { instanceTable, nodeTable } from './records.ts'
import {
  CHECKS,
  type CheckRecord,
  checkTable,
  connectIndex,
  connectTable,
  EXTINCTION,
  type InstanceRecord,
  instanceKey,
  NODE_EXTINCTION,
  NODES,
  type NodeRecord,
  nodeIndex,
  nodeKey,
  nodeServiceKey,
  nodeServiceTable,
  SERVICE_NAMES,
  SERVICES,
  serviceIndex,
  statusIndex,
  summaryTable,
} from './tables.ts'

/** What a list of nodes or instances is narrowed down to, and how it is ordered. */
export type Narrowing = {
  /** The instance has all of these, whatever their case. */
  tags?: readonly string[]
  /** The node has all of these. */
  nodeMeta?: readonly (readonly [key: string, value: string])[]
  /** The node whose neighbours come first; '' for the order of names. */
  near?: string
}

export type Instance = { node: NodeRecord; instance: InstanceRecord }
/** A check with what it is a check of. `service` is undefined for a check of the node. */
export type PlacedCheck = { node: string; check: CheckRecord; service: InstanceRecord | undefined }
export type Found<Name extends string, What> = { index: number } & { [N in Name]: What }

/** All nodes in the order of their names. */
export function catalogNodes(view: View, { nodeMeta, near }: Narrowing = {}): Found<'nodes', NodeRecord[]> {
  const nodes: NodeRecord[] = []
  for (const [, node] of nodeTable.range(view)) if (hasMeta(node, nodeMeta)) nodes.push(node)
  return { index: indexOf(view, NODES), nodes: near ? nearestFirst(view, nodes, (node) => node.name, near) : nodes }
}

/** Names of all services with the tags of any of their instances. */
export function catalogServices(view: View, { nodeMeta = [] }: Narrowing = {}): Found<'services', [name: string, tags: string[]][]> {
  if (nodeMeta.length > 0) return servicesOnNodes(view, nodeMeta)
  const services: [string, string[]][] = []
  for (const [name, { tags }] of view.range(summaryTable)) services.push([name, tags.map(([tag]) => tag)])
  return { index: indexOf(view, SERVICE_NAMES), services }
}

/** The instances of a service, ordered by node and id. */
export function serviceInstances(view: View, name: string, narrowing: Narrowing = {}): Found<'instances', Instance[]> {
  const prefix = joined(name.toLowerCase(), '')
  const found: Instance[] = []
  for (const [key, instance] of instanceTable.range(view, prefix)) {
    const node = nodeTable.get(view, key.slice(prefix.length, key.indexOf(SEPARATOR, prefix.length)))
    if (node) found.push({ node, instance })
  }
  return narrowed(view, found, indexOf(view, serviceIndex(name)), narrowing)
}

/** The instances through which a service is reached by Connect: its proxies and those that are native. */
export function connectInstances(view: View, name: string, narrowing: Narrowing = {}): Found<'instances', Instance[]> {
  const prefix = joined(name.toLowerCase(), '')
  const found: Instance[] = []
  for (const [key, pointer] of view.range(connectTable, { prefix })) {
    const at = key.indexOf(SEPARATOR, prefix.length)
    const nodeName = key.slice(prefix.length, at)
    const instance = instanceTable.get(view, instanceKey(pointer.name, nodeName, key.slice(at + 1)))
    const node = nodeTable.get(view, nodeName)
    if (node && instance) found.push({ node, instance })
  }
  return narrowed(view, found, indexOf(view, connectIndex(name)), narrowing)
}

/** Those of the instances whose every check, and every check of their node, is passing. */
export function onlyPassing(instances: readonly Instance[]): Instance[] {
  return instances.filter(({ node, instance }) => node.checks.every(isPassing) && instance.checks.every(isPassing))
}

/** The worst of an instance's checks and its node's. */
export function worstStatus({ node, instance }: Instance): HealthStatus {
  let worst: HealthStatus = 'passing'
  for (const checks of [node.checks, instance.checks]) {
    for (const { status } of checks) {
      if (status === 'critical') return 'critical'
      if (status === 'warning') worst = 'warning'
    }
  }
  return worst
}

/** A node with its services, ordered by id. */
export function catalogNode(view: View, name: string): { index: number; node: NodeRecord | undefined; services: InstanceRecord[] } {
  const node = nodeTable.get(view, nodeKey(name))
  if (!node) return { index: indexOf(view, NODE_EXTINCTION), node, services: [] }
  return { index: indexOf(view, nodeIndex(name)), node, services: servicesOf(view, name) }
}

/** The checks of a node and of all services on it. */
export function nodeChecks(view: View, name: string): Found<'checks', PlacedCheck[]> {
  const { index, node, services } = catalogNode(view, name)
  if (!node) return { index, checks: [] }
  const checks: PlacedCheck[] = node.checks.map((check) => ({ node: node.name, check, service: undefined }))
  for (const service of services) for (const check of service.checks) checks.push({ node: node.name, check, service })
  return { index, checks }
}

/** The checks of a service's instances, without those of their nodes. */
export function serviceChecks(view: View, name: string, narrowing: Narrowing = {}): Found<'checks', PlacedCheck[]> {
  const { index, instances } = serviceInstances(view, name, narrowing)
  return {
    index,
    checks: instances.flatMap(({ node, instance }) => instance.checks.map((check) => ({ node: node.name, check, service: instance }))),
  }
}

/** All checks that are in a state; `any` for all. */
export function stateChecks(view: View, state: string, { nodeMeta, near }: Narrowing = {}): Found<'checks', PlacedCheck[]> {
  const checks: PlacedCheck[] = []
  for (const [key, { serviceId, status }] of view.range(checkTable)) {
    if (state !== 'any' && state !== status) continue
    const at = key.indexOf(SEPARATOR)
    const node = nodeTable.get(view, key.slice(0, at))
    if (!node || !hasMeta(node, nodeMeta)) continue
    const service = serviceId === '' ? undefined : serviceOn(view, node.name, serviceId)
    const check = (service ?? node).checks.find(({ checkId }) => checkId === key.slice(at + 1))
    if (check) checks.push({ node: node.name, check, service })
  }
  const index =
    state === 'passing' || state === 'warning' || state === 'critical' ? indexOf(view, statusIndex(state)) : indexOf(view, CHECKS)
  return { index, checks: near ? nearestFirst(view, checks, ({ node }) => node, near) : checks }
}

export function serviceOn(view: View, node: string, id: string): InstanceRecord | undefined {
  const pointer = view.get(nodeServiceTable, nodeServiceKey(node, id))
  return pointer && instanceTable.get(view, instanceKey(pointer.name, node, id))
}

/** The services of a node, ordered by id. */
export function servicesOf(view: View, node: string): InstanceRecord[] {
  const prefix = joined(nodeKey(node), '')
  const services: InstanceRecord[] = []
  for (const [key, { name }] of view.range(nodeServiceTable, { prefix })) {
    const instance = instanceTable.get(view, instanceKey(name, node, key.slice(prefix.length)))
    if (instance) services.push(instance)
  }
  return services
}

/** A change of a node concerns all instances on it. A name without instances has the index of the last one that vanished. */
function narrowed(
  view: View,
  found: Instance[],
  nameIndex: number,
  { tags = [], nodeMeta = [], near = '' }: Narrowing,
): Found<'instances', Instance[]> {
  let index = found.length === 0 ? indexOf(view, EXTINCTION) : nameIndex
  for (const { node } of found) if (node.touchedIndex > index) index = node.touchedIndex
  if (tags.length === 0 && nodeMeta.length === 0 && near === '') return { index, instances: found }
  const wanted = tags.map((tag) => tag.toLowerCase())
  const instances = found.filter(({ node, instance }) => hasMeta(node, nodeMeta) && hasTags(instance, wanted))
  return { index, instances: near === '' ? instances : nearestFirst(view, instances, ({ node }) => node.name, near) }
}

function servicesOnNodes(view: View, nodeMeta: Narrowing['nodeMeta']): Found<'services', [string, string[]][]> {
  const services = new Map<string, Set<string>>()
  for (const [, node] of nodeTable.range(view)) {
    if (!hasMeta(node, nodeMeta)) continue
    for (const { name, tags } of servicesOf(view, node.name)) {
      const known = services.get(name) ?? new Set()
      for (const tag of tags) known.add(tag)
      services.set(name, known)
    }
  }
  return {
    index: Math.max(indexOf(view, SERVICES), indexOf(view, NODES)),
    services: [...services].map(([name, tags]) => [name, [...tags]]),
  }
}

function hasMeta({ meta }: NodeRecord, wanted: Narrowing['nodeMeta'] = []): boolean {
  return wanted.every(([key, value]) => meta !== null && Object.hasOwn(meta, key) && meta[key] === value)
}

function hasTags({ tags }: InstanceRecord, wanted: readonly string[]): boolean {
  return wanted.every((tag) => tags.some((one) => one.toLowerCase() === tag))
}

function isPassing({ status }: CheckRecord): boolean {
  return status === 'passing'
}
