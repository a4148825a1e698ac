/** What `dns_config` and its neighbours say. Consul's key is named where it differs. */
export type DnsSettings = {
  /** The zone in lower case with its final dot. */
  domain: string
  /** A second zone with the same content, in lower case with its final dot; '' is none. */
  altDomain: string
  /** This agent's datacenter in lower case. */
  datacenter: string
  onlyPassing: boolean
  /** What is in another datacenter is at its WAN address. */
  translateWanAddrs: boolean
  /** What a server knows is enough if it has heard of its log within this time; else it asks that first. 0: always (`allow_stale` is false). */
  maxStaleMs: number
  enableTruncate: boolean
  disableCompression: boolean
  udpAnswerLimit: number
  /** 0 is no limit. */
  aRecordLimit: number
  /** `enable_additional_node_meta_txt`. */
  nodeMetaTxt: boolean
  nodeTtlMs: number
  /** By service name; a name ending with `*` is a prefix. An exact name wins, then the longest prefix. */
  serviceTtlMs: Readonly<Record<string, number>>
  soa: { refreshMs: number; retryMs: number; expireMs: number; minTtlMs: number }
  /** `ip` or `ip:port`, asked in this order. */
  recursors: readonly string[]
  /** For each recursor. */
  recursorTimeoutMs: number
}

/** Consul's defaults with some of them changed; zones and datacenter are brought into their one form. */
export function dnsSettings(changes: Partial<DnsSettings> = {}): DnsSettings {
  const settings = { ...DEFAULTS, ...changes }
  return {
    ...settings,
    domain: zone(settings.domain),
    altDomain: settings.altDomain === '' ? '' : zone(settings.altDomain),
    datacenter: settings.datacenter.toLowerCase(),
  }
}

const DEFAULTS: DnsSettings = {
  domain: 'consul.',
  altDomain: '',
  datacenter: 'dc1',
  onlyPassing: false,
  translateWanAddrs: false,
  maxStaleMs: Number.POSITIVE_INFINITY,
  enableTruncate: false,
  disableCompression: false,
  udpAnswerLimit: 3,
  aRecordLimit: 0,
  nodeMetaTxt: true,
  nodeTtlMs: 0,
  serviceTtlMs: {},
  soa: { refreshMs: 3_600_000, retryMs: 600_000, expireMs: 86_400_000, minTtlMs: 0 },
  recursors: [],
  recursorTimeoutMs: 2_000,
}

/** How long an answer about a service (lower case) may be kept, in whole seconds as the wire has it. */
export function serviceTtlSeconds(settings: DnsSettings, service: string): number {
  const exactMs = Object.hasOwn(settings.serviceTtlMs, service) ? settings.serviceTtlMs[service] : undefined
  if (exactMs !== undefined) return seconds(exactMs)
  let longest = -1
  let ttlMs = 0
  for (const [name, candidateMs] of Object.entries(settings.serviceTtlMs)) {
    if (!name.endsWith('*') || name.length <= longest || !service.startsWith(name.slice(0, -1))) continue
    longest = name.length
    ttlMs = candidateMs
  }
  return seconds(ttlMs)
}

export function seconds(ms: number): number {
  return Math.floor(ms / 1_000)
}

function zone(name: string): string {
  const lower = name.toLowerCase()
  return lower.endsWith('.') ? lower : `${lower}.`
}
