import { type Result, refuse } from '../../src/kernel/refusal.ts'
import type { CheckDefinition, ManagedProxyConfig, ProxyDefinition, ServiceDefinition } from '../definitions.ts'
import { withDefaults } from '../proxies/plan.ts'
import { managedProxyId } from './protocol.ts'

const LISTENING_INTERVAL_MS = 10_000
const OUTPUT_BYTES_MAX = 4_096
const UNSPECIFIED = ['', '0.0.0.0', '::', '[::]']

/** The sidecar that a service asks for, filled in from it. Source: Consul's documented defaults. */
export function sidecarOf(service: ServiceDefinition, port: number): ServiceDefinition | undefined {
  const asked = service.connect?.sidecarService
  if (!asked) return undefined
  const id = sidecarId(service.id)
  const name = asked.name === '' ? `${service.name}-sidecar-proxy` : asked.name
  const localAddress = asked.proxy?.localServiceAddress ? asked.proxy.localServiceAddress : '127.0.0.1'
  const localPort = asked.proxy?.localServicePort ? asked.proxy.localServicePort : service.port
  const address = asked.address === '' ? service.address : asked.address
  const checks =
    asked.checks.length > 0
      ? asked.checks.map((check, position) => ownCheck(check, id, name, asked.checks.length > 1 ? `:${position + 1}` : ''))
      : [
          plainCheck({
            id: `service:${id}:1`,
            name: 'Connect Sidecar Listening',
            serviceId: id,
            type: 'tcp',
            tcp: hostPort(UNSPECIFIED.includes(address) ? '127.0.0.1' : address, port),
            intervalMs: LISTENING_INTERVAL_MS,
          }),
          plainCheck({
            id: `service:${id}:2`,
            name: `Connect Sidecar Aliasing ${service.id}`,
            serviceId: id,
            type: 'alias',
            aliasService: service.id,
          }),
        ]
  return {
    ...asked,
    id,
    name,
    kind: 'connect-proxy',
    tags: asked.tags.length > 0 ? asked.tags : service.tags,
    meta: Object.keys(asked.meta).length > 0 ? asked.meta : service.meta,
    address,
    taggedAddresses:
      Object.keys(asked.taggedAddresses).length > 0 || asked.address !== '' ? asked.taggedAddresses : withPort(service, port),
    port,
    token: asked.token === '' ? service.token : asked.token,
    checks,
    proxy: {
      ...emptyProxy,
      ...asked.proxy,
      destinationServiceName: asked.proxy?.destinationServiceName ? asked.proxy.destinationServiceName : service.name,
      destinationServiceId: asked.proxy?.destinationServiceId ? asked.proxy.destinationServiceId : service.id,
      localServiceAddress: service.socketPath !== '' && !asked.proxy?.localServiceAddress ? '' : localAddress,
      localServicePort: service.socketPath !== '' && !asked.proxy?.localServicePort ? 0 : localPort,
      localServiceSocketPath: asked.proxy?.localServiceSocketPath ? asked.proxy.localServiceSocketPath : service.socketPath,
    },
  }
}

export function sidecarId(serviceId: string): string {
  return `${serviceId}-sidecar-proxy`
}

/** The port of a service's sidecar: its own, the one it had, or the lowest that no service has. 0 if it asks for no sidecar. */
export function sidecarPort(
  service: ServiceDefinition,
  before: number | undefined,
  taken: () => ReadonlySet<number>,
  { from, to }: { from: number; to: number },
): Result<number> {
  const asked = service.connect?.sidecarService
  if (!asked) return 0
  if (asked.port !== 0 || asked.socketPath !== '') return asked.port
  if (before !== undefined && before >= from && before <= to) return before
  if (from <= 0) {
    return refuse('conflict', 'Bad request: no port provided for sidecar_service and auto-assignment disabled in config')
  }
  const used = taken()
  for (let port = from; port <= to; port++) if (!used.has(port)) return port
  return refuse('conflict', `Bad request: no port provided for sidecar_service and none left in the configured range [${from}, ${to}]`)
}

/** Where a managed proxy listens. `silent`: it does not tell what it has in force. */
export type ListeningProxy = { address: string; port: number; silent: boolean }

