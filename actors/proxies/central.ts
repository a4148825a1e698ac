import type { View } from '../../src/kernel/tables.ts'
import { proxyDefaults, serviceDefaults } from '../config-entries/queries.ts'
import type { ManagedProxyConfig, ServiceDefinition } from '../definitions.ts'
import { type ProxySettings, withDefaults } from './plan.ts'

/**
 * A service whose managed proxy also has what the cluster says of it, under what its agent and itself say: timeouts of
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
  const config: ManagedProxyConfig = {
    ...own,
    ...(localConnectTimeoutMs !== undefined && { localConnectTimeoutMs }),
    ...(handshakeTimeoutMs !== undefined && { handshakeTimeoutMs }),
    upstreams: own.upstreams.map((upstream) => {
      const override = Overrides.find(({ Name }) => Name === upstream.destinationName)
      const connectTimeoutMs = upstream.connectTimeoutMs ?? (override?.ConnectTimeoutMs || Defaults?.ConnectTimeoutMs)
      return connectTimeoutMs === undefined ? upstream : { ...upstream, connectTimeoutMs }
    }),
  }
  return { ...service, connect: { ...connect, proxy: { ...connect.proxy, config } } }
}

/** A whole number of milliseconds above zero, as a number or in digits. */
function millisecondsOf(value: unknown): number | undefined {
  const ms = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
  return typeof ms === 'number' && Number.isSafeInteger(ms) && ms > 0 ? ms : undefined
}
