import { isIP } from 'node:net'
import type { CheckDefinition, CheckType, ConnectDefinition, ServiceAddress, ServiceDefinition, Weights } from '../../actors/definitions.ts'
import { isRefused, type Result, refuse } from '../kernel/refusal.ts'
import { apiDialect } from './dialects.ts'
import { listedErrors } from './errors.ts'
import { type GivenManagedProxy, managedProxyOf, type ProxyDefaults, proxyOf } from './proxies.ts'
import { readFields, startReading } from './read-fields.ts'
import type { Fields, Given } from './schema/fields.ts'
import { apiServiceFields, checkFields, type nestedCheckFields, type serviceFields } from './schema/services.ts'
import { isTooDeep, placeWithoutText, treeOf } from './tree.ts'
import {
  ADDRESS_INVALID,
  CHECK_NAME_MISSING,
  isInvalidAddress,
  metaProblem,
  SERVICE_NAME_MISSING,
  validateCheck,
  validateService,
  weightsProblem,
} from './validate-definitions.ts'

/**
 * Reads the body of `/v1/agent/service/register`. A refusal's `why` is the whole error text of the response (status 400). Source:
 * http-api §2.2; also takes 1.2's `Connect.Proxy` and `ProxyDestination`.
 */
export function serviceFromApi(body: unknown, defaults: DefinitionDefaults = DEFAULTS): Result<ServiceDefinition> {
  const given = readBody(apiServiceFields, body)
  if (isRefused(given)) return given
  const misfits: Misfits = { service: [], checks: [] }
  const definition = serviceOf(given, 'api', misfits, defaults)
  if (definition.name === '') return refuse('invalid', SERVICE_NAME_MISSING)
  if (isInvalidAddress(definition.address)) return refuse('invalid', ADDRESS_INVALID)
  const weights = weightsProblem(definition.weights)
  if (weights !== undefined) return refuse('invalid', `Invalid Weights: ${weights}`)
  const meta = metaProblem(definition.meta)
  if (meta !== undefined) return refuse('invalid', `Invalid Service Meta: ${meta}`)
  const problems = [...validateService(definition), ...misfits.service]
  if (problems.length > 0) return refuse('invalid', listedErrors(problems))
  const check = definition.checks.flatMap((one) => validateCheck(one))[0]
  if (check !== undefined) return refuse('invalid', `Invalid check: ${check}`)
  if (misfits.checks.length > 0) return refuse('invalid', "Status for checks must 'passing', 'warning', 'critical'")
  return definition
}

/** Reads the body of `/v1/agent/check/register`. A refusal's `why` is the whole error text of the response (status 400). Source: http-api §2.3. */
export function checkFromApi(body: unknown, defaults: DefinitionDefaults = DEFAULTS): Result<CheckDefinition> {
  const given = readBody(checkFields, body)
  if (isRefused(given)) return given
  const misfits: Misfits = { service: [], checks: [] }
  const definition = checkOf(given, misfits, defaults)
  if (definition.name === '') return refuse('invalid', CHECK_NAME_MISSING)
  if (misfits.checks.length > 0) return refuse('invalid', 'Bad check status')
  const [problem] = validateCheck(definition)
  return problem === undefined ? definition : refuse('invalid', `Invalid check: ${problem}`)
}

/** What an agent's own settings add to every definition. */
export type DefinitionDefaults = {
  /** Bytes of output a check keeps at most. */
  readonly outputMaxSize: number
  /** What a managed proxy has that its service does not say. */
  readonly proxy: ProxyDefaults
}
const DEFAULTS: DefinitionDefaults = { outputMaxSize: 4096, proxy: { daemonCommand: [], config: {} } }

/** Values that a definition cannot hold, such as a status of another name. `checks` are statuses. */
export type Misfits = { service: string[]; checks: string[] }

/** Where a definition was written: a file fills in a missing weight with 1, the API with 0. */
export type DefinitionSource = 'file' | 'api'

