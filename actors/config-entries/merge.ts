import type { View } from '../../src/kernel/tables.ts'
import type { ExposePath, ProxyDefinition, ServiceDefinition, UpstreamDefinition } from '../definitions.ts'
import { proxyDefaults, serviceDefaults } from './queries.ts'
import type { DefaultsContent, UpstreamSettings } from './tables.ts'

/**
 * A proxy's registration over what the central settings say of it and of its service: `proxy-defaults` is below
 * `service-defaults`, and both are below the registration. Services that are no proxies stay as they are, and so do all without
 * `centralConfig`. Source: connect §10.
 */
export function withCentralDefaults(
  view: View,
  service: ServiceDefinition,
  { centralConfig }: { centralConfig: boolean },
): ServiceDefinition {
  const { kind, proxy, name } = service
  if (!centralConfig || proxy === undefined || !(kind === 'connect-proxy' || kind.endsWith('-gateway'))) return service
  const forAll = proxyDefaults(view)?.content
  const own = serviceDefaults(view, kind === 'connect-proxy' ? proxy.destinationServiceName : name)?.content
  const upstreams = proxy.upstreams.map((upstream) => resolvedUpstream(view, upstream, forAll, own))
  if (!forAll && !own && upstreams.every((upstream, at) => upstream === proxy.upstreams[at])) return service
  return { ...service, proxy: mergedProxy({ ...proxy, upstreams }, forAll ?? {}, own ?? {}) }
}

function mergedProxy(proxy: ProxyDefinition, forAll: DefaultsContent, own: DefaultsContent): ProxyDefinition {
  const config = { ...forAll.Config, ...(own.Protocol && { protocol: own.Protocol }), ...proxy.config }
  const mode = proxy.meshGateway.mode || own.MeshGateway?.Mode || forAll.MeshGateway?.Mode || ''
  const transparent = { ...forAll.TransparentProxy, ...own.TransparentProxy }
  return {
    ...proxy,
    config,
    mode: proxy.mode || own.Mode || forAll.Mode || '',
    upstreams: proxy.upstreams.map((upstream) => (upstream.meshGateway.mode === '' ? { ...upstream, meshGateway: { mode } } : upstream)),
    meshGateway: { mode },
    expose: {
      checks: proxy.expose.checks || own.Expose?.Checks || forAll.Expose?.Checks || false,
      paths: [proxy.expose.paths, exposePaths(own), exposePaths(forAll)].find((paths) => paths.length > 0) ?? [],
    },
    transparentProxy: {
      outboundListenerPort: proxy.transparentProxy.outboundListenerPort || (transparent.OutboundListenerPort ?? 0),
      dialedDirectly: proxy.transparentProxy.dialedDirectly || (transparent.DialedDirectly ?? false),
    },
  }
}

/** The upstream's protocol is its own service's, unless the service that uses it says otherwise. */
function resolvedUpstream(
  view: View,
  upstream: UpstreamDefinition,
  forAll: DefaultsContent | undefined,
  own: DefaultsContent | undefined,
): UpstreamDefinition {
  const global = forAll?.Config?.['protocol']
  const target = upstream.destinationType === 'service' ? serviceDefaults(view, upstream.destinationName)?.content.Protocol : undefined
  const protocol = target || (typeof global === 'string' ? global : '')
  const { Defaults, Overrides = [] } = own?.UpstreamConfig ?? {}
  const override = Overrides.find(({ Name }) => Name === upstream.destinationName)
  const config = { ...(protocol !== '' && { protocol }), ...upstreamConfig(Defaults), ...upstreamConfig(override) }
  const mode = upstream.meshGateway.mode || override?.MeshGateway?.Mode || Defaults?.MeshGateway?.Mode || ''
  if (Object.keys(config).length === 0 && mode === upstream.meshGateway.mode) return upstream
  return { ...upstream, config: { ...config, ...upstream.config }, meshGateway: { mode } }
}

/** Under the names of an upstream's `config`. */
function upstreamConfig(settings: UpstreamSettings | undefined): Record<string, unknown> {
  if (!settings) return {}
  const { EnvoyListenerJSON, EnvoyClusterJSON, Protocol, ConnectTimeoutMs, Limits, PassiveHealthCheck } = settings
  return {
    ...(EnvoyListenerJSON && { envoy_listener_json: EnvoyListenerJSON }),
    ...(EnvoyClusterJSON && { envoy_cluster_json: EnvoyClusterJSON }),
    ...(Protocol && { protocol: Protocol }),
    ...(ConnectTimeoutMs && { connect_timeout_ms: ConnectTimeoutMs }),
    ...(Limits && { limits: Limits }),
    ...(PassiveHealthCheck && { passive_health_check: PassiveHealthCheck }),
  }
}

function exposePaths({ Expose }: DefaultsContent): ExposePath[] {
  return (Expose?.Paths ?? []).map(({ ListenerPort = 0, Path = '', LocalPathPort = 0, Protocol = '' }) => ({
    listenerPort: ListenerPort,
    path: Path,
    localPathPort: LocalPathPort,
    protocol: Protocol,
  }))
}
