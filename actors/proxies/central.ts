import type { View } from '../../src/kernel/tables.ts'
import { proxyDefaults, serviceDefaults } from '../config-entries/queries.ts'
import type { UpstreamSettings } from '../config-entries/tables.ts'
import type { ManagedProxyConfig, ServiceDefinition, UpstreamDefinition } from '../definitions.ts'
import { type ProxySettings, withDefaults } from './plan.ts'

/**
 * A service whose managed proxy also has what the cluster says of it, under what its agent and itself say: timeouts and limits of
 * `proxy-defaults`, and for its upstreams those of its own `service-defaults`. Values of another type than expected are left out: the
 * entry is also for other proxies. Source: connect §8, §10.
 */
export function withCentralSettings(view: View, service: ServiceDefinition, { defaults, centralConfig }: ProxySettings): ServiceDefinition {
  const { connect, name } = service
  if (!connect?.proxy || !centralConfig) return service
  const own = withDefaults(defaults, connect.proxy.config)
  const forAll = proxyDefaults(view)?.content.Config ?? {}
  const { Defaults, Overrides = [] } = serviceDefaults(view, name)?.content.UpstreamConfig ?? {}
  const localConnectTimeoutMs = own.localConnectTimeoutMs ?? millisecondsOf(forAll['local_connect_timeout_ms'])
  const handshakeTimeoutMs = own.handshakeTimeoutMs ?? millisecondsOf(forAll['handshake_timeout_ms'])
  const maxInboundConnections = own.maxInboundConnections ?? wholeOf(forAll['max_inbound_connections'])
  const perSecond = own.maxInboundConnectionsPerSecond ?? wholeOf(forAll['max_inbound_connections_per_second'])
  const sendProxyProtocol = own.sendProxyProtocol ?? (forAll['send_proxy_protocol'] === 'v2' ? 'v2' : undefined)
  const drainMs = own.drainMs ?? wholeOf(forAll['drain_ms'])
  const config: ManagedProxyConfig = {
    ...own,
    ...(localConnectTimeoutMs !== undefined && { localConnectTimeoutMs }),
    ...(handshakeTimeoutMs !== undefined && { handshakeTimeoutMs }),
    ...(maxInboundConnections !== undefined && { maxInboundConnections }),
    ...(perSecond !== undefined && { maxInboundConnectionsPerSecond: perSecond }),
    ...(sendProxyProtocol !== undefined && { sendProxyProtocol }),
    ...(drainMs !== undefined && { drainMs: Math.min(drainMs, DRAIN_MS_MAX) }),
    upstreams: own.upstreams.map((upstream) => {
      const override = Overrides.find(({ Name }) => Name === upstream.destinationName)
      return withCentralUpstream(upstream, [override ?? {}, Defaults ?? {}])
    }),
  }
  return { ...service, connect: { ...connect, proxy: { ...connect.proxy, config } } }
}

const DRAIN_MS_MAX = 86_400_000
const EJECTION_INTERVAL_MS = 10_000

/** What comes first among `settings` holds where the upstream says nothing. What they say of requests is for other proxies. */
function withCentralUpstream(upstream: UpstreamDefinition, settings: readonly UpstreamSettings[]): UpstreamDefinition {
  const connectTimeoutMs = upstream.connectTimeoutMs ?? firstOf(settings.map((one) => one.ConnectTimeoutMs))
  const connectionsMax = upstream.connectionsMax ?? firstOf(settings.map((one) => one.Limits?.MaxConnections))
  const check = settings.find((one) => one.PassiveHealthCheck?.MaxFailures)?.PassiveHealthCheck
  const intervalMs = (check?.Interval ?? 0) / 1e6 || EJECTION_INTERVAL_MS
  const ejection = upstream.ejection ?? (check?.MaxFailures ? { failuresMax: check.MaxFailures, intervalMs } : undefined)
  return {
    ...upstream,
    ...(connectTimeoutMs !== undefined && { connectTimeoutMs }),
    ...(connectionsMax !== undefined && { connectionsMax }),
    ...(ejection && { ejection }),
  }
}

/** The first number above 0. */
function firstOf(numbers: readonly (number | undefined)[]): number | undefined {
  return numbers.find((number) => number !== undefined && number > 0)
}

/** A whole number of milliseconds above zero, as a number or in digits. */
function millisecondsOf(value: unknown): number | undefined {
  return wholeOf(value) || undefined
}

function wholeOf(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : undefined
}
