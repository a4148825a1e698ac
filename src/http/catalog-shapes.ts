import type { Instance, PlacedCheck } from '../../actors/catalog/queries.ts'
import type { CheckRecord, InstanceRecord, NodeRecord } from '../../actors/catalog/tables.ts'
import { proxyShape, taggedAddressesShape } from './proxy-shapes.ts'

/** JSON of the catalog, with the keys and their order as Consul 1.10 has them. Source: http-api §3, §4, §18. */
export function nodeShape(node: NodeRecord, datacenter: string): Record<string, unknown> {
  return {
    ID: node.id,
    Node: node.name,
    Address: node.address,
    Datacenter: datacenter,
    TaggedAddresses: node.taggedAddresses,
    Meta: node.meta,
    CreateIndex: node.createIndex,
    ModifyIndex: node.modifyIndex,
  }
}

/** A service within a node or a health answer. */
export function serviceShape(instance: InstanceRecord): Record<string, unknown> {
  const shape: Record<string, unknown> = {}
  if (instance.kind !== '') shape['Kind'] = instance.kind
  shape['ID'] = instance.id
  shape['Service'] = instance.name
  shape['Tags'] = instance.tags
  shape['Address'] = instance.address
  if (isFilled(instance.taggedAddresses)) shape['TaggedAddresses'] = taggedAddressesShape(instance.taggedAddresses)
  shape['Meta'] = isFilled(instance.meta) ? instance.meta : null
  shape['Port'] = instance.port
  if (instance.socketPath !== '') shape['SocketPath'] = instance.socketPath
  shape['Weights'] = { Passing: instance.weights.passing, Warning: instance.weights.warning }
  shape['EnableTagOverride'] = instance.enableTagOverride
  shape['Proxy'] = proxyShape(instance.proxy, 'catalog')
  shape['Connect'] = instance.native ? { Native: true } : {}
  shape['CreateIndex'] = instance.createIndex
  shape['ModifyIndex'] = instance.modifyIndex
  return shape
}

/** An item of `/v1/catalog/service/:name`. */
export function serviceNodeShape({ node, instance }: Instance, datacenter: string): Record<string, unknown> {
  return {
    ID: node.id,
    Node: node.name,
    Address: node.address,
    Datacenter: datacenter,
    TaggedAddresses: node.taggedAddresses,
    NodeMeta: node.meta,
    ServiceKind: instance.kind,
    ServiceID: instance.id,
    ServiceName: instance.name,
    ServiceTags: instance.tags,
    ServiceAddress: instance.address,
    ...(isFilled(instance.taggedAddresses) && { ServiceTaggedAddresses: taggedAddressesShape(instance.taggedAddresses) }),
    ServiceWeights: { Passing: instance.weights.passing, Warning: instance.weights.warning },
    ServiceMeta: instance.meta,
    ServicePort: instance.port,
    ServiceSocketPath: instance.socketPath,
    ServiceEnableTagOverride: instance.enableTagOverride,
    ServiceProxy: proxyShape(instance.proxy, 'catalog'),
    ServiceConnect: instance.native ? { Native: true } : {},
    CreateIndex: instance.createIndex,
    ModifyIndex: instance.modifyIndex,
  }
}

/** An item of `/v1/health/service/:name`. */
export function healthShape({ node, instance }: Instance, datacenter: string): Record<string, unknown> {
  const checks: unknown[] = []
  for (const check of node.checks) checks.push(checkShape(check, node.name, undefined))
  for (const check of instance.checks) checks.push(checkShape(check, node.name, instance))
  return { Node: nodeShape(node, datacenter), Service: serviceShape(instance), Checks: checks }
}

export function placedCheckShape({ node, check, service }: PlacedCheck): Record<string, unknown> {
  return checkShape(check, node, service)
}

function checkShape(check: CheckRecord, node: string, service: InstanceRecord | undefined): Record<string, unknown> {
  return {
    Node: node,
    CheckID: check.checkId,
    Name: check.name,
    Status: check.status,
    Notes: check.notes,
    Output: check.output,
    ServiceID: service?.id ?? '',
    ServiceName: service?.name ?? '',
    ServiceTags: service?.tags ?? [],
    Type: check.type,
    Interval: check.interval,
    Timeout: check.timeout,
    ExposedPort: check.exposedPort,
    Definition: check.definition,
    CreateIndex: check.createIndex,
    ModifyIndex: check.modifyIndex,
  }
}

function isFilled(record: Readonly<Record<string, unknown>>): boolean {
  for (const _key in record) return true
  return false
}
