import type { MembershipArgs } from '../actors/membership/protocol.ts'
import type { Config } from './config/config.ts'
import { tagsOf } from './formation-args.ts'
import { wideTags } from './member-tags.ts'

/** What an agent is among others. Its id is known by the time it starts. */
export function membershipArgs(config: Config): MembershipArgs {
  const { node, datacenter, addresses, ports, gossip } = config
  const alone = { host: addresses.advertise, port: ports.serfLan }
  const { bind, advertise, key, rejoinsAfterLeave } = gossip ?? { bind: alone, advertise: alone, key: '', rejoinsAfterLeave: false }
  return {
    enabled: gossip !== undefined,
    name: node.name,
    id: node.id,
    datacenter,
    bind: { address: bind.host, port: bind.port },
    advertise: { address: advertise.host, port: advertise.port },
    tags: tagsOf(config),
    keys: key === '' ? [] : [key],
    rejoinsAfterLeave,
    networks: [...(gossip?.allowedNetworks ?? [])],
  }
}

/** What a server is among those of all datacenters. */
export function wanMembershipArgs(config: Config): MembershipArgs {
  const lan = membershipArgs(config)
  const { datacenter, gossip } = config
  if (!gossip?.wan) return { ...lan, enabled: false, wan: true }
  const { bind, advertise, allowedNetworks } = gossip.wan
  return {
    ...lan,
    wan: true,
    name: `${lan.name}.${datacenter}`,
    bind: { address: bind.host, port: bind.port },
    advertise: { address: advertise.host, port: advertise.port },
    tags: wideTags(lan.tags),
    networks: [...allowedNetworks],
  }
}
