import type { ManagedProxyConfig, ManagedProxyDefinition, ProxyDefinition, UpstreamDefinition } from '../../actors/definitions.ts'
import { OpaqueReader } from './opaque-reader.ts'
import type { Given } from './schema/fields.ts'
import type { proxyFields, upstreamFields } from './schema/services.ts'
import { upstreamSettings } from './upstream-settings.ts'

export type GivenManagedProxy = { exec_mode?: string; command?: string[]; config?: Record<string, unknown> }

/** A proxy that is a service of its own. What it cannot hold is added to `misfits`. */
export function proxyOf(given: Given<typeof proxyFields>, destination: string, misfits: string[]): ProxyDefinition {
  const { expose, transparent_proxy: transparent } = given
  return {
    destinationServiceName: given.destination_service_name ?? destination,
    destinationServiceId: given.destination_service_id ?? '',
    localServiceAddress: given.local_service_address ?? '',
    localServicePort: given.local_service_port ?? 0,
    localServiceSocketPath: given.local_service_socket_path ?? '',
    mode: given.mode ?? '',
    config: given.config ?? {},
    upstreams: (given.upstreams ?? []).map((upstream) => upstreamOf(upstream, misfits)),
    meshGateway: { mode: given.mesh_gateway?.mode ?? '' },
    expose: {
      checks: expose?.checks ?? false,
      paths: (expose?.paths ?? []).map((path) => ({
        listenerPort: path.listener_port ?? 0,
        path: path.path ?? '',
        localPathPort: path.local_path_port ?? 0,
        protocol: path.protocol ?? '',
      })),
    },
    transparentProxy: {
      outboundListenerPort: transparent?.outbound_listener_port ?? 0,
      dialedDirectly: transparent?.dialed_directly ?? false,
    },
  }
}

/** What a managed proxy has unless its service says otherwise, key by key. */
export type ProxyDefaults = { readonly daemonCommand: readonly string[]; readonly config: Readonly<Record<string, unknown>> }

/** A proxy that the agent runs. What it cannot hold is added to `misfits`. */
export function managedProxyOf(given: GivenManagedProxy, misfits: string[], defaults: ProxyDefaults): ManagedProxyDefinition {
  const mode = given.exec_mode ?? ''
  if (mode !== '' && mode !== 'daemon' && mode !== 'script') misfits.push(`invalid exec mode: ${mode}`)
  return {
    execMode: mode === 'script' ? 'script' : 'daemon',
    command: given.command ?? [...defaults.daemonCommand],
    config: managedProxyConfig({ ...defaults.config, ...given.config }, misfits),
  }
}

/**
 * The keys of `connect.proxy.config` that the built-in proxy understands (connect §8). Keys it does not know are kept and not
 * looked at; a known one of another type is added to `misfits`, by its name, and left out. Numbers may be written as texts.
 */
export function managedProxyConfig(opaque: Record<string, unknown>, misfits: string[]): ManagedProxyConfig {
  const values = new OpaqueReader(opaque, 'connect.proxy.config', misfits)
  const upstreams = values.objects('upstreams').map((one, index) => managedUpstreamOf(one, index, misfits))
  const config: ManagedProxyConfig = {
    upstreams,
    opaque: 'upstreams' in opaque ? { ...opaque, upstreams: values.objects('upstreams') } : opaque,
  }
  const bindAddress = values.text('bind_address')
  const bindPort = values.whole('bind_port', PORT_MAX)
  const localServiceAddress = values.text('local_service_address')
  const localConnectTimeoutMs = values.whole('local_connect_timeout_ms')
  const handshakeTimeoutMs = values.whole('handshake_timeout_ms')
  const tcpCheckAddress = values.text('tcp_check_address')
  const disableTcpCheck = values.boolean('disable_tcp_check')
  if (bindAddress !== undefined) config.bindAddress = bindAddress
  if (bindPort !== undefined) config.bindPort = bindPort
  if (localServiceAddress !== undefined) config.localServiceAddress = localServiceAddress
  if (localConnectTimeoutMs !== undefined) config.localConnectTimeoutMs = localConnectTimeoutMs
  if (handshakeTimeoutMs !== undefined) config.handshakeTimeoutMs = handshakeTimeoutMs
  if (tcpCheckAddress !== undefined) config.tcpCheckAddress = tcpCheckAddress
  if (disableTcpCheck !== undefined) config.disableTcpCheck = disableTcpCheck
  return { ...config, ...proxyLimits(opaque, 'connect.proxy.config', misfits) }
}

