import { isIP } from 'node:net'
import { isRefused, type Result } from '../kernel/refusal.ts'
import { expandAddress, expandIp, expandList, ownAddress, withDnsPort } from './addresses.ts'
import type { Build } from './build.ts'
import type { AddressesConfig, DnsConfig, NodeConfig, PortsConfig } from './config.ts'
import { isInvalidAddress, metaProblem } from './validate-definitions.ts'

/** Lower case; the primary datacenter must be this one. */
export function buildDatacenter({ problems, settings }: Build): string {
  const datacenter = settings.datacenter.toLowerCase()
  if (datacenter === '') problems.push('datacenter cannot be empty')
  else if (!/^[a-z0-9_-]+$/.test(datacenter)) {
    problems.push(`datacenter can only contain lowercase alphanumeric, - or _ characters. received: ${JSON.stringify(datacenter)}`)
  }
  const primary = settings.primary_datacenter.toLowerCase()
  if (primary !== '' && primary !== datacenter) {
    problems.push(`primary_datacenter ${JSON.stringify(primary)} is not supported by this version, which knows only its own datacenter`)
  }
  return datacenter
}

export function buildAddresses(build: Build): AddressesConfig {
  const { settings, host, warnings } = build
  const interfaces = host.interfaces()
  const bind = accepted(build, expandIp('bind_addr', settings.bind_addr, interfaces), '127.0.0.1')
  const given = (
    key:
      | 'advertise_addr'
      | 'advertise_addr_ipv4'
      | 'advertise_addr_ipv6'
      | 'advertise_addr_wan'
      | 'advertise_addr_wan_ipv4'
      | 'advertise_addr_wan_ipv6',
  ) => {
    const text = settings[key]
    if (text === undefined) return undefined
    const address = accepted(build, expandIp(key, text, interfaces), '127.0.0.1')
    if (isInvalidAddress(address)) {
      build.problems.push(`${key.includes('wan') ? 'Advertise WAN' : 'Advertise'} address cannot be 0.0.0.0, :: or [::]`)
    }
    return address
  }
  const detected = () => {
    if (!isInvalidAddress(bind)) return bind
    const own = ownAddress(bind === '0.0.0.0' ? 4 : 6, interfaces)
    if (!isRefused(own) || own.refused !== 'missing') return accepted(build, own, '127.0.0.1')
    const loopback = bind === '0.0.0.0' ? '127.0.0.1' : '::1'
    warnings.push(`${own.why}, so this agent announces ${loopback}, which no other machine can reach. Set 'advertise_addr' to change that.`)
    return loopback
  }
  const advertise = given('advertise_addr') ?? given('advertise_addr_ipv4') ?? given('advertise_addr_ipv6') ?? detected()
  const advertiseWan = given('advertise_addr_wan') ?? given('advertise_addr_wan_ipv4') ?? given('advertise_addr_wan_ipv6') ?? advertise
  const client = accepted(build, expandList('client_addr', settings.client_addr, interfaces), [])
  const listen = (key: 'dns' | 'http' | 'https' | 'grpc') => {
    const text = settings.addresses[key]
    return text === undefined || text === '' ? client : accepted(build, expandList(`addresses.${key}`, text, interfaces), [])
  }
  const addresses = {
    bind,
    advertise,
    advertiseWan,
    client,
    dns: listen('dns'),
    http: listen('http'),
    https: listen('https'),
    grpc: listen('grpc'),
  }
  if (addresses.dns.some((one) => one.startsWith('unix://'))) build.problems.push('DNS address cannot be a unix socket')
  return addresses
}

export function buildNode(build: Build, { advertise, advertiseWan }: AddressesConfig): NodeConfig {
  const { problems, warnings, settings, host } = build
  const name = settings.node_name === '' ? host.hostname() : settings.node_name
  if (name.trim() === '') problems.push('node_name cannot be empty')
  if (/[\u0000-\u001f\u007f]/.test(name)) problems.push('node_name must not contain control characters')
  else if (/[^A-Za-z0-9-]/.test(name)) {
    warnings.push(
      `Node name ${JSON.stringify(name)} will not be discoverable via DNS due to invalid characters. Valid characters include all alpha-numerics and dashes.`,
    )
  } else if (name.length > DNS_LABEL_MAX) {
    warnings.push(
      `Node name ${JSON.stringify(name)} will not be discoverable via DNS due to it being too long. Valid lengths are between 1 and 63 bytes.`,
    )
  }
  const id = settings.node_id.toLowerCase()
  if (id !== '' && !/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(id)) problems.push(`node_id must be a UUID, got ${JSON.stringify(id)}`)
  const meta = metaProblem(settings.node_meta)
  if (meta !== undefined) problems.push(`node_meta invalid: ${meta}`)
  const taggedAddresses = {
    ...taggedBy('lan', advertise, settings.advertise_addr_ipv4, settings.advertise_addr_ipv6),
    ...taggedBy('wan', advertiseWan, settings.advertise_addr_wan_ipv4, settings.advertise_addr_wan_ipv6),
    ...settings.tagged_addresses,
  }
  return { id, name, meta: settings.node_meta, disableHostNodeId: settings.disable_host_node_id, taggedAddresses }
}

