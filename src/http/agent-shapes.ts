import { createHash } from 'node:crypto'
import type { ServiceDefinition } from '../../actors/definitions.ts'
import type { LocalCheck } from '../../actors/local/protocol.ts'
import { formatDuration } from '../config/durations.ts'
import { proxyShape, taggedAddressesShape } from './proxy-shapes.ts'

/** JSON of one of the agent's own services, without its content hash. Source: http-api §2.2. */
export function agentServiceShape(service: ServiceDefinition, datacenter: string): Record<string, unknown> {
  const { kind, id, name, tags, meta, port, address, taggedAddresses, socketPath, weights, enableTagOverride, proxy, connect } = service
  return {
    ...(kind !== '' && { Kind: kind }),
    ID: id,
    Service: name,
    Tags: tags,
    Meta: meta,
    Port: port,
    Address: address,
    ...(Object.keys(taggedAddresses).length > 0 && { TaggedAddresses: taggedAddressesShape(taggedAddresses) }),
    ...(socketPath !== '' && { SocketPath: socketPath }),
    Weights: { Passing: weights.passing, Warning: weights.warning },
    EnableTagOverride: enableTagOverride,
    ...(isProxyKind(kind) && { Proxy: proxyShape(proxy, 'agent') }),
    ...(connect?.native && { Connect: { Native: true } }),
    Datacenter: datacenter,
  }
}

/** The same with its content hash: 64 bits in lower-case hexadecimal without leading zeros. */
export function hashedServiceShape(service: ServiceDefinition, datacenter: string): { hash: string; shape: Record<string, unknown> } {
  const { Datacenter, Proxy: proxy, Connect: connect, ...shape } = agentServiceShape(service, datacenter)
  const digest = createHash('sha256')
    .update(JSON.stringify({ ...shape, proxy, connect }))
    .digest()
  const hash = digest.readBigUInt64BE(0).toString(16)
  return {
    hash,
    shape: {
      ...shape,
      ContentHash: hash,
      ...(proxy !== undefined && { Proxy: proxy }),
      ...(connect !== undefined && { Connect: connect }),
      Datacenter,
    },
  }
}

/** JSON of one of the agent's own checks. Source: http-api §2.3. */
export function agentCheckShape(check: LocalCheck, node: string): Record<string, unknown> {
  const saysInterval = check.standalone && check.type !== 'maintenance'
  return {
    Node: node,
    CheckID: check.checkId,
    Name: check.name,
    Status: check.status,
    Notes: check.notes,
    Output: check.output,
    ServiceID: check.serviceId,
    ServiceName: check.serviceName,
    ServiceTags: check.serviceTags,
    Type: check.type,
    Interval: saysInterval ? formatDuration(check.intervalMs) : '',
    Timeout: saysInterval ? formatDuration(check.timeoutMs) : '',
    ExposedPort: 0,
    Definition: {},
    CreateIndex: 0,
    ModifyIndex: 0,
  }
}

function isProxyKind(kind: string): boolean {
  return kind === 'connect-proxy' || kind.endsWith('-gateway')
}
