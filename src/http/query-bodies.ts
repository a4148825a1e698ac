import { HIDDEN_TOKEN, queryFault } from '../../actors/prepared-queries/index.ts'
import type { PreparedQuery, QueryRecord, ServiceQuery } from '../../actors/prepared-queries/tables.ts'
import { unknownField } from '../config/dialects.ts'
import { parseDuration } from '../config/durations.ts'
import { isRefused } from '../kernel/refusal.ts'
import { type Fields, Misfit, readFields } from './loose-body.ts'
import { jsonOf } from './parameters.ts'
import type { HttpReply } from './route.ts'

type Wrong = HttpReply & { status: number }

/** A prepared query as the API shows it. `visible`: whether whoever asks may see its token. */
export function shownQuery({ id, name, session, token, template, service, dns, ...query }: QueryRecord, visible: boolean): object {
  return {
    ID: id,
    Name: name,
    Session: session,
    Token: token === '' || visible ? token : HIDDEN_TOKEN,
    Template: { Type: template.type, Regexp: template.regexp, RemoveEmptyTags: template.removeEmptyTags },
    Service: {
      Service: service.service,
      Failover: { NearestN: service.failover.nearestN, Datacenters: service.failover.datacenters },
      OnlyPassing: service.onlyPassing,
      IgnoreCheckIDs: service.ignoreCheckIds,
      Near: service.near,
      Tags: service.tags,
      NodeMeta: service.nodeMeta,
      ServiceMeta: service.serviceMeta,
      Connect: service.connect,
    },
    DNS: { TTL: dns.ttl },
    CreateIndex: query.createIndex,
    ModifyIndex: query.modifyIndex,
  }
}

/** The body of a change. An empty one is a query without anything. */
export function queryBody(body: Buffer): { id: string; query: PreparedQuery } | Wrong {
  const json = body.byteLength === 0 ? { value: {} } : jsonOf(body)
  if (isRefused(json)) return decodeFailed(json.why)
  try {
    const fields = known(readFields(json.value ?? {}, ''), QUERY_KEYS)
    const ttl = known(part(fields, 'DNS'), DNS_KEYS).text('TTL')
    const ttlMs = ttl === '' ? 0 : parseDuration(ttl)
    const query: PreparedQuery = {
      name: fields.text('Name'),
      session: fields.text('Session'),
      token: fields.text('Token'),
      template: templateOf(known(part(fields, 'Template'), TEMPLATE_KEYS)),
      service: serviceOf(known(part(fields, 'Service'), SERVICE_KEYS)),
      dns: { ttl, ttlMs: isRefused(ttlMs) ? 0 : ttlMs },
    }
    const why = isRefused(ttlMs) ? `Bad DNS TTL '${ttl}': ${ttlMs.why}` : ttlMs < 0 ? `DNS TTL '${ttlMs * 1e6}', must be >=0` : undefined
    if (why !== undefined) return { status: 500, text: `Invalid prepared query: ${queryFault(query) ?? why}` }
    return { id: fields.text('ID'), query }
  } catch (error) {
    if (!(error instanceof Misfit)) throw error
    return decodeFailed(error.message)
  }
}

const QUERY_KEYS = ['ID', 'Name', 'Session', 'Token', 'Template', 'Service', 'DNS', 'CreateIndex', 'ModifyIndex']
const TEMPLATE_KEYS = ['Type', 'Regexp', 'RemoveEmptyTags']
const SERVICE_KEYS = ['Service', 'Failover', 'OnlyPassing', 'IgnoreCheckIDs', 'Near', 'Tags', 'NodeMeta', 'ServiceMeta', 'Connect']
const FAILOVER_KEYS = ['NearestN', 'Datacenters']
const DNS_KEYS = ['TTL']

function templateOf(fields: Fields): PreparedQuery['template'] {
  return { type: fields.text('Type'), regexp: fields.text('Regexp'), removeEmptyTags: fields.flag('RemoveEmptyTags') }
}

function serviceOf(fields: Fields): ServiceQuery {
  const failover = known(part(fields, 'Failover'), FAILOVER_KEYS)
  return {
    service: fields.text('Service'),
    failover: { nearestN: failover.number('NearestN'), datacenters: listOrNull(failover, 'Datacenters') },
    onlyPassing: fields.flag('OnlyPassing'),
    ignoreCheckIds: listOrNull(fields, 'IgnoreCheckIDs'),
    near: fields.text('Near'),
    tags: listOrNull(fields, 'Tags'),
    nodeMeta: fields.texts('NodeMeta'),
    serviceMeta: fields.texts('ServiceMeta'),
    connect: fields.flag('Connect'),
  }
}

function part(fields: Fields, key: string): Fields {
  return fields.object(key) ?? readFields({}, key)
}

function listOrNull(fields: Fields, key: string): string[] | null {
  return fields.has(key) ? fields.list(key) : null
}

/** The same fields, all of which have one of these names. */
function known(fields: Fields, keys: readonly string[]): Fields {
  const names = new Set(keys.map((key) => key.toLowerCase()))
  const unknown = Object.keys(fields.all()).find((key) => !names.has(key.toLowerCase()))
  if (unknown !== undefined) throw new Misfit(unknownField(unknown))
  return fields
}

function decodeFailed(why: string): Wrong {
  return { status: 400, text: `Bad request: Request decode failed: ${why}` }
}
