import type { CheckRegistration } from '../../actors/catalog/check-changes.ts'
import type { CatalogDeregister, CatalogRegister } from '../../actors/catalog/commands.ts'
import type { InstanceRegistration } from '../../actors/catalog/instance-changes.ts'
import { serviceFromApi } from '../config/definitions.ts'
import { formatDuration, parseDuration } from '../config/durations.ts'
import type { HealthStatus } from '../kernel/ports.ts'
import { isRefused, type Refusal, refuse } from '../kernel/refusal.ts'
import { type Fields, Misfit, readFields } from './loose-body.ts'

/** A body that is not of the form it should have; the text follows `Request decode failed: `. */
export type Undecodable = { undecodable: string }

/** Reads the body of `/v1/catalog/register`. Unknown keys are passed over, as Consul does here. Source: http-api §3. */
export function registrationOf(body: unknown): (CatalogRegister & { datacenter: string }) | Undecodable | Refusal {
  return decoding(() => {
    const fields = readFields(body ?? {}, '')
    const node = fields.text('Node')
    const service = fields.object('Service')
    const instance = service && instanceOf(service)
    if (instance && isRefused(instance)) return instance
    const single = fields.object('Check')
    const checks = [...(single ? [single] : []), ...fields.objects('Checks')].map(checkOf)
    if (checks.some(({ checkId }) => checkId === '')) return refuse('invalid', 'Must provide check ID or name')
    const badStatus = checks.find(({ status }) => !STATUSES.includes(status))
    if (badStatus) return refuse('invalid', `Invalid check status: '${badStatus.status}'`)
    return {
      datacenter: fields.text('Datacenter'),
      node,
      id: fields.text('ID'),
      address: fields.text('Address'),
      taggedAddresses: fields.texts('TaggedAddresses'),
      meta: fields.texts('NodeMeta'),
      skipNodeUpdate: fields.flag('SkipNodeUpdate'),
      ...(instance && { service: instance }),
      checks,
    }
  })
}

/** Reads the body of `/v1/catalog/deregister`. */
export function deregistrationOf(body: unknown): (CatalogDeregister & { datacenter: string }) | Undecodable {
  return decoding(() => {
    const fields = readFields(body ?? {}, '')
    return {
      datacenter: fields.text('Datacenter'),
      node: fields.text('Node'),
      serviceId: fields.text('ServiceID'),
      checkId: fields.text('CheckID'),
    }
  })
}

export const STATUSES: readonly string[] = ['passing', 'warning', 'critical'] satisfies HealthStatus[]

export function decoding<T>(work: () => T): T | Undecodable {
  try {
    return work()
  } catch (error) {
    if (error instanceof Misfit) return { undecodable: error.message }
    throw error
  }
}

/** What a catalog service has in common with an agent's is read in the same way. */
function instanceOf(fields: Fields): InstanceRegistration | Refusal {
  const name = fields.text('Service')
  if (name === '') return refuse('invalid', 'Must provide service name with ID')
  const weights = fields.object('Weights')
  const connect = fields.object('Connect')
  const definition = serviceFromApi({
    ID: fields.text('ID'),
    Name: name,
    Kind: fields.text('Kind'),
    Tags: fields.list('Tags'),
    Address: fields.text('Address'),
    Meta: fields.texts('Meta') ?? {},
    Port: fields.number('Port'),
    SocketPath: fields.text('SocketPath'),
    EnableTagOverride: fields.flag('EnableTagOverride'),
    ...(weights && { Weights: { Passing: weights.number('Passing'), Warning: weights.number('Warning') } }),
    ...(fields.has('Proxy') && { Proxy: fields.raw('Proxy') }),
    ...(fields.has('ProxyDestination') && { ProxyDestination: fields.text('ProxyDestination') }),
    ...(connect && { Connect: { Native: connect.flag('Native') } }),
  })
  if (isRefused(definition)) {
    if (definition.why.startsWith(DECODE_FAILED)) throw new Misfit(definition.why.slice(DECODE_FAILED.length))
    return definition
  }
  const tagged = Object.entries(fields.object('TaggedAddresses')?.all() ?? {}).map(([tag, value]) => {
    const address = readFields(value, `Service.TaggedAddresses.${tag}`)
    return [tag, { address: address.text('Address'), port: address.number('Port') }] as const
  })
  const { id, kind, tags, address, meta, port, socketPath, enableTagOverride, proxy } = definition
  return {
    id,
    name,
    kind,
    tags,
    address,
    taggedAddresses: Object.fromEntries(tagged),
    meta,
    port,
    socketPath,
    enableTagOverride,
    weights: definition.weights,
    native: definition.connect?.native ?? false,
    ...(proxy && { proxy }),
  }
}

const DECODE_FAILED = 'Request decode failed: '

/** A check as the catalog is told of it. */
export function checkOf(fields: Fields): CheckRegistration {
  const name = fields.text('Name')
  const id = fields.text('CheckID')
  return {
    node: fields.text('Node'),
    serviceId: fields.text('ServiceID'),
    checkId: id === '' ? name : id,
    name,
    status: (fields.text('Status') || 'critical') as HealthStatus,
    notes: fields.text('Notes'),
    output: fields.text('Output'),
    type: fields.text('Type'),
    interval: fields.text('Interval'),
    timeout: fields.text('Timeout'),
    exposedPort: fields.number('ExposedPort'),
    definition: checkDefinitionOf(fields.object('Definition')),
  }
}

/** Only what is set is kept, in the order in which it is shown. */
function checkDefinitionOf(fields: Fields | undefined): Record<string, unknown> {
  const definition: Record<string, unknown> = {}
  if (!fields) return definition
  for (const key of ['Interval', 'Timeout', 'DeregisterCriticalServiceAfter', 'TTL']) {
    const ms = durationOf(fields, key)
    if (ms !== 0) definition[key] = formatDuration(ms)
  }
  for (const key of [
    'HTTP',
    'TLSServerName',
    'Method',
    'Body',
    'TCP',
    'H2PING',
    'DockerContainerID',
    'Shell',
    'GRPC',
    'AliasNode',
    'AliasService',
  ]) {
    const text = fields.text(key)
    if (text !== '') definition[key] = text
  }
  for (const key of ['TLSSkipVerify', 'DisableRedirects', 'GRPCUseTLS']) if (fields.flag(key)) definition[key] = true
  const size = fields.number('OutputMaxSize')
  if (size !== 0) definition['OutputMaxSize'] = size
  const args = fields.list('ScriptArgs')
  if (args.length > 0) definition['ScriptArgs'] = args
  const header = fields.object('Header')
  if (header) definition['Header'] = header.all()
  return definition
}

const NANOSECONDS_MAX = 2 ** 63

/** A Go duration, or nanoseconds as a number. In ms. */
function durationOf(fields: Fields, key: string): number {
  const value = fields.raw(key)
  if (value === undefined || value === null || value === '') return 0
  if (typeof value === 'number' && Math.abs(value) <= NANOSECONDS_MAX) return value / 1e6
  const ms =
    typeof value === 'string'
      ? parseDuration(value)
      : refuse('invalid', `json: cannot unmarshal ${typeof value} into field Definition.${key} of type duration`)
  if (isRefused(ms)) throw new Misfit(ms.why)
  return ms
}
