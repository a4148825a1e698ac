import { hash } from 'node:crypto'
import type { LegacyIntention } from '../../../actors/intentions/commands.ts'
import { precedenceOf } from '../../../actors/intentions/decide.ts'
import type { WrittenPermission } from '../../../actors/intentions/permissions.ts'
import type { Intention } from '../../../actors/intentions/queries.ts'
import { isRefused, type Result, refuse } from '../../kernel/refusal.ts'
import { type Decoded, decodeBody, decodeFields } from '../decode-body.ts'
import { goTime } from '../go-time.ts'
import type { HttpReply } from '../route.ts'

type Wrong = HttpReply & { status: number }
type Names = { source: string; destination: string }

/** An intention as the API shows it. Those with an id carry their times and a hash of their content. */
export function shownIntention(intention: Intention): object {
  const { id, source, destination, action, permissions, description, legacy, createIndex, modifyIndex } = intention
  const meta = legacy?.meta ?? {}
  const content = {
    ...(id !== '' && { ID: id }),
    ...(description !== '' && { Description: description }),
    SourceNS: NAMESPACE,
    SourceName: source,
    DestinationNS: NAMESPACE,
    DestinationName: destination,
    SourceType: 'consul',
    ...(permissions ? { Permissions: permissions } : { Action: action }),
    ...(Object.keys(meta).length > 0 && { Meta: meta }),
    Precedence: precedenceOf(intention),
  }
  return {
    ...(legacy && { CreatedAt: goTime(legacy.createdMs), UpdatedAt: goTime(legacy.updatedMs) }),
    ...content,
    ...(legacy && { Hash: hash('sha256', JSON.stringify(content), 'base64') }),
    CreateIndex: createIndex,
    ModifyIndex: modifyIndex,
  }
}

/** The body of the older interface. `id` is that of the path, '' for a new intention. `permissions` is how many there are. */
export function legacyBody(body: Buffer, id: string): (Omit<LegacyIntention, 'id'> & { permissions: number }) | Wrong {
  const decoded = decodeBody(body, FIELDS)
  if (isRefused(decoded)) return decodeFailed(decoded.why)
  const { SourceName: source = '', DestinationName: destination = '', SourceType: type = '' } = decoded
  const { Action: action = '', Description: description = '', Meta: meta = {}, Permissions: permissions = [] } = decoded
  if (id === '' && decoded.ID) return { status: 500, text: 'ID must be empty when creating a new intention' }
  const namespace = namespaceWrong('SourceNS', decoded.SourceNS) ?? namespaceWrong('DestinationNS', decoded.DestinationNS)
  if (namespace) return namespace
  const errors = [
    ...nameErrors('SourceName', source),
    ...nameErrors('DestinationName', destination),
    ...metaErrors(meta),
    ...(action === 'allow' || action === 'deny' || permissions.length > 0 ? [] : [`Action must be set to 'allow' or 'deny'`]),
    ...(type === '' || type === 'consul' ? [] : [`SourceType must be set to 'consul'`]),
  ]
  if (errors.length > 0) return { status: 500, text: listed(errors) }
  return { source, destination, action: action === 'allow' ? 'allow' : 'deny', permissions: permissions.length, description, meta }
}

/** The body of the exact interface; names in it must be those of the query. */
export function exactBody(body: Buffer, names: Names): { action: string; permissions: WrittenPermission[]; description: string } | Wrong {
  const decoded = decodeBody(body, FIELDS)
  if (isRefused(decoded)) return decodeFailed(decoded.why)
  const { SourceName, DestinationName, SourceType = '', Action = '', Description = '', Permissions = [], Meta = {} } = decoded
  const namespace = namespaceWrong('SourceNS', decoded.SourceNS) ?? namespaceWrong('DestinationNS', decoded.DestinationNS)
  if (namespace) return namespace
  if (SourceName && SourceName !== names.source) return bodyDiffers('SourceName', SourceName, 'source', names.source)
  if (DestinationName && DestinationName !== names.destination) {
    return bodyDiffers('DestinationName', DestinationName, 'destination', names.destination)
  }
  if (SourceType !== '' && SourceType !== 'consul') return { status: 500, text: `unsupported SourceType: ${JSON.stringify(SourceType)}` }
  if (Object.keys(Meta).length > 0) return { status: 500, text: 'Meta must not be specified' }
  const permissions = permissionsOf(Permissions)
  if (isRefused(permissions)) return decodeFailed(permissions.why)
  return { action: Action, permissions, description: Description }
}

/** `source` and `destination` of the query. Endpoints of Consul answer 500 where one is missing, our own 400. */
export function namesOf(query: URLSearchParams, missingStatus: 400 | 500 = 500): Names | Wrong {
  const names: Names = { source: '', destination: '' }
  for (const field of ['source', 'destination'] as const) {
    const written = query.get(field) ?? ''
    if (written === '') return { status: missingStatus, text: `required query parameter '${field}' not set` }
    const name = nameOf(written)
    if (isRefused(name)) return badNamespace(field, name.why)
    names[field] = name
  }
  return names
}

