import { type Refusal, refuse } from '../../src/kernel/refusal.ts'
import type { ManagedProxyConfig, ServiceDefinition, UpstreamDefinition } from '../definitions.ts'
import type { InboundArgs, UpstreamArgs } from '../proxy/protocol.ts'

/** What every managed proxy of this agent has unless its service says otherwise. */
export type ProxySettings = {
  datacenter: string
  /** Where proxies listen that do not say. */
  bindAddress: string
  /** Proxies without a port of their own get the lowest free one of these; both 0: there is none. */
  portMin: number
  portMax: number
  /** `proxy_defaults.config`. */
  defaults: ManagedProxyConfig
  /** Whether central settings count. */
  centralConfig: boolean
  /** `proxy_defaults.daemon_command`. */
  command: readonly string[]
}

/** What the proxy of a service is to do. Its port is 0 while it has none of its own. */
export type Plan = { service: string; token: string; inbound: InboundArgs; upstreams: UpstreamArgs[]; drainMs?: number }

/** Reads what a definition says of its proxy; refused with everything this version cannot do. */
export function planOf(definition: ServiceDefinition, settings: ProxySettings): Plan | Refusal {
  const managed = definition.connect?.proxy
  if (!managed) return refuse('invalid', 'connect.proxy is missing')
  if (managed.execMode === 'script') return refuse('invalid', 'connect.proxy.exec_mode: "script" is not supported')
  const command = managed.command.length > 0 ? managed.command : settings.command
  if (command.length > 0) {
    return refuse('invalid', `connect.proxy.command: ${JSON.stringify(command[0])} is a program of its own, not the agent's proxy`)
  }
  const config = withDefaults(settings.defaults, managed.config)
  const local = localService(definition, config.localServiceAddress)
  if ('refused' in local) return local
  const upstreams: UpstreamArgs[] = []
  for (const [position, upstream] of config.upstreams.entries()) {
    const wrong = upstreamWrong(upstream, settings.datacenter)
    if (wrong) return refuse('invalid', `connect.proxy.config.upstreams[${position}]${wrong}`)
    upstreams.push(upstreamArgs(upstream))
  }
  const twice = placeTwice(upstreams)
  if (twice !== undefined) return refuse('invalid', `connect.proxy.config.upstreams: ${twice} is specified twice`)
  return {
    service: definition.name,
    token: definition.token,
    inbound: {
      address: config.bindAddress || settings.bindAddress,
      port: config.bindPort ?? 0,
      handshakeMs: config.handshakeTimeoutMs || HANDSHAKE_MS,
      ...local,
      connectWithinMs: config.localConnectTimeoutMs || LOCAL_CONNECT_MS,
      ...limitArgs(config),
    },
    upstreams,
    ...(config.drainMs && { drainMs: config.drainMs }),
  }
}

type Limits = Pick<ManagedProxyConfig, 'maxInboundConnections' | 'maxInboundConnectionsPerSecond' | 'sendProxyProtocol'>

export function limitArgs(config: Limits): Pick<InboundArgs, 'connectionsMax' | 'perSecondMax' | 'sendProxy'> {
  const { maxInboundConnections: connectionsMax, maxInboundConnectionsPerSecond: perSecondMax, sendProxyProtocol: sendProxy } = config
  return { ...(connectionsMax && { connectionsMax }), ...(perSecondMax && { perSecondMax }), ...(sendProxy && { sendProxy }) }
}

/** What a proxy does for an upstream. Connections get `UPSTREAM_CONNECT_MS` if nothing else is said. */
export function upstreamArgs(upstream: UpstreamDefinition): UpstreamArgs {
  const { localBindSocketPath: socketPath, localBindSocketMode: mode, connectionsMax, ejection } = upstream
  return {
    service: upstream.destinationName,
    ...(upstream.destinationType === 'prepared_query' && { query: true }),
    address: socketPath === '' ? upstream.localBindAddress || LOOPBACK : '',
    port: upstream.localBindPort,
    ...(socketPath !== '' && { socketPath, ...(mode !== '' && { socketMode: Number.parseInt(mode, 8) }) }),
    connectWithinMs: upstream.connectTimeoutMs || UPSTREAM_CONNECT_MS,
    ...(connectionsMax !== undefined && { connectionsMax }),
    ...(ejection && { ejection }),
  }
}

