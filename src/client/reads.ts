import type {
  AgentSelf,
  AgentService,
  CaRoots,
  CatalogNode,
  CatalogService,
  ConnectLeaf,
  HealthCheck,
  HealthEntry,
  Intention,
  KvPair,
  QueryResult,
  Service,
  Session,
  UserEvent,
} from './shapes.ts'
import type { Query, Reply } from './transport.ts'

/** A question to the API, and how its answer is read. */
export type Read<Value> = { path: string; query?: Query; also?: readonly number[]; value: (reply: Reply) => Value }

/** What a list may be narrowed down to, and ordered by. */
export type ListQuery = {
  /** An expression such as `ServiceMeta.version == "2"`. */
  filter?: string
  /** A node's name, or `_agent`: the nearest are first. */
  near?: string
  /** Nodes that have all of these. */
  nodeMeta?: Readonly<Record<string, string>>
}
export type ServiceQuery = ListQuery & {
  /** Instances that have all of these. */
  tags?: readonly string[]
}
export type HealthQuery = ServiceQuery & {
  /** Only instances whose checks all pass. */
  passing?: boolean
}

/** Every question this client knows, without its waiting. */
export const reads = {
  key: (key: string): Read<KvPair | undefined> => ({
    path: `/v1/kv/${encodePath(key)}`,
    also: [404],
    value: (reply) => (reply.status === 404 ? undefined : pairsOf(reply)[0]),
  }),
  prefix: (prefix: string): Read<KvPair[]> => ({
    path: `/v1/kv/${encodePath(prefix)}`,
    query: { recurse: true },
    also: [404],
    value: (reply) => (reply.status === 404 ? [] : pairsOf(reply)),
  }),
  keys: (prefix: string, separator?: string): Read<string[]> => ({
    path: `/v1/kv/${encodePath(prefix)}`,
    query: { keys: true, separator },
    also: [404],
    value: (reply) => (reply.status === 404 ? [] : json<string[]>(reply)),
  }),
  datacenters: (): Read<string[]> => plain('/v1/catalog/datacenters'),
  nodes: (query: ListQuery = {}): Read<CatalogNode[]> => plain('/v1/catalog/nodes', listQuery(query)),
  services: (query: ListQuery = {}): Read<Record<string, string[]>> => plain('/v1/catalog/services', listQuery(query)),
  catalogService: (name: string, query: ServiceQuery = {}): Read<CatalogService[]> =>
    plain(`/v1/catalog/service/${encodePath(name)}`, listQuery(query)),
  node: (name: string, query: Pick<ListQuery, 'filter'> = {}): Read<{ Node: CatalogNode; Services: Record<string, Service> } | null> =>
    plain(`/v1/catalog/node/${encodePath(name)}`, listQuery(query)),
  healthService: (name: string, query: HealthQuery = {}): Read<HealthEntry[]> =>
    plain(`/v1/health/service/${encodePath(name)}`, listQuery(query)),
  healthConnect: (name: string, query: HealthQuery = {}): Read<HealthEntry[]> =>
    plain(`/v1/health/connect/${encodePath(name)}`, listQuery(query)),
  healthNode: (name: string, query: Pick<ListQuery, 'filter'> = {}): Read<HealthCheck[]> =>
    plain(`/v1/health/node/${encodePath(name)}`, listQuery(query)),
  healthChecks: (service: string, query: ListQuery = {}): Read<HealthCheck[]> =>
    plain(`/v1/health/checks/${encodePath(service)}`, listQuery(query)),
  healthState: (state: 'any' | HealthCheck['Status'], query: ListQuery = {}): Read<HealthCheck[]> =>
    plain(`/v1/health/state/${state}`, listQuery(query)),
  self: (): Read<AgentSelf> => plain('/v1/agent/self'),
  agentServices: (query: Pick<ListQuery, 'filter'> = {}): Read<Record<string, AgentService>> =>
    plain('/v1/agent/services', listQuery(query)),
  agentChecks: (query: Pick<ListQuery, 'filter'> = {}): Read<Record<string, HealthCheck>> => plain('/v1/agent/checks', listQuery(query)),
  agentService: (id: string): Read<(AgentService & { ContentHash: string }) | undefined> => ({
    path: `/v1/agent/service/${encodePath(id)}`,
    also: [404],
    value: (reply) => (reply.status === 404 ? undefined : json(reply)),
  }),
  session: (id: string): Read<Session | undefined> => ({
    path: `/v1/session/info/${encodePath(id)}`,
    value: (reply) => json<Session[] | null>(reply)?.[0],
  }),
  sessions: (): Read<Session[]> => plain('/v1/session/list'),
  nodeSessions: (node: string): Read<Session[]> => plain(`/v1/session/node/${encodePath(node)}`),
  intentions: (query: Pick<ListQuery, 'filter'> = {}): Read<Intention[]> => plain('/v1/connect/intentions', listQuery(query)),
  intention: (source: string, destination: string): Read<Intention | undefined> => ({
    path: '/v1/connect/intentions/exact',
    query: { source, destination },
    also: [404],
    value: (reply) => (reply.status === 404 ? undefined : json(reply)),
  }),
  intentionsMatching: (by: 'source' | 'destination', name: string): Read<Intention[]> => ({
    path: '/v1/connect/intentions/match',
    query: { by, name },
    value: (reply) => json<Record<string, Intention[] | null>>(reply)[name] ?? [],
  }),
  /** The certificate of a service, with its key: a new one is made when there is none. */
  leaf: (service: string): Read<ConnectLeaf> => plain(`/v1/agent/connect/ca/leaf/${encodePath(service)}`),
  roots: (): Read<CaRoots> => plain('/v1/agent/connect/ca/roots'),
  /** Where what a prepared query finds can be reached over Connect. By name or id. */
  queryConnect: (query: string): Read<QueryResult> => plain(`/v1/query/${encodePath(query)}/execute`, { connect: true }),
  events: (name?: string): Read<UserEvent[]> => plain('/v1/event/list', { name }),
} as const

