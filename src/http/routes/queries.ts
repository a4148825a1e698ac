import { authorize } from '../../../actors/authorize.ts'
import type { Instance } from '../../../actors/catalog/queries.ts'
import { inOrder, queryInstances } from '../../../actors/prepared-queries/execute.ts'
import { queriesRef } from '../../../actors/prepared-queries/index.ts'
import { queryById, queryList, resolveQuery } from '../../../actors/prepared-queries/queries.ts'
import type { QueryRecord } from '../../../actors/prepared-queries/tables.ts'
import { sessionId } from '../../../actors/sessions/ids.ts'
import { isRefused, type Result, refuse } from '../../kernel/refusal.ts'
import type { View } from '../../kernel/tables.ts'
import { healthShape } from '../catalog-shapes.ts'
import { failOver, mayFailOver } from '../failover.ts'
import { parseBool } from '../parameters.ts'
import { queryBody, shownQuery } from '../query-bodies.ts'
import { type EdgeSettings, type HttpReply, type HttpRequest, question, type Reading, type Route } from '../route.ts'
import { fromAbroad } from '../wan-addresses.ts'

/** Texts of refusals are errors of the server in Consul, not of the client. */
const STATUS_OF = { invalid: 500, missing: 500, conflict: 500 } as const
const NOT_FOUND: HttpReply = { status: 404, text: 'Query not found' }

/** GET /v1/query */
export const queryListRoute: Route = {
  method: 'GET',
  path: '/v1/query',
  saysConsistency: true,
  read({ token }, view) {
    const { index, queries } = queryList(view)
    const visible = maySeeTokens(view, token)
    return { index, json: queries.map((query) => shownQuery(query, visible)) }
  },
}

/** POST /v1/query */
export const queryCreateRoute: Route = {
  method: 'POST',
  path: '/v1/query',
  statusOf: STATUS_OF,
  ask({ body, token }) {
    const given = queryBody(body)
    if ('status' in given) return given
    if (given.id !== '') return { status: 500, text: 'ID must be empty when creating a new prepared query' }
    return question(queriesRef, 'create', { query: given.query, token })
  },
  reply: ({ id }: { id: string }) => ({ json: { ID: id } }),
}

/** GET /v1/query/:id, /v1/query/:idOrName/execute and /v1/query/:idOrName/explain */
export const queryGetRoute: Route = {
  method: 'GET',
  path: '/v1/query/*rest',
  saysConsistency: true,
  saysCache: ({ rest }) => rest.endsWith('/execute'),
  metric: ({ rest }) =>
    rest.endsWith('/execute') ? 'prepared-query.execute' : rest.endsWith('/explain') ? 'prepared-query.explain' : undefined,
  otherwise(request, view, settings) {
    const { rest } = request
    if (!rest.endsWith('/execute')) return undefined
    const execution = executionOf(request, rest.slice(0, -'/execute'.length), view)
    if (!('query' in execution) || !mayFailOver(execution.query.service)) return undefined
    const { query, connect, limit } = execution
    if (queryInstances(view, query.service, connect).length > 0) return undefined
    return ({ host, onGone }, done) => {
      const stop = failOver(host, settings, { query: query.service, connect, limit }, ({ instances, datacenter, asked }) => {
        done(() => answered(request, resultOf(query, settings.wanAddresses ? instances.map(fromAbroad) : instances, datacenter, asked)))
      })
      onGone(stop)
    }
  },
  read(request, view, settings) {
    const { rest } = request
    if (rest.endsWith('/execute')) return executed(request, rest.slice(0, -'/execute'.length), view, settings)
    if (rest.endsWith('/explain')) return explained(request, rest.slice(0, -'/explain'.length), view)
    return byId(request, view)
  },
}

/** PUT /v1/query/:id */
export const queryUpdateRoute: Route = {
  method: 'PUT',
  path: '/v1/query/*id',
  statusOf: STATUS_OF,
  ask({ rest, body, token }) {
    const given = queryBody(body)
    if ('status' in given) return given
    const id = queryId(rest)
    return isRefused(id) ? lookupFailed(id.why) : question(queriesRef, 'update', { id, query: given.query, token })
  },
  reply: () => ({}),
}

/** DELETE /v1/query/:id */
export const queryDeleteRoute: Route = {
  method: 'DELETE',
  path: '/v1/query/*id',
  statusOf: STATUS_OF,
  ask({ rest, token }) {
    const id = queryId(rest)
    return isRefused(id) ? lookupFailed(id.why) : question(queriesRef, 'delete', { id, token })
  },
  reply: () => ({}),
}

export const queryRoutes: readonly Route[] = [queryListRoute, queryCreateRoute, queryGetRoute, queryUpdateRoute, queryDeleteRoute]

function byId({ rest, token }: HttpRequest, view: View): Reading | HttpReply {
  const id = queryId(rest)
  if (isRefused(id)) return { status: 500, headers: UNKNOWN_STATE, text: id.why }
  const { index, query } = queryById(view, id)
  return query ? { index, json: [shownQuery(query, maySeeTokens(view, token))] } : NOT_FOUND
}