/** The service that stands for a managed proxy which listens. `defaults` hold where its service says nothing else. */
export function managedProxyOf(
  service: ServiceDefinition,
  { address, port, silent }: ListeningProxy,
  defaults: ManagedProxyConfig,
): ServiceDefinition {
  const id = managedProxyId(service.id)
  const config = withDefaults(defaults, service.connect?.proxy?.config)
  const checkAddress = config.tcpCheckAddress ? config.tcpCheckAddress : UNSPECIFIED.includes(address) ? '127.0.0.1' : address
  const listening = plainCheck({
    id: `service:${id}`,
    name: 'Connect Proxy Listening',
    serviceId: id,
    // Whoever runs the proxy has just said so; a program of somebody else is looked at first.
    ...(!silent && { status: 'passing' as const }),
    type: 'tcp',
    tcp: hostPort(checkAddress, port),
    intervalMs: LISTENING_INTERVAL_MS,
  })
  // Nobody is sent to a proxy whose service is not well.
  const aliasing = plainCheck({
    id: `service:${id}:alias`,
    name: `Connect Proxy Aliasing ${service.id}`,
    serviceId: id,
    type: 'alias',
    aliasService: service.id,
  })
  return {
    id,
    name: `${service.name}-proxy`,
    kind: 'connect-proxy',
    tags: [],
    address: UNSPECIFIED.includes(address) ? service.address : address,
    taggedAddresses: {},
    meta: {},
    port,
    socketPath: '',
    enableTagOverride: false,
    weights: { passing: 1, warning: 1 },
    token: service.token,
    checks: config.disableTcpCheck ? [aliasing] : [listening, aliasing],
    proxy: {
      ...emptyProxy,
      destinationServiceName: service.name,
      destinationServiceId: service.id,
      localServiceAddress: '127.0.0.1',
      localServicePort: service.port,
      localServiceSocketPath: service.socketPath,
      upstreams: config.upstreams,
      ...(silent ? forOthers(config) : { reports: true }),
    },
  }
}

/** What a program needs to know that reads how it is configured in the registration. */
function forOthers({ opaque, localServiceAddress = '' }: ManagedProxyConfig): Partial<ProxyDefinition> {
  const { upstreams: _upstreams, ...config } = opaque
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]*)):(\d+)$/.exec(localServiceAddress) ?? []
  if (port === undefined) return { config }
  return { config, localServiceAddress: bracketed || plain || '127.0.0.1', localServicePort: Number(port), localServiceSocketPath: '' }
}

/** A check with everything but what is given left out. */
export function plainCheck(given: Partial<CheckDefinition> & Pick<CheckDefinition, 'id' | 'name'>): CheckDefinition {
  return {
    notes: '',
    serviceId: '',
    token: '',
    status: '',
    type: 'ttl',
    ttlMs: 0,
    intervalMs: 0,
    timeoutMs: 0,
    args: [],
    http: '',
    method: 'GET',
    header: {},
    body: '',
    disableRedirects: false,
    tlsServerName: '',
    tlsSkipVerify: false,
    tcp: '',
    aliasNode: '',
    aliasService: '',
    grpc: '',
    grpcUseTls: false,
    h2ping: '',
    dockerContainerId: '',
    shell: '',
    successBeforePassing: 0,
    failuresBeforeCritical: 0,
    deregisterCriticalServiceAfterMs: 0,
    outputMaxSize: OUTPUT_BYTES_MAX,
    ...given,
  }
}

/** A proxy with everything left out. */
export const emptyProxy = {
  destinationServiceName: '',
  destinationServiceId: '',
  localServiceAddress: '',
  localServicePort: 0,
  localServiceSocketPath: '',
  mode: '',
  config: {},
  upstreams: [],
  meshGateway: { mode: '' },
  expose: { checks: false, paths: [] },
  transparentProxy: { outboundListenerPort: 0, dialedDirectly: false },
}

function ownCheck(check: CheckDefinition, serviceId: string, serviceName: string, suffix: string): CheckDefinition {
  return {
    ...check,
    id: check.id === '' ? `service:${serviceId}${suffix}` : check.id,
    name: check.name === '' ? `Service '${serviceName}' check` : check.name,
    serviceId,
  }
}

function withPort({ taggedAddresses }: ServiceDefinition, port: number): ServiceDefinition['taggedAddresses'] {
  return Object.fromEntries(Object.entries(taggedAddresses).map(([name, { address }]) => [name, { address, port }]))
}

function hostPort(host: string, port: number): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]:${port}` : `${host}:${port}`
}