const DNS_LABEL_MAX = 63

function taggedBy(name: 'lan' | 'wan', address: string, ipv4: string | undefined, ipv6: string | undefined): Record<string, string> {
  const tagged: Record<string, string> = { [name]: address, [`${name}_ipv${isIP(address) === 6 ? 6 : 4}`]: address }
  if (ipv4 !== undefined) tagged[`${name}_ipv4`] = ipv4
  if (ipv6 !== undefined) tagged[`${name}_ipv6`] = ipv6
  return tagged
}

export function buildPorts({ problems, settings }: Build, addresses: AddressesConfig): PortsConfig {
  const { ports } = settings
  for (const kind of ['proxy', 'sidecar', 'expose'] as const) {
    const min = ports[`${kind}_min_port`]
    const max = ports[`${kind}_max_port`]
    for (const [key, port] of [
      [`${kind}_min_port`, min],
      [`${kind}_max_port`, max],
    ] as const) {
      if (port < 0 || port > PORT_MAX) problems.push(`ports.${key}: invalid port: ${port}`)
    }
    if (min > max || (min === 0) !== (max === 0)) {
      problems.push(`${kind}_min_port must be less than ${kind}_max_port. To disable, set both to zero.`)
    }
  }
  const same = addresses.dns.find((one) => addresses.http.includes(one))
  if (ports.dns > 0 && ports.dns === ports.http && same !== undefined) {
    problems.push(`HTTP address ${same}:${ports.http} already configured for DNS`)
  }
  return {
    dns: ports.dns,
    http: ports.http,
    https: ports.https,
    grpc: ports.grpc,
    serfLan: ports.serf_lan,
    serfWan: ports.serf_wan,
    server: ports.server,
    proxyMinPort: ports.proxy_min_port,
    proxyMaxPort: ports.proxy_max_port,
    sidecarMinPort: ports.sidecar_min_port,
    sidecarMaxPort: ports.sidecar_max_port,
    exposeMinPort: ports.expose_min_port,
    exposeMaxPort: ports.expose_max_port,
  }
}

const PORT_MAX = 65535

export function buildDns(build: Build, datacenter: string): DnsConfig {
  const { problems, settings, host } = build
  const { dns_config: dns } = settings
  for (const key of ['udp_answer_limit', 'a_record_limit'] as const) {
    if (dns[key] < 0) problems.push(`dns_config.${key} cannot be ${dns[key]}. Must be greater than or equal to zero`)
  }
  for (const key of ['refresh', 'retry', 'expire', 'min_ttl'] as const) {
    if (dns.soa[key] < 0 || dns.soa[key] > SECONDS_MAX) problems.push(`dns_config.soa.${key} must be between 0 and ${SECONDS_MAX} seconds`)
  }
  const altDomain = domainOf(settings.alt_domain)
  const [label = ''] = altDomain.split('.')
  const reserved = ['service', 'connect', 'node', 'query', 'addr', datacenter]
  if (reserved.includes(label)) problems.push(`alt_domain cannot start with {${reserved.join(',')}}`)
  const interfaces = host.interfaces()
  const recursors = settings.recursors.flatMap((text) => {
    const expanded = expandAddress(text, interfaces)
    const address = accepted(build, isRefused(expanded) ? expanded : withDnsPort('recursors', expanded), '')
    return address === '' ? [] : [address]
  })
  return {
    domain: domainOf(settings.domain),
    altDomain,
    recursors: [...new Set(recursors)],
    recursorTimeoutMs: dns.recursor_timeout,
    nodeTtlMs: dns.node_ttl,
    serviceTtlMs: dns.service_ttl,
    onlyPassing: dns.only_passing,
    enableTruncate: dns.enable_truncate,
    disableCompression: dns.disable_compression,
    allowStale: dns.allow_stale,
    maxStaleMs: dns.max_stale,
    udpAnswerLimit: dns.udp_answer_limit,
    aRecordLimit: dns.a_record_limit,
    enableAdditionalNodeMetaTxt: dns.enable_additional_node_meta_txt,
    useCache: dns.use_cache,
    cacheMaxAgeMs: dns.cache_max_age,
    soa: { refresh: dns.soa.refresh, retry: dns.soa.retry, expire: dns.soa.expire, minTtl: dns.soa.min_ttl },
  }
}

const SECONDS_MAX = 2 ** 32 - 1

function domainOf(text: string): string {
  const lower = text.toLowerCase()
  return lower === '' || lower.endsWith('.') ? lower : `${lower}.`
}

function accepted<Value>({ problems }: Build, result: Result<Value>, otherwise: Value): Value {
  if (!isRefused(result)) return result
  problems.push(result.why)
  return otherwise
}
