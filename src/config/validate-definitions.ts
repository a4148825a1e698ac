import type { CheckDefinition, ProxyDefinition, ServiceDefinition, UpstreamDefinition, Weights } from '../../actors/definitions.ts'

export const SERVICE_NAME_MISSING = 'Missing service name'
export const CHECK_NAME_MISSING = 'Missing check name'
export const ADDRESS_INVALID = 'Invalid service address'

/** What is wrong with a service as a kind of its own: rules for proxies, gateways and sidecars. Source: http-api §2.2. */
export function validateService(service: ServiceDefinition): string[] {
  return [...kindProblems(service), ...sidecarProblems(service.connect?.sidecarService)]
}

/** All that a service must be when it stands in a file. Source: config §6, with the texts of the API. */
export function validateFileService(service: ServiceDefinition): string[] {
  const problems: string[] = []
  if (service.name === '') problems.push(SERVICE_NAME_MISSING)
  if (isInvalidAddress(service.address)) problems.push(ADDRESS_INVALID)
  if (service.port < 0 || service.port > PORT_MAX) problems.push(`invalid port: ${service.port}`)
  const weights = weightsProblem(service.weights)
  if (weights !== undefined) problems.push(`Invalid Weights: ${weights}`)
  const meta = metaProblem(service.meta)
  if (meta !== undefined) problems.push(`Invalid Service Meta: ${meta}`)
  const { connect } = service
  if (connect?.proxy !== undefined && service.port === 0) problems.push('Services with a Connect managed proxy must have a port set')
  if (connect?.proxy !== undefined && connect.native) problems.push('Services that are Connect native may not have a proxy configuration')
  for (const check of service.checks) problems.push(...validateCheck(check).map((one) => `Invalid check: ${one}`))
  return [...problems, ...validateService(service)]
}

/** The rules for a check's timing. Source: http-api §2.3. */
export function validateCheck(check: CheckDefinition): string[] {
  const alias = check.aliasNode !== '' || check.aliasService !== ''
  const atIntervals = check.args.length > 0 || check.http !== '' || check.tcp !== '' || check.grpc !== '' || check.h2ping !== ''
  const problems: string[] = []
  if (check.intervalMs > 0 && check.ttlMs > 0) problems.push('Interval and TTL cannot both be specified')
  if (atIntervals && check.intervalMs <= 0) problems.push('Interval must be > 0 for Script, HTTP, H2PING, or TCP checks')
  if (atIntervals && alias) problems.push('Interval cannot be set for Alias checks')
  if (alias && check.ttlMs > 0) problems.push('TTL must be not be set for Alias checks')
  if (!atIntervals && !alias && check.ttlMs <= 0) problems.push('TTL must be > 0 for TTL checks')
  if (check.outputMaxSize < 0) problems.push('MaxOutputMaxSize must be positive')
  return problems
}

export function weightsProblem({ passing, warning }: Weights): string | undefined {
  if (passing < 1) return 'Passing must be greater than 0'
  if (warning < 0) return 'Warning must be greater or equal than 0'
  return passing > WEIGHT_MAX || warning > WEIGHT_MAX ? 'DNS Weight must be between 0 and 65535' : undefined
}

/** Rules for metadata of nodes and services; lengths in characters. Source: config §2, node_meta. */
export function metaProblem(meta: Readonly<Record<string, string>>): string | undefined {
  const pairs = Object.entries(meta)
  if (pairs.length > META_PAIRS_MAX) return `Node metadata cannot contain more than ${META_PAIRS_MAX} key/value pairs`
  for (const [key, value] of pairs) {
    const problem = metaPairProblem(key, value)
    if (problem !== undefined) return `Couldn't load metadata pair ('${key}', '${value}'): ${problem}`
  }
  return undefined
}

/** An address that stands for every interface, where one is to be announced. */
export function isInvalidAddress(address: string): boolean {
  return address === '0.0.0.0' || address === '::' || address === '[::]'
}

const PORT_MAX = 65535
const WEIGHT_MAX = 65535
const META_PAIRS_MAX = 64
const META_KEY_MAX = 128
const META_VALUE_MAX = 512
const META_RESERVED = 'consul-'

function metaPairProblem(key: string, value: string): string | undefined {
  if (key === '') return 'Key cannot be blank'
  if (!/^[A-Za-z0-9_-]+$/.test(key)) return 'Key contains invalid characters'
  if (key.length > META_KEY_MAX) return `Key is too long (limit: ${META_KEY_MAX} characters)`
  if (key.startsWith(META_RESERVED)) return `Key prefix '${META_RESERVED}' is reserved for internal use`
  return value.length > META_VALUE_MAX ? `Value is too long (limit: ${META_VALUE_MAX} characters)` : undefined
}

