import { type ConfigEntry, type ConfigKind, isConfigKind, OTHER_KINDS } from '../../../actors/config-entries/entry.ts'
import { type DefaultsContent, GLOBAL, type UpstreamSettings } from '../../../actors/config-entries/tables.ts'
import { precedenceOf } from '../../../actors/intentions/decide.ts'
import { keptPermissions, permissionsFault, type WrittenPermission } from '../../../actors/intentions/permissions.ts'
import type { IntentionSource } from '../../../actors/intentions/tables.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../kernel/refusal.ts'
import { listedErrors } from '../errors.ts'
import { isTooDeep } from '../tree.ts'
import { decodeShape, type Plain } from './decode.ts'
import { entryShapes } from './shapes.ts'

/**
 * A central setting as it is written in JSON or HCL. Refused with `invalid` if it cannot be read, with `conflict` if what it says
 * cannot be; `why` is Consul's text. Source: http-api §8.4, connect §7, §10.
 */
export function configEntryOf(value: unknown): Result<ConfigEntry> {
  const kind = kindOf(value)
  if (isRefused(kind)) return kind
  if (isTooDeep(value)) return refuse('invalid', 'exceeded max depth')
  const decoded = decodeShape(entryShapes[kind], value)
  if (isRefused(decoded)) return decoded
  const { Kind: _kind, Name = '', ...fields } = decoded as Plain & { Name?: string }
  if (kind === 'service-intentions') return intentionsOf(Name, fields as IntentionFields)
  const content = withoutEmpty(fields) as DefaultsContent
  if (content.Protocol !== undefined) content.Protocol = content.Protocol.toLowerCase()
  const name = kind === 'proxy-defaults' ? GLOBAL : Name
  return defaultsFault(kind, name, content) ?? { kind, name, content }
}

/** Refused unless an entry of this kind can be kept here. */
export function supportedKind(kind: string): Result<ConfigKind> {
  if (isConfigKind(kind)) return kind
  if (OTHER_KINDS.includes(kind))
    return refuse('conflict', `config entries of the kind ${JSON.stringify(kind)} are not supported by this version`)
  return refuse('invalid', `invalid config entry kind: ${kind}`)
}

type IntentionFields = { Sources?: SourceFields[]; Meta?: Record<string, string> }
type SourceFields = {
  Name?: string
  Action?: string
  Permissions?: WrittenPermission[]
  Type?: string
  Description?: string
  LegacyMeta?: Record<string, string>
}

const META_PAIRS_MAX = 64
const META_KEY_LENGTH_MAX = 128
const META_VALUE_LENGTH_MAX = 512
const GATEWAY_MODES = ['', 'none', 'local', 'remote']
const PROXY_MODES = ['', 'transparent', 'direct']

function kindOf(value: unknown): Result<ConfigKind> {
  const object = typeof value === 'object' && value !== null ? (value as Plain) : {}
  const kind = object['Kind'] ?? object['kind']
  if (kind === undefined) return refuse('invalid', 'Payload does not contain a kind/Kind key at the top level')
  if (typeof kind !== 'string') return refuse('invalid', 'Kind value in payload is not a string')
  return supportedKind(kind)
}

function defaultsFault(kind: ConfigKind, name: string, content: DefaultsContent): Refusal | undefined {
  if (name === '') return wrong('Name is required')
  if (kind === 'service-defaults' && name === '*') return wrong('name must be the name of a service, and not a wildcard')
  const { Defaults, Overrides = [] } = content.UpstreamConfig ?? {}
  const faults = [
    ...metaFaults(content.Meta ?? {}),
    ...modeFaults(content.MeshGateway?.Mode),
    ...(PROXY_MODES.includes(content.Mode ?? '') ? [] : [`Invalid Proxy Mode: ${JSON.stringify(content.Mode)}`]),
    ...Overrides.flatMap((one) => {
      const missing = one.Name === undefined ? ['Name is required'] : upstreamFaults(one)
      return missing.map((fault) => `error in upstream override for ${one.Name ?? ''}: ${fault}`)
    }),
    ...(Defaults?.Name === undefined ? upstreamFaults(Defaults ?? {}) : ['Name must be empty']).map(
      (fault) => `error in upstream defaults: ${fault}`,
    ),
  ]
  return faults.length === 0 ? undefined : wrong(listedErrors(faults))
}

function upstreamFaults({ MeshGateway, PassiveHealthCheck }: UpstreamSettings): string[] {
  const negative = (PassiveHealthCheck?.Interval ?? 0) < 0 ? ['passive health check interval cannot be negative'] : []
  return [...negative, ...modeFaults(MeshGateway?.Mode)]
}

