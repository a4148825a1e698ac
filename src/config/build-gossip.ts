import { readGossipKey } from '../gossip-key.ts'
import type { GossipAddress } from '../kernel/ports.ts'
import { isRefused, type Result, refuse } from '../kernel/refusal.ts'
import { expandAddress, expandIp } from './addresses.ts'
import type { Build } from './build.ts'
import { hasOwnEtcd } from './build-etcd.ts'
import type { AddressesConfig, GossipConfig, PortsConfig } from './config.ts'

/**
 * How this agent finds others; undefined if it does not. A development agent that is to know nobody costs the memory of none, so it is
 * given one of the keys that say otherwise, or `serf_lan`.
 */
export function buildGossip(build: Build, addresses: AddressesConfig, { serfLan }: PortsConfig): GossipConfig | undefined {
  const { problems, warnings, settings, host, flags, purpose } = build
  const { encrypt, start_join: start, retry_join: retry, serf_lan: bindTo } = settings
  const key = encrypt === '' ? undefined : readGossipKey(encrypt)
  if (typeof key === 'string') problems.push(`encrypt has invalid key: ${key}`)
  const bind = bindTo === '' ? addresses.bind : expandIp('serf_lan', bindTo, host.interfaces())
  if (isRefused(bind)) problems.push(bind.why)
  const listed = (name: string, texts: readonly string[]) =>
    texts.flatMap((text) => {
      const expanded = expandAddress(text, host.interfaces())
      const address = isRefused(expanded) ? expanded : readGossipAddress(expanded, DEFAULT_PORT)
      if (!isRefused(address)) return [address]
      problems.push(`${name}: ${address.why}`)
      return []
    })
  const startJoin = listed('start_join', start)
  const retryJoin = listed('retry_join', retry)
  const isAsked = encrypt !== '' || bindTo !== '' || start.length + retry.length > 0
  if (serfLan < 1 && start.length + retry.length > 0) problems.push('ports.serf_lan: this agent can join nobody while it is switched off')
  if (purpose === 'simulate') {
    if (retry.length > 0) warnings.push(`retry_join: ${FOUND}`)
    if (start.length > 0) warnings.push(`start_join: ${FOUND}`)
    return undefined
  }
  if (start.length + retry.length > 0 && settings.server && settings.log !== 'etcd' && !hasOwnEtcd(build)) {
    warnings.push('members see each other, but this server keeps what it stores to itself: servers that are to share it need log = "etcd"')
  }
  if (isRefused(bind) || serfLan < 1 || (flags.dev === true && !isAsked)) return undefined
  return {
    bind: { host: bind, port: serfLan },
    advertise: { host: addresses.advertise, port: serfLan },
    key: encrypt,
    startJoin,
    retryJoin,
    retryIntervalMs: settings.retry_interval,
    retryMax: settings.retry_max,
    rejoinsAfterLeave: settings.rejoin_after_leave,
  }
}

const FOUND = 'the agents of a simulation are one cluster and need not look for each other'
const DEFAULT_PORT = 8301
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