type GivenService = Given<typeof serviceFields> | Given<typeof apiServiceFields>
type GivenSidecar = NonNullable<NonNullable<GivenService['connect']>['sidecar_service']>
type GivenCheck = Given<typeof checkFields> & Given<typeof nestedCheckFields>

function readBody<const Table extends Fields>(fields: Table, body: unknown): Result<Given<Table>> {
  if (isTooDeep(body)) return refuse('invalid', 'Request decode failed: exceeded max depth')
  const reading = startReading(apiDialect)
  const given = readFields(reading, fields, treeOf(body, placeWithoutText('')))
  const [problem] = reading.problems
  return problem === undefined ? given : refuse('invalid', `Request decode failed: ${problem}`)
}

/** The definition with every field filled in. A sidecar's id and name stay empty if not given: they follow from its service. */
export function serviceOf(
  given: GivenService,
  source: DefinitionSource,
  misfits: Misfits,
  defaults: DefinitionDefaults,
): ServiceDefinition {
  const service = plainServiceOf(given, source, misfits, defaults)
  if (given.connect === undefined) return service
  const { sidecar_service: sidecar } = given.connect
  const connect = connectOf(given.connect, misfits, defaults)
  if (sidecar !== undefined) connect.sidecarService = sidecarOf(sidecar, source, misfits, defaults)
  return { ...service, connect }
}

/** A sidecar inside it is kept as an empty one, for validation to refuse. */
function sidecarOf(given: GivenSidecar, source: DefinitionSource, misfits: Misfits, defaults: DefinitionDefaults): ServiceDefinition {
  const service = { ...plainServiceOf(given, source, misfits, defaults), id: given.id ?? '' }
  if (given.connect === undefined) return service
  const connect = connectOf(given.connect, misfits, defaults)
  if (given.connect.sidecar_service !== undefined) connect.sidecarService = plainServiceOf({}, source, misfits, defaults)
  return { ...service, connect }
}

function plainServiceOf(
  given: GivenService | GivenSidecar,
  source: DefinitionSource,
  misfits: Misfits,
  defaults: DefinitionDefaults,
): ServiceDefinition {
  const name = given.name ?? ''
  const id = given.id === undefined || given.id === '' ? name : given.id
  const address = given.address ?? ''
  const port = given.port ?? 0
  const kind = given.kind ?? ''
  const service: ServiceDefinition = {
    id,
    name,
    kind,
    tags: given.tags ?? [],
    address,
    taggedAddresses: taggedAddresses(given.tagged_addresses ?? {}, { address, port }),
    meta: given.meta ?? {},
    port,
    socketPath: given.socket_path ?? '',
    enableTagOverride: given.enable_tag_override ?? false,
    weights: weightsOf(given.weights, source),
    token: given.token ?? '',
    checks: serviceChecks(given, id, name, misfits, defaults),
  }
  if (given.proxy !== undefined || given.proxy_destination !== undefined || kind === 'connect-proxy') {
    service.proxy = proxyOf(given.proxy ?? {}, given.proxy_destination ?? '', misfits.service)
  }
  return service
}

function connectOf(
  given: { native?: boolean; proxy?: GivenManagedProxy },
  misfits: Misfits,
  defaults: DefinitionDefaults,
): ConnectDefinition {
  const connect: ConnectDefinition = { native: given.native ?? false }
  if (given.proxy !== undefined) connect.proxy = managedProxyOf(given.proxy, misfits.service, defaults.proxy)
  return connect
}

function weightsOf(given: Partial<Weights> | undefined, source: DefinitionSource): Weights {
  const missing = given === undefined || source === 'file' ? 1 : 0
  return { passing: given?.passing ?? missing, warning: given?.warning ?? missing }
}

/** A service at an IP address announces it under the names of its family too. */
function taggedAddresses(given: Record<string, Partial<ServiceAddress>>, own: ServiceAddress): Record<string, ServiceAddress> {
  const tagged = new Map(Object.entries(given).map(([name, { address, port }]) => [name, { address: address ?? '', port: port ?? 0 }]))
  const family = isIP(own.address)
  const names = family === 0 ? [] : family === 4 ? ['lan_ipv4', 'wan_ipv4'] : ['lan_ipv6', 'wan_ipv6']
  for (const name of names) if (!tagged.has(name)) tagged.set(name, { ...own })
  return Object.fromEntries(tagged)
}