function modeFaults(mode = ''): string[] {
  return GATEWAY_MODES.includes(mode) ? [] : [`Invalid Mesh Gateway Mode: ${JSON.stringify(mode)}`]
}

function metaFaults(meta: Record<string, string>): string[] {
  const pairs = Object.entries(meta)
  const tooMany = pairs.length > META_PAIRS_MAX ? [`Meta exceeds maximum element count ${META_PAIRS_MAX}`] : []
  const tooLong = pairs.flatMap(([key, value]) => {
    if (key.length > META_KEY_LENGTH_MAX) return [`Meta key ${JSON.stringify(key)} exceeds maximum length ${META_KEY_LENGTH_MAX}`]
    return value.length > META_VALUE_LENGTH_MAX
      ? [`Meta value for key ${JSON.stringify(key)} exceeds maximum length ${META_VALUE_LENGTH_MAX}`]
      : []
  })
  return [...tooMany, ...tooLong]
}

function intentionsOf(name: string, { Sources = [], Meta = {} }: IntentionFields): Result<ConfigEntry> {
  if (name === '') return wrong('Name is required')
  if (isPartWildcard(name)) return wrong(`Name: ${PART_WILDCARD}`)
  const [faulty] = metaFaults(Meta)
  if (faulty !== undefined) return wrong(listedErrors(metaFaults(Meta)))
  if (Sources.length === 0) return wrong('At least one source is required')
  const seen = new Set<string>()
  for (const [position, source] of Sources.entries()) {
    const fault = sourceFault(source, name)
    if (fault !== undefined) return wrong(`Sources[${position}]${fault}`)
    if (seen.has(source.Name ?? '')) return wrong(`Sources[${position}] defines ${JSON.stringify(source.Name)} more than once`)
    seen.add(source.Name ?? '')
  }
  const sources = Sources.map(({ Name = '', Action, Permissions = [], Description = '' }): IntentionSource => {
    const permissions = Permissions.length > 0 && { permissions: keptPermissions(Permissions) }
    return { name: Name, action: Action === 'allow' ? 'allow' : 'deny', ...permissions, description: Description }
  })
  const rank = (source: IntentionSource) => precedenceOf({ source: source.name, destination: name })
  return { kind: 'service-intentions', name, sources: sources.sort((a, b) => rank(b) - rank(a)), meta: Meta }
}

/** What is wrong with a source, to be put behind its place. */
function sourceFault(source: SourceFields, destination: string): string | undefined {
  const { Name = '', Action = '', Permissions = [], Type = '', Description = '', LegacyMeta = {} } = source
  const permissions = Permissions.length
  if (Name === '') return '.Name is required'
  if (isPartWildcard(Name)) return `.Name: ${PART_WILDCARD}`
  if (Description.length > META_VALUE_LENGTH_MAX) return `.Description exceeds maximum length ${META_VALUE_LENGTH_MAX}`
  if (Object.keys(LegacyMeta).length > 0) return '.LegacyMeta must be omitted'
  if (permissions > 0 && Action !== '') return '.Action must be omitted if Permissions are specified'
  if (permissions > 0 && destination === '*') return '.Permissions cannot be specified on intentions with wildcarded destinations'
  if (permissions === 0 && Action !== 'allow' && Action !== 'deny') return `.Action must be set to 'allow' or 'deny'`
  return Type === '' || Type === 'consul' ? permissionsFault(Permissions) : `.Type must be set to 'consul'`
}

const PART_WILDCARD = `wildcard character '*' cannot be used with partial values`

function isPartWildcard(name: string): boolean {
  return name !== '*' && name.includes('*')
}

/** Without texts, numbers, flags, lists and objects that say nothing. What is in `Config` and `Meta` stays as it is. */
function withoutEmpty(value: Plain): Plain {
  const pairs = Object.entries(value).map(([key, inner]): [string, unknown] => {
    if (key === 'Config' || key === 'Meta' || typeof inner !== 'object' || inner === null) return [key, inner]
    return [key, Array.isArray(inner) ? inner.map((item) => withoutEmpty(item as Plain)) : withoutEmpty(inner as Plain)]
  })
  return Object.fromEntries(pairs.filter(([, inner]) => !isEmpty(inner)))
}

function isEmpty(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0
  return value === '' || value === 0 || value === false || value === undefined
}

function wrong(why: string): Refusal {
  return refuse('conflict', why)
}