function executed(request: HttpRequest, name: string, view: View, settings: EdgeSettings): HttpReply {
  const execution = executionOf(request, name, view)
  if (!('query' in execution)) return execution
  const { query, connect, limit } = execution
  const source = { agent: settings.node, ip: sourceIp(request), near: request.query.get('near') ?? '', chance: settings.chance }
  const instances = inOrder(view, queryInstances(view, query.service, connect), query.service, source)
  const shown = limit > 0 ? instances.slice(0, limit) : instances
  return answered(request, resultOf(query, settings.isAbroad ? shown.map(fromAbroad) : shown, settings.datacenter, 0))
}

type Execution = { query: QueryRecord; connect: boolean; limit: number }

function executionOf({ query: parameters }: HttpRequest, name: string, view: View): Execution | HttpReply {
  const limit = limitOf(parameters.get('limit') ?? '')
  if (isRefused(limit)) return { status: 500, text: limit.why }
  const connectText = parameters.get('connect') ?? ''
  const connect = connectText === '' ? false : parseBool(connectText)
  if (connect === undefined) {
    const why = `strconv.ParseBool: parsing ${JSON.stringify(connectText)}: invalid syntax`
    return { status: 500, text: `Error parsing 'connect' value: ${why}` }
  }
  const query = resolveQuery(view, name)
  if (query === undefined) return NOT_FOUND
  return isRefused(query) ? { status: 500, text: query.why } : { query, connect, limit }
}

function resultOf({ service, dns }: QueryRecord, instances: readonly Instance[], datacenter: string, failovers: number): object {
  return {
    Service: service.service,
    Nodes: instances.map((instance) => shownInstance(instance, datacenter)),
    DNS: { TTL: dns.ttl },
    Datacenter: datacenter,
    Failovers: failovers,
  }
}

function explained(request: HttpRequest, name: string, view: View): HttpReply {
  const query = resolveQuery(view, name)
  if (query === undefined) return NOT_FOUND
  if (isRefused(query)) return { status: 500, text: query.why }
  return answered(request, { Query: shownQuery(query, maySeeTokens(view, request.token)) })
}

/** An answer that says itself how it was found. It is never waited for. */
function answered({ query }: HttpRequest, found: object): HttpReply {
  const consistency = query.has('consistent') ? 'consistent' : query.has('stale') ? 'stale' : 'leader'
  return {
    headers: {
      'X-Consul-Index': '1',
      'X-Consul-Knownleader': 'true',
      'X-Consul-Lastcontact': '0',
      'X-Consul-Effective-Consistency': consistency,
      'X-Consul-Query-Backend': 'blocking-query',
    },
    json: { ...found, Index: 1, LastContact: 0, KnownLeader: true, ConsistencyLevel: consistency, NotModified: false, Backend: 0 },
  }
}

/** What Consul says of its state where it failed before it looked. */
const UNKNOWN_STATE = { 'X-Consul-Index': '1', 'X-Consul-Knownleader': 'false', 'X-Consul-Lastcontact': '0' }

/** Checks of nodes have no tags at all here. */
function shownInstance(instance: Instance, datacenter: string): object {
  const shape = healthShape(instance, datacenter)
  const checks = shape['Checks'] as Record<string, unknown>[]
  return { ...shape, Checks: checks.map((check) => (check['ServiceID'] === '' ? { ...check, ServiceTags: null } : check)) }
}

/** Where a request comes from, as the first of the proxies on its way saw it. */
function sourceIp({ headers, from }: HttpRequest): string {
  const forwarded = headers['x-forwarded-for']
  const first = (Array.isArray(forwarded) ? forwarded[0] : forwarded)?.split(',')[0]?.trim() ?? ''
  return first === '' ? from : first
}

function limitOf(text: string): Result<number> {
  if (text === '') return 0
  const wrong = /^[+-]?\d+$/.test(text) ? (isInt64(BigInt(text.replace('+', ''))) ? undefined : 'value out of range') : 'invalid syntax'
  return wrong === undefined ? Number(text) : refuse('invalid', `Bad limit: strconv.Atoi: parsing ${JSON.stringify(text)}: ${wrong}`)
}

function isInt64(value: bigint): boolean {
  return BigInt.asIntN(64, value) === value
}

function maySeeTokens(view: View, token: string): boolean {
  return authorize(view, token, { resource: 'acl', name: '', access: 'write' }) === undefined
}

/** The id as it is stored. */
function queryId(text: string): Result<string> {
  const id = sessionId(text)
  return isRefused(id) ? refuse('invalid', id.why.replace('failed session lookup', 'failed prepared query lookup')) : id
}

function lookupFailed(why: string): HttpReply {
  return { status: 500, text: `Prepared Query lookup failed: ${why}` }
}