const GATEWAYS = ['mesh-gateway', 'terminating-gateway', 'ingress-gateway']

function kindProblems(service: ServiceDefinition): string[] {
  if (service.kind === 'connect-proxy') return proxyProblems(service, service.proxy)
  return GATEWAYS.includes(service.kind) ? gatewayProblems(service, service.proxy) : []
}

function proxyProblems(service: ServiceDefinition, proxy: ProxyDefinition | undefined): string[] {
  const destination = proxy?.destinationServiceName.trim() ?? ''
  const problems: string[] = []
  if (destination === '') problems.push('Proxy.DestinationServiceName must be non-empty for Connect proxy services')
  if (destination === '*') problems.push('Proxy.DestinationServiceName must not be a wildcard for Connect proxy services')
  if (service.port === 0 && service.socketPath === '') problems.push('Port or SocketPath must be set for a Connect proxy')
  if (service.connect?.native === true) problems.push('A Proxy cannot also be Connect Native, only typical services')
  return [...problems, ...upstreamsProblems(proxy?.upstreams ?? [])]
}

function upstreamsProblems(upstreams: readonly UpstreamDefinition[]): string[] {
  const destinations = new Set<string>()
  const binds = new Set<string>()
  const problems: string[] = []
  for (const upstream of upstreams) {
    const own = upstreamProblems(upstream)
    problems.push(...own)
    if (own.length > 0) continue
    const { destinationType, destinationNamespace, destinationName, datacenter } = upstream
    const destination = [destinationType, destinationNamespace, destinationName, datacenter].join('/')
    const bind =
      upstream.localBindSocketPath === ''
        ? `${upstream.localBindAddress === '' ? '127.0.0.1' : upstream.localBindAddress}:${upstream.localBindPort}`
        : upstream.localBindSocketPath
    if (destinations.has(destination)) problems.push(`upstreams cannot contain duplicates of ${destinationName}`)
    else if (binds.has(bind)) {
      problems.push(
        `upstreams cannot contain duplicates by local bind address and port or unix path; ${JSON.stringify(bind)} is specified twice`,
      )
    }
    destinations.add(destination)
    binds.add(bind)
  }
  return problems
}

function upstreamProblems(upstream: UpstreamDefinition): string[] {
  const problems: string[] = []
  if (upstream.destinationName === '') problems.push('upstream destination name cannot be empty')
  if (upstream.destinationName === '*') problems.push('upstream destination name cannot be a wildcard')
  if (upstream.localBindPort === 0 && upstream.localBindSocketPath === '') {
    problems.push('upstream local bind port or local socket path must be defined and nonzero')
  }
  return problems
}

function gatewayProblems(service: ServiceDefinition, proxy: ProxyDefinition | undefined): string[] {
  const { kind } = service
  const problems: string[] = []
  const invalid = (key: string) => problems.push(`The Proxy.${key} configuration is invalid for a ${kind}`)
  if (service.port === 0 && kind !== 'ingress-gateway') problems.push(`Port must be non-zero for a ${kind}`)
  if (service.connect?.sidecarService !== undefined) problems.push(`A ${kind} cannot have a sidecar defined`)
  if (proxy === undefined) return problems
  if (proxy.destinationServiceName !== '') invalid('DestinationServiceName')
  if (proxy.destinationServiceId !== '') invalid('DestinationServiceID')
  if (proxy.localServiceAddress !== '') invalid('LocalServiceAddress')
  if (proxy.localServicePort !== 0) invalid('LocalServicePort')
  if (proxy.localServiceSocketPath !== '') invalid('LocalServiceSocketPath')
  if (proxy.upstreams.length > 0) invalid('Upstreams')
  return problems
}

function sidecarProblems(sidecar: ServiceDefinition | undefined): string[] {
  if (sidecar === undefined) return []
  const problems: string[] = []
  if (sidecar.id !== '') problems.push('A SidecarService cannot specify an ID as this is managed by the agent')
  if (sidecar.kind !== '') problems.push(`A SidecarService cannot have a kind, got ${JSON.stringify(sidecar.kind)}`)
  if (sidecar.connect?.sidecarService !== undefined) problems.push('A SidecarService cannot have a nested SidecarService')
  return problems
}