function serviceChecks(
  given: GivenService | GivenSidecar,
  serviceId: string,
  serviceName: string,
  misfits: Misfits,
  defaults: DefinitionDefaults,
): CheckDefinition[] {
  const single = given.check === undefined || isEmptyObject(given.check) ? [] : [given.check]
  const all: GivenCheck[] = [...single, ...(given.checks ?? [])]
  return all.map((one, index) => {
    const check = checkOf(one, misfits, defaults)
    const own = one.check_id ?? one.id ?? ''
    if (serviceId === '') return { ...check, id: own }
    const chosen = all.length > 1 ? `service:${serviceId}:${index + 1}` : `service:${serviceId}`
    return { ...check, id: own === '' ? chosen : own, name: check.name === '' ? `Service '${serviceName}' check` : check.name, serviceId }
  })
}

function isEmptyObject(value: object): boolean {
  return Object.values(value).every(
    (inner) => inner === '' || inner === 0 || inner === false || (Array.isArray(inner) && inner.length === 0),
  )
}

/** A check on its own has its name as id if it has none. */
export function checkOf(given: GivenCheck, misfits: Misfits, defaults: DefinitionDefaults): CheckDefinition {
  const name = given.name ?? ''
  const size = given.output_max_size ?? 0
  const check: CheckDefinition = {
    id: given.id === undefined || given.id === '' ? name : given.id,
    name,
    notes: given.notes ?? '',
    serviceId: given.service_id ?? '',
    token: given.token ?? '',
    status: statusOf(given.status ?? '', misfits),
    type: 'ttl',
    ttlMs: given.ttl ?? 0,
    intervalMs: given.interval ?? 0,
    timeoutMs: given.timeout ?? 0,
    args: given.args ?? [],
    http: given.http ?? '',
    method: given.method === undefined || given.method === '' ? 'GET' : given.method,
    header: given.header ?? {},
    body: given.body ?? '',
    disableRedirects: given.disable_redirects ?? false,
    tlsServerName: given.tls_server_name ?? '',
    tlsSkipVerify: given.tls_skip_verify ?? false,
    tcp: given.tcp ?? '',
    aliasNode: given.alias_node ?? '',
    aliasService: given.alias_service ?? '',
    grpc: given.grpc ?? '',
    grpcUseTls: given.grpc_use_tls ?? false,
    h2ping: given.h2ping ?? '',
    dockerContainerId: given.docker_container_id ?? '',
    shell: given.shell ?? '',
    successBeforePassing: given.success_before_passing ?? 0,
    failuresBeforeCritical: given.failures_before_critical ?? 0,
    deregisterCriticalServiceAfterMs: given.deregister_critical_service_after ?? 0,
    outputMaxSize: size === 0 ? defaults.outputMaxSize : Math.min(size, defaults.outputMaxSize),
  }
  return { ...check, type: typeOf(check) }
}

/** The first kind that is given, in Consul's order; without any it is a TTL check that lacks its TTL. */
function typeOf(check: CheckDefinition): CheckType {
  if (check.ttlMs > 0) return 'ttl'
  if (check.http !== '') return 'http'
  if (check.tcp !== '') return 'tcp'
  if (check.grpc !== '') return 'grpc'
  if (check.dockerContainerId !== '' && check.args.length > 0) return 'docker'
  if (check.args.length > 0) return 'script'
  if (check.h2ping !== '') return 'h2ping'
  return check.aliasNode !== '' || check.aliasService !== '' ? 'alias' : 'ttl'
}

function statusOf(status: string, misfits: Misfits): CheckDefinition['status'] {
  if (status === '' || status === 'passing' || status === 'warning' || status === 'critical') return status
  misfits.checks.push(`invalid check status ${JSON.stringify(status)}: must be 'passing', 'warning' or 'critical'`)
  return ''
}
