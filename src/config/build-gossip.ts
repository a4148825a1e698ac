import { isIP } from 'node:net'
import { readGossipKey } from '../gossip-key.ts'
import { isWithin } from '../kernel/networks.ts'
import type { GossipAddress } from '../kernel/ports.ts'
import { isRefused, type Result, refuse } from '../kernel/refusal.ts'
import { expandAddress, expandIp } from './addresses.ts'
import type { Build } from './build.ts'
import { hasOwnEtcd } from './build-etcd.ts'
import type { AddressesConfig, GossipConfig, PoolConfig, PortsConfig } from './config.ts'

/**
 * How this agent finds others; undefined if it does not. A development agent that is to know nobody costs the memory of none, so it is
 * given one of the keys that say otherwise, or `serf_lan` or `serf_wan`.
 */
export function buildGossip(build: Build, addresses: AddressesConfig, { serfLan, serfWan }: PortsConfig): GossipConfig | undefined {
  const { problems, warnings, settings, host, flags, purpose } = build
  const { encrypt, start_join: start, retry_join: retry, serf_lan: bindTo, server } = settings
  const { start_join_wan: startWan, retry_join_wan: retryWan, serf_wan: bindWanTo } = settings
  const key = encrypt === '' ? undefined : readGossipKey(encrypt)
  if (typeof key === 'string') problems.push(`encrypt has invalid key: ${key}`)
  const bind = bindTo === '' ? addresses.bind : expandIp('serf_lan', bindTo, host.interfaces())
  if (isRefused(bind)) problems.push(bind.why)
  const bindWan = bindWanTo === '' ? addresses.bind : expandIp('serf_wan', bindWanTo, host.interfaces())
  if (isRefused(bindWan)) problems.push(bindWan.why)
  const listed = (name: string, texts: readonly string[], defaultPort = DEFAULT_PORT) =>
    texts.flatMap((text) => {
      const expanded = expandAddress(text, host.interfaces())
      const address = isRefused(expanded) ? expanded : readGossipAddress(expanded, defaultPort)
      if (!isRefused(address)) return [address]
      problems.push(`${name}: ${address.why}`)
      return []
    })
  const startJoin = listed('start_join', start)
  const retryJoin = listed('retry_join', retry)
  const networksOf = (key: 'serf_lan_allowed_cidrs' | 'serf_wan_allowed_cidrs', own: string) => {
    const networks = settings[key]
    for (const network of networks) if (!isNetwork(network)) problems.push(`${key}: invalid CIDR address: ${network}`)
    if (networks.length > 0 && isIP(own) !== 0 && !isWithin(own, networks))
      warnings.push(`${key}: ${own}, which is this agent's own address, is not among them: members with the same list refuse it`)
    return networks
  }
  const startJoinWan = listed('start_join_wan', startWan, DEFAULT_WAN_PORT)
  const retryJoinWan = listed('retry_join_wan', retryWan, DEFAULT_WAN_PORT)
  const joinsWan = startWan.length + retryWan.length > 0
  const isAsked = encrypt !== '' || bindTo !== '' || bindWanTo !== '' || joinsWan || start.length + retry.length > 0
  if (serfLan < 1 && start.length + retry.length > 0) problems.push('ports.serf_lan: this agent can join nobody while it is switched off')
  if (joinsWan && server && (serfLan < 1 || serfWan < 1))
    problems.push(`ports.${serfWan < 1 ? 'serf_wan' : 'serf_lan'}: this server can join no other datacenter while it is switched off`)
  if (joinsWan && !server)
    warnings.push('start_join_wan, retry_join_wan: only servers join other datacenters; this agent leaves that to them')
  if (purpose === 'simulate') {
    if (joinsWan) warnings.push('start_join_wan, retry_join_wan: the agents of a simulation are one datacenter')
    if (retry.length > 0) warnings.push(`retry_join: ${FOUND}`)
    if (start.length > 0) warnings.push(`start_join: ${FOUND}`)
    return undefined
  }
  if (start.length + retry.length > 0 && settings.server && settings.log !== 'etcd' && !hasOwnEtcd(build)) {
    warnings.push('members see each other, but this server keeps what it stores to itself: servers that are to share it need log = "etcd"')
  }
  if (isRefused(bind) || isRefused(bindWan) || serfLan < 1 || (flags.dev === true && !isAsked)) return undefined
  const wan: PoolConfig = {
    bind: { host: bindWan, port: serfWan },
    advertise: { host: addresses.advertiseWan, port: serfWan },
    startJoin: startJoinWan,
    retryJoin: retryJoinWan,
    retryIntervalMs: settings.retry_interval_wan,
    retryMax: settings.retry_max_wan,
    allowedNetworks: networksOf('serf_wan_allowed_cidrs', addresses.advertiseWan),
  }
  return {
    bind: { host: bind, port: serfLan },
    advertise: { host: addresses.advertise, port: serfLan },
    key: encrypt,
    startJoin,
    retryJoin,
    retryIntervalMs: settings.retry_interval,
    retryMax: settings.retry_max,
    allowedNetworks: networksOf('serf_lan_allowed_cidrs', addresses.advertise),
    rejoinsAfterLeave: settings.rejoin_after_leave,
    wan: server && serfWan > 0 ? wan : undefined,
  }
}

const FOUND = 'the agents of a simulation are one cluster and need not look for each other'
export const DEFAULT_PORT = 8301
export const DEFAULT_WAN_PORT = 8302
const PORT_MAX = 65_535

/** `host`, `host:port`, `ip6` or `[ip6]:port`. */
export function readGossipAddress(text: string, defaultPort: number): Result<GossipAddress> {
  if (/^provider=|\sprovider=/.test(text))
    return refuse('invalid', 'finding agents through a cloud provider is not supported by this version')
  const parts =
    /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? /^([0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)$/.exec(text)
  const host = parts?.[1] ?? parts?.[2]
  const port = Number(parts?.[3] ?? defaultPort)
  if (host === undefined || port < 1 || port > PORT_MAX) return refuse('invalid', `${JSON.stringify(text)} must be host or host:port`)
  return { host, port }
}

/** Whether a text is a CIDR. */
export function isNetwork(text: string): boolean {
  const [address = '', bits = '', ...more] = text.split('/')
  const max = isIP(address) === 4 ? 32 : isIP(address) === 6 ? 128 : -1
  return more.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= max
}