const PORT_MAX = 65535
/** How long connections may be waited for, at most. */
export const DRAIN_MS_MAX = 86_400_000

type ProxyLimits = Pick<ManagedProxyConfig, 'maxInboundConnections' | 'maxInboundConnectionsPerSecond' | 'sendProxyProtocol' | 'drainMs'>

/** What every way of writing a proxy has in common. */
export function proxyLimits(opaque: Record<string, unknown>, path: string, misfits: string[]): ProxyLimits {
  const values = new OpaqueReader(opaque, path, misfits)
  const maxInboundConnections = values.whole('max_inbound_connections')
  const maxInboundConnectionsPerSecond = values.whole('max_inbound_connections_per_second')
  const sendProxyProtocol = proxyProtocolOf(values)
  const drainMs = values.whole('drain_ms', DRAIN_MS_MAX)
  return {
    ...(maxInboundConnections !== undefined && { maxInboundConnections }),
    ...(maxInboundConnectionsPerSecond !== undefined && { maxInboundConnectionsPerSecond }),
    ...(sendProxyProtocol !== undefined && { sendProxyProtocol }),
    ...(drainMs !== undefined && { drainMs }),
  }
}

function proxyProtocolOf(values: OpaqueReader): ManagedProxyConfig['sendProxyProtocol'] {
  const version = values.text('send_proxy_protocol')
  if (version === undefined || version === '' || version === 'v2') return version
  return values.misfit('send_proxy_protocol', `must be "v2", or "" for none, not ${JSON.stringify(version)}`)
}

function managedUpstreamOf(opaque: Record<string, unknown>, index: number, misfits: string[]): UpstreamDefinition {
  const path = `connect.proxy.config.upstreams[${index}]`
  const values = new OpaqueReader(opaque, path, misfits)
  const destinationName = values.text('destination_name') ?? ''
  const localBindPort = values.whole('local_bind_port', PORT_MAX) ?? 0
  const localBindSocketPath = values.text('local_bind_socket_path') ?? ''
  if (destinationName === '') misfits.push('upstream destination name cannot be empty')
  if (localBindPort === 0 && localBindSocketPath === '') {
    misfits.push('upstream local bind port or local socket path must be defined and nonzero')
  }
  return {
    destinationType: destinationTypeOf(values.text('destination_type') ?? '', misfits),
    destinationName,
    destinationNamespace: values.text('destination_namespace') ?? '',
    datacenter: values.text('destination_datacenter') ?? values.text('datacenter') ?? '',
    localBindAddress: values.text('local_bind_address') ?? '',
    localBindPort,
    localBindSocketPath,
    localBindSocketMode: values.text('local_bind_socket_mode') ?? '',
    ...upstreamSettings(opaque, path, misfits),
    config: opaque,
    meshGateway: { mode: new OpaqueReader(values.object('mesh_gateway') ?? {}, `${path}.mesh_gateway`, misfits).text('mode') ?? '' },
  }
}

function upstreamOf(given: Given<typeof upstreamFields>, misfits: string[]): UpstreamDefinition {
  const config = given.config ?? {}
  const timeout = new OpaqueReader(config, 'upstreams.config', misfits).whole('connect_timeout_ms')
  return {
    destinationType: destinationTypeOf(given.destination_type ?? '', misfits),
    destinationName: given.destination_name ?? '',
    destinationNamespace: given.destination_namespace ?? '',
    datacenter: given.datacenter ?? '',
    localBindAddress: given.local_bind_address ?? '',
    localBindPort: given.local_bind_port ?? 0,
    localBindSocketPath: given.local_bind_socket_path ?? '',
    localBindSocketMode: given.local_bind_socket_mode ?? '',
    ...(timeout === undefined ? {} : { connectTimeoutMs: timeout }),
    config,
    meshGateway: { mode: given.mesh_gateway?.mode ?? '' },
  }
}

function destinationTypeOf(type: string, misfits: string[]): UpstreamDefinition['destinationType'] {
  if (type === '' || type === 'service' || type === 'prepared_query') return type === '' ? 'service' : type
  misfits.push(`unknown upstream destination type: ${JSON.stringify(type)}`)
  return 'service'
}