const LOOPBACK = '127.0.0.1'
const HANDSHAKE_MS = 10_000
const LOCAL_CONNECT_MS = 1_000
const UPSTREAM_CONNECT_MS = 10_000

/** What a managed proxy is told by its service and, where that says nothing, by the agent. */
export function withDefaults(defaults: ManagedProxyConfig, own?: ManagedProxyConfig): ManagedProxyConfig {
  if (!own) return defaults
  const upstreams = own.upstreams.length > 0 ? own.upstreams : defaults.upstreams
  return { ...defaults, ...own, upstreams, opaque: { ...defaults.opaque, ...own.opaque } }
}

function localService(
  { address, port, socketPath }: ServiceDefinition,
  written = '',
): Pick<InboundArgs, 'localHost' | 'localPort' | 'localSocketPath'> | Refusal {
  if (written === '' && socketPath !== '') return { localHost: '', localPort: 0, localSocketPath: socketPath }
  if (written === '') {
    if (port === 0) return refuse('invalid', 'port: a service with a managed proxy must have a port')
    return { localHost: address || LOOPBACK, localPort: port, localSocketPath: '' }
  }
  const parts = /^(?:\[([^\]]+)\]|([^:]*)):(\d+)$/.exec(written)
  const localPort = Number(parts?.[3])
  if (!parts || localPort < 1 || localPort > 65_535) {
    return refuse('invalid', `connect.proxy.config.local_service_address: ${JSON.stringify(written)} is not an address and a port`)
  }
  return { localHost: parts[1] || parts[2] || LOOPBACK, localPort, localSocketPath: '' }
}

/** What an upstream asks for that cannot be carried out, to be put behind its place: `.local_bind_port: must be …`. */
export function upstreamWrong(upstream: UpstreamDefinition, datacenter: string): string | undefined {
  const { localBindPort, localBindSocketPath: path, localBindSocketMode: mode, meshGateway } = upstream
  if (upstream.destinationName === '') return '.destination_name: must not be empty'
  if (path === '' && (localBindPort < 1 || localBindPort > 65_535)) return '.local_bind_port: must be from 1 to 65535'
  if (path !== '' && localBindPort !== 0) return '.local_bind_socket_path: cannot be set together with local_bind_port'
  if (path !== '' && !path.startsWith('/')) return `.local_bind_socket_path: ${JSON.stringify(path)} must begin with a slash`
  if (path.length > SOCKET_PATH_MAX) return `.local_bind_socket_path: must have ${SOCKET_PATH_MAX} characters at most`
  if (!/^[0-7]{0,4}$/.test(mode)) return `.local_bind_socket_mode: ${JSON.stringify(mode)} is not a file mode like "0660"`
  if (upstream.datacenter !== '' && upstream.datacenter !== datacenter) {
    return `.destination_datacenter: ${JSON.stringify(upstream.datacenter)} is not this agent's datacenter, and ${OWN_AUTHORITIES}`
  }
  if (meshGateway.mode === 'local' || meshGateway.mode === 'remote') {
    return `.mesh_gateway.mode: ${JSON.stringify(meshGateway.mode)} leads to other datacenters, and ${OWN_AUTHORITIES}`
  }
  return ['', 'none'].includes(meshGateway.mode) ? undefined : `.mesh_gateway.mode: ${JSON.stringify(meshGateway.mode)} is unknown`
}

/** Neither side could prove to the other who it is. */
const OWN_AUTHORITIES = 'sidecars trust only the certificate authority of their own'

/** The system's limit for a socket's path on Linux, without its end. */
const SOCKET_PATH_MAX = 107

function placeTwice(upstreams: readonly UpstreamArgs[]): string | undefined {
  const places = upstreams.map(({ address, port, socketPath }) => socketPath ?? `${address}:${port}`)
  const twice = places.find((place, position) => places.indexOf(place) !== position)
  return twice === undefined ? undefined : JSON.stringify(twice)
}
