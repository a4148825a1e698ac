import { caRef } from '../actors/ca/protocol.ts'
import type { CaArgs } from '../actors/ca/state.ts'
import type { ManagedProxyConfig } from '../actors/definitions.ts'
import { feedsRef } from '../actors/feeds/protocol.ts'
import type { LeafArgs } from '../actors/leaf/index.ts'
import { leafRef } from '../actors/leaf/protocol.ts'
import type { ProxiesArgs } from '../actors/proxies/index.ts'
import type { Config } from './config/config.ts'
import { managedProxyConfig } from './config/proxies.ts'

/** What the certificate authority is founded with, if this cluster has none yet. */
export function caArgs({ connect, datacenter }: Config): CaArgs {
  const { settings, config } = connect.ca
  return { enabled: connect.enabled, datacenter, settings: { ...settings }, config: { ...config } }
}

export function leafArgs({ connect, datacenter }: Config): LeafArgs {
  return { enabled: connect.enabled, datacenter, ca: caRef, feeds: feedsRef }
}

/** What holds where no intention matches, and where. */
export function defaultIntention({ acl, datacenter }: Config): { defaultAllow: boolean; datacenter: string } {
  return { defaultAllow: acl.defaultPolicy === 'allow', datacenter }
}

/** What the sidecars of this agent have in common. */
export function proxiesArgs(config: Config): ProxiesArgs {
  const { connect, datacenter, addresses, ports } = config
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
    feeds: feedsRef,
    leaf: leafRef,
  }
}

/** Whether proxies of this agent have what the cluster's entries say of them. */
export function hasCentralConfig({ keys }: Config): boolean {
  return keys['enable_central_service_config'] === true
}

/** `connect.proxy_defaults.config`. Misfits were refused when the configuration was read. */
export function managedProxyDefaults({ connect }: Config): ManagedProxyConfig {
  return managedProxyConfig(connect.proxyDefaults.config, [])
}