/** The text between slashes is encoded; slashes stay, because they are part of keys. */
export function encodePath(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replaceAll('%2F', '/')
}

/** The same answer with its index, 0 if it has none. */
export function indexed<Value>({ value, ...read }: Read<Value>): Read<{ index: number; value: Value }> {
  return { ...read, value: (reply) => ({ index: Number(reply.headers['x-consul-index'] ?? 0), value: value(reply) }) }
}

/** The body, whose shape is the API's promise. */
export function json<Value>({ text }: Pick<Reply, 'text'>): Value {
  return JSON.parse(text) as Value
}

function plain<Value>(path: string, query: Query = {}): Read<Value> {
  return { path, query, value: (reply) => json<Value>(reply) }
}

function listQuery({ filter, near, nodeMeta = {}, tags, passing }: HealthQuery): Query {
  const meta = Object.entries(nodeMeta).map(([name, value]) => `${name}:${value}`)
  return { filter, near, 'node-meta': meta, tag: tags, passing }
}

/** Flags have 64 bits; where they are too large for a number their digits are read as they stand. */
export function pairsOf({ text }: Pick<Reply, 'text'>): KvPair[] {
  if (!/"Flags":\s*\d{16}/.test(text)) return JSON.parse(text) as KvPair[]
  return parseWithSource(text, (key, value, { source }) =>
    key === 'Flags' && typeof value === 'number' && !Number.isSafeInteger(value) && source !== undefined ? BigInt(source) : value,
  ) as KvPair[]
}

type Reviver = (key: string, value: unknown, context: { source?: string }) => unknown

/** The source text access proposal (ES2026), in V8 since Node 22; before, there is no source. Its types are not in the library yet. */
const parseWithSource = (text: string, reviver: Reviver): unknown =>
  JSON.parse(text, ((key: string, value: unknown, context?: { source?: string }) => reviver(key, value, context ?? {})) as (
    key: string,
    value: unknown,
  ) => unknown)
