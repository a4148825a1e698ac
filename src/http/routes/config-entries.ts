import { type ConfigEntry, isConfigKind, OTHER_KINDS } from '../../../actors/config-entries/entry.ts'
import { configEntriesRef } from '../../../actors/config-entries/index.ts'
import { configEntry, configList, type StoredEntry } from '../../../actors/config-entries/queries.ts'
import type { DefaultsContent, UpstreamSettings } from '../../../actors/config-entries/tables.ts'
import { precedenceOf } from '../../../actors/intentions/decide.ts'
import type { IntentionSource } from '../../../actors/intentions/tables.ts'
import { configEntryOf } from '../../config/entries/index.ts'
import { isRefused, type Result } from '../../kernel/refusal.ts'
import { goTime } from '../go-time.ts'
import { jsonOf } from '../parameters.ts'
import { type HttpReply, question, type Route } from '../route.ts'
import { warningHeaders } from '../warnings.ts'

/** PUT /v1/config */
export const configWriteRoute: Route = {
  method: 'PUT',
  path: '/v1/config',
  statusOf: { invalid: 500 },
  ask({ body, query, token }) {
    const decoded = jsonOf(body)
    if (isRefused(decoded)) return decodingFailed(decoded.why)
    const entry = configEntryOf(decoded.value)
    if (isRefused(entry)) return entry.refused === 'invalid' ? decodingFailed(entry.why) : { status: 500, text: entry.why }
    const cas = casOf(query.get('cas'))
    if (isRefused(cas)) return { status: 400, text: cas.why }
    return question(configEntriesRef, 'write', { entry, token, ...(cas !== undefined && { cas }) })
  },
  enforces: ({ entry }: { entry: ConfigEntry }) => intentionsOf(entry),
  reply: ({ applied, warnings }: { applied: boolean; warnings: string[] }) => ({ json: applied, ...warningHeaders(warnings) }),
}

/** GET /v1/config/:kind and /v1/config/:kind/:name */
export const configReadRoute: Route = {
  method: 'GET',
  path: '/v1/config/*entry',
  read({ rest }, view) {
    const [kind, name] = partsOf(rest)
    if (OTHER_KINDS.includes(kind)) {
      const { index } = configList(view, '')
      return name === '' ? { index, json: [] } : { index, ...notFound(kind, name) }
    }
    if (kind !== '' && !isConfigKind(kind)) return { status: 500, text: `invalid config entry kind: ${kind}` }
    if (kind === '' || name === '') {
      const { index, entries } = configList(view, kind)
      return { index, json: entries.map(shownEntry) }
    }
    const { index, entry } = configEntry(view, kind, name)
    return entry ? { index, json: shownEntry(entry) } : { index, ...notFound(kind, name) }
  },
}

/** DELETE /v1/config/:kind/:name */
export const configDeleteRoute: Route = {
  method: 'DELETE',
  path: '/v1/config/*entry',
  ask({ rest, token }) {
    const [kind, name] = partsOf(rest)
    if (kind === '' || name === '') return { status: 404, text: 'Must provide both a kind and name to delete' }
    if (OTHER_KINDS.includes(kind)) return { json: {} }
    if (!isConfigKind(kind)) return { status: 400, text: `Bad request: invalid config entry kind: ${kind}` }
    return question(configEntriesRef, 'delete', { kind, name, token })
  },
  enforces: (entry: Pick<ConfigEntry, 'kind' | 'name'>) => intentionsOf(entry),
  reply: () => ({ json: {} }),
}

/** An entry as the API shows it, in the order of Consul's fields. */
export function shownEntry(entry: StoredEntry): object {
  const { kind, name, createIndex, modifyIndex } = entry
  const indexes = { CreateIndex: createIndex, ModifyIndex: modifyIndex }
  if (entry.kind === 'service-intentions') {
    const meta = Object.keys(entry.meta).length > 0 && { Meta: entry.meta }
    return { Kind: kind, Name: name, Sources: entry.sources.map((source) => shownSource(source, name)), ...meta, ...indexes }
  }
  const { content } = entry
  const own = kind === 'proxy-defaults' ? { Config: content.Config ?? {} } : { Protocol: content.Protocol ?? '' }
  return { Kind: kind, Name: name, ...own, ...shownDefaults(content), ...indexes }
}

function shownDefaults({ Mode, TransparentProxy, MeshGateway, Expose, ExternalSNI, UpstreamConfig, Meta }: DefaultsContent): object {
  return {
    ...(Mode !== undefined && { Mode }),
    TransparentProxy: TransparentProxy ?? {},
    MeshGateway: MeshGateway ?? {},
    Expose: Expose ?? {},
    ...(ExternalSNI !== undefined && { ExternalSNI }),
    ...(UpstreamConfig && { UpstreamConfig: shownUpstreams(UpstreamConfig) }),
    ...(Meta && { Meta }),
  }
}

function shownUpstreams({ Overrides, Defaults }: NonNullable<DefaultsContent['UpstreamConfig']>): object {
  const shown = (settings: UpstreamSettings) => ({ ...settings, MeshGateway: settings.MeshGateway ?? {} })
  return { ...(Overrides && { Overrides: Overrides.map(shown) }), ...(Defaults && { Defaults: shown(Defaults) }) }
}

function shownSource({ name, action, permissions, description, legacy }: IntentionSource, destination: string): object {
  const meta = legacy?.meta ?? {}
  return {
    Name: name,
    ...(permissions ? { Permissions: permissions } : { Action: action }),
    Precedence: precedenceOf({ source: name, destination }),
    ...(legacy && { LegacyID: legacy.id }),
    Type: 'consul',
    ...(description !== '' && { Description: description }),
    ...(Object.keys(meta).length > 0 && { LegacyMeta: meta }),
    ...(legacy && { LegacyCreateTime: goTime(legacy.createdMs), LegacyUpdateTime: goTime(legacy.updatedMs) }),
  }
}

/** The destination whose intentions an entry is. */
function intentionsOf({ kind, name }: Pick<ConfigEntry, 'kind' | 'name'>): string | undefined {
  return kind === 'service-intentions' ? name : undefined
}

function partsOf(rest: string): [kind: string, name: string] {
  const slash = rest.indexOf('/')
  return slash < 0 ? [rest, ''] : [rest.slice(0, slash), rest.slice(slash + 1)]
}

function notFound(kind: string, name: string): HttpReply {
  return { status: 404, text: `Config entry not found for ${JSON.stringify(kind)} / ${JSON.stringify(name)}` }
}

function decodingFailed(why: string): HttpReply {
  return { status: 400, text: `Bad request: Request decoding failed: ${why}` }
}

function casOf(text: string | null): Result<number> | undefined {
  if (text === null || text === '') return undefined
  if (/^\d{1,20}$/.test(text)) return Number(text)
  return {
    refused: 'invalid',
    why: `Bad request: Error parsing cas value: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
  }
}
