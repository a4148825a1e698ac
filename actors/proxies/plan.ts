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
export type Plan = { service: string; token: string; inbound: InboundArgs; upstreams: UpstreamArgs[] }

/** Reads what a definition says of its proxy; refused with everything this version cannot do. */
export function planOf(definition: ServiceDefinition, settings: ProxySettings): Plan | Refusal {
  const managed = definition.connect?.proxy
  if (!managed) return refuse('invalid', 'connect.proxy is missing')
  if (managed.execMode === 'script') return refuse('invalid', 'connect.proxy.exec_mode: "script" is not supported')
  const command = managed.command.length > 0 ? managed.command : settings.command
  if (command.length > 0) {
    return refuse('invalid', `connect.proxy.command: this version runs its own proxy only, it does not start ${JSON.stringify(command[0])}`)
  }
  const config = withDefaults(settings.defaults, managed.config)
  const local = localService(definition, config.localServiceAddress)
  if ('refused' in local) return local
  const upstreams: UpstreamArgs[] = []
  for (const [position, upstream] of config.upstreams.entries()) {
    const wrong = upstreamWrong(upstream, settings.datacenter)
    if (wrong) return refuse('invalid', `connect.proxy.config.upstreams[${position}]${wrong}`)
    upstreams.push({
      service: upstream.destinationName,
      address: upstream.localBindAddress || LOOPBACK,
      port: upstream.localBindPort,
      connectWithinMs: upstream.connectTimeoutMs || UPSTREAM_CONNECT_MS,
    })
  }
  return {
    service: definition.name,
    token: definition.token,
    inbound: {
      address: config.bindAddress || settings.bindAddress,
      port: config.bindPort ?? 0,
      handshakeMs: config.handshakeTimeoutMs || HANDSHAKE_MS,
      ...local,
      connectWithinMs: config.localConnectTimeoutMs || LOCAL_CONNECT_MS,
    },
    upstreams,
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

function upstreamWrong(upstream: UpstreamDefinition, datacenter: string): string | undefined {
  if (upstream.destinationType !== 'service') return '.destination_type: this version has no prepared queries as upstreams'
  if (upstream.destinationName === '') return '.destination_name: must not be empty'
  if (upstream.localBindPort < 1 || upstream.localBindPort > 65_535) return '.local_bind_port: must be from 1 to 65535'
  if (upstream.datacenter !== '' && upstream.datacenter !== datacenter) {
    return `.destination_datacenter: ${JSON.stringify(upstream.datacenter)} is not this agent's datacenter, and this version reaches no other`
  }
  return undefined
}