/** `name` or `namespace/name`; refused with the namespace that is not there. */
export function nameOf(written: string): Result<string> {
  const slash = written.indexOf('/')
  if (slash < 0) return written
  const namespace = written.slice(0, slash)
  return namespace.toLowerCase() === NAMESPACE ? written.slice(slash + 1) : refuse('invalid', namespace)
}

export function badNamespace(field: string, namespace: string): Wrong {
  return { status: 400, text: `Bad request: Invalid ${field}(${namespace}): Namespaces is a Consul Enterprise feature` }
}

const NAMESPACE = 'default'
const META_PAIRS_MAX = 64
const META_KEY_LENGTH_MAX = 128
const META_VALUE_LENGTH_MAX = 512

const FIELDS = {
  ID: 'string',
  Description: 'string',
  SourceNS: 'string',
  SourceName: 'string',
  DestinationNS: 'string',
  DestinationName: 'string',
  SourceType: 'string',
  Action: 'string',
  Permissions: 'list',
  Meta: 'texts',
  DefaultAddr: 'ignored',
  DefaultPort: 'ignored',
  Precedence: 'ignored',
  CreatedAt: 'ignored',
  UpdatedAt: 'ignored',
  Hash: 'ignored',
  CreateIndex: 'ignored',
  ModifyIndex: 'ignored',
} as const

const PERMISSION = { Action: 'string', HTTP: 'object' } as const
const MATCH = { PathExact: 'string', PathPrefix: 'string', PathRegex: 'string', Header: 'list', Methods: 'list' } as const
const HEADER = {
  Name: 'string',
  Present: 'boolean',
  Exact: 'string',
  Prefix: 'string',
  Suffix: 'string',
  Regex: 'string',
  Invert: 'boolean',
} as const

function permissionsOf(list: readonly unknown[]): Result<WrittenPermission[]> {
  return each(list, (item) => {
    const permission = decodeFields(item, PERMISSION)
    if (isRefused(permission)) return permission
    const { HTTP, ...action } = permission
    if (HTTP === undefined) return action
    const match = decodeFields(HTTP, MATCH)
    if (isRefused(match)) return match
    const { Header = [], Methods = [], ...paths } = match
    const headers = each(Header, (header): Result<Decoded<typeof HEADER>> => decodeFields(header, HEADER))
    if (isRefused(headers)) return headers
    const odd = Methods.find((method) => typeof method !== 'string')
    if (odd !== undefined)
      return refuse('invalid', `json: cannot unmarshal ${typeof odd} into field Permissions.HTTP.Methods of type string`)
    return { ...action, HTTP: { ...paths, Header: headers, Methods: Methods as string[] } }
  })
}

function each<Item>(list: readonly unknown[], read: (item: unknown) => Result<Item>): Result<Item[]> {
  const items: Item[] = []
  for (const item of list) {
    const one = read(item)
    if (isRefused(one)) return one
    items.push(one)
  }
  return items
}

function decodeFailed(why: string): Wrong {
  return { status: 400, text: `Bad request: Request decode failed: ${why}` }
}

function namespaceWrong(field: string, namespace = ''): Wrong | undefined {
  return namespace === '' || namespace.toLowerCase() === NAMESPACE ? undefined : badNamespace(field, namespace)
}

function bodyDiffers(field: string, value: string, parameter: string, wanted: string): Wrong {
  return { status: 400, text: `Bad request: ${field} (${value}) differs from the query parameter '${parameter}' (${wanted})` }
}

function nameErrors(field: string, name: string): string[] {
  if (name === '') return [`${field} must be set`]
  return name !== '*' && name.includes('*') ? [`${field}: wildcard character '*' cannot be used with partial values`] : []
}

function metaErrors(meta: Record<string, string>): string[] {
  const pairs = Object.entries(meta)
  if (pairs.length > META_PAIRS_MAX) return [`Meta exceeds maximum element count ${META_PAIRS_MAX}`]
  return pairs.flatMap(([key, value]) => {
    if (key.length > META_KEY_LENGTH_MAX) return [`Meta key ${JSON.stringify(key)} exceeds maximum length ${META_KEY_LENGTH_MAX}`]
    return value.length > META_VALUE_LENGTH_MAX
      ? [`Meta value for key ${JSON.stringify(key)} exceeds maximum length ${META_VALUE_LENGTH_MAX}`]
      : []
  })
}

/** Several errors in one text, as Consul lists them. */
function listed(errors: string[]): string {
  return `${errors.length} ${errors.length === 1 ? 'error' : 'errors'} occurred:\n${errors.map((error) => `\t* ${error}\n`).join('')}\n`
}
