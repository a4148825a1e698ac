import { caRef } from '../actors/ca/protocol.ts'
import type { CaArgs } from '../actors/ca/state.ts'
import type { DaemonsArgs } from '../actors/daemons/protocol.ts'
import type { ManagedProxyConfig } from '../actors/definitions.ts'
import { type FeedsProtocol, feedsRef } from '../actors/feeds/protocol.ts'
import { keptFeedsRef } from '../actors/kept-feeds/index.ts'
import type { LeafArgs } from '../actors/leaf/index.ts'
import { leafRef } from '../actors/leaf/protocol.ts'
import type { ProxiesArgs } from '../actors/proxies/index.ts'
import type { Config } from './config/config.ts'
import { managedProxyConfig } from './config/proxies.ts'
import type { Ref } from './kernel/protocol.ts'

/** What the certificate authority is founded with, if this cluster has none yet. */
export function caArgs({ connect, datacenter }: Config): CaArgs {
  const { settings, config } = connect.ca
  return { enabled: connect.enabled, datacenter, settings: { ...settings }, config: { ...config } }
}

export function leafArgs({ connect, datacenter, server }: Config): LeafArgs {
  return { enabled: connect.enabled, datacenter, ca: caRef, feeds: feedsOf(server), keeps: !server }
}

/** What holds where no intention matches, and where. */
export function defaultIntention({ acl, datacenter }: Config): { defaultAllow: boolean; datacenter: string } {
  return { defaultAllow: acl.defaultPolicy === 'allow', datacenter }
}

/** What the sidecars of this agent have in common. */
export function proxiesArgs(config: Config): ProxiesArgs {
  const { connect, datacenter, addresses, ports, server } = config
  return {
    enabled: connect.enabled,
    settings: {
      datacenter,
      bindAddress: addresses.bind,
      portMin: ports.proxyMinPort,
      portMax: ports.proxyMaxPort,
      defaults: managedProxyDefaults(config),
      centralConfig: hasCentralConfig(config),
      command: connect.proxyDefaults.daemonCommand,
    },
    feeds: feedsOf(server),
    leaf: leafRef,
  }
}

/** Sidecars of an agent that is no server go on without one. */
function feedsOf(server: boolean): Ref<FeedsProtocol> {
  return server ? feedsRef : keptFeedsRef
}

/** What the third-party programs of this agent are started with: the environment tells how its API is reached (cli §1). */
export function daemonsArgs({ connect, addresses, ports, telemetry }: Config): DaemonsArgs {
  const isSecure = ports.http < 0 && ports.https > 0
  const [host = '127.0.0.1'] = isSecure ? addresses.https : addresses.http
  const local = ANY_ADDRESS.includes(host) ? '127.0.0.1' : host.includes(':') && !host.startsWith('unix:') ? `[${host}]` : host
  return {
    allowRoot: connect.proxy.allowManagedRoot,
    environment: {
      CONSUL_HTTP_ADDR: host.startsWith('unix:') ? host : `${local}:${isSecure ? ports.https : ports.http}`,
      CONSUL_HTTP_SSL: String(isSecure),
    },
    telemetry: {
      metrics_prefix: telemetry.metricsPrefix,
      disable_hostname: telemetry.disableHostname,
      filter_default: telemetry.filterDefault,
      allowed_prefixes: [...telemetry.allowedPrefixes],
      blocked_prefixes: [...telemetry.blockedPrefixes],
      statsd_address: telemetry.statsdAddress,
      statsite_address: telemetry.statsiteAddress,
      dogstatsd_addr: telemetry.dogstatsdAddress,
      dogstatsd_tags: [...telemetry.dogstatsdTags],
    },
  }
}

const ANY_ADDRESS = ['0.0.0.0', '::', '[::]']

/** Whether proxies of this agent have what the cluster's entries say of them. */
export function hasCentralConfig({ keys }: Config): boolean {
  return keys['enable_central_service_config'] === true
}

/** `connect.proxy_defaults.config`. Misfits were refused when the configuration was read. */
export function managedProxyDefaults({ connect }: Config): ManagedProxyConfig {
  return managedProxyConfig(connect.proxyDefaults.config, [])
}
