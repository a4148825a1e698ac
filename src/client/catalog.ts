import { type AskOptions, ask } from './ask.ts'
import type { WriteOptions } from './kv.ts'
import { encodePath, type HealthQuery, json, type ListQuery, type Read, reads, type ServiceQuery } from './reads.ts'
import type {
  CheckRegistration,
  CheckStatus,
  Intention,
  IntentionAction,
  ServiceRegistration,
  Session,
  SessionRequest,
  UserEvent,
} from './shapes.ts'
import type { Transport } from './transport.ts'

const reader =
  (transport: Transport) =>
  async <Value>(read: Read<Value>, options?: AskOptions): Promise<Value> =>
    (await ask(transport, read, options)).value

/** What the cluster knows of nodes and services. */
export function catalogOf(transport: Transport) {
  const of = reader(transport)
  return {
    datacenters: (options?: AskOptions) => of(reads.datacenters(), options),
    nodes: (options?: AskOptions & ListQuery) => of(reads.nodes(options), options),
    /** Tags by name. */
    services: (options?: AskOptions & ListQuery) => of(reads.services(options), options),
    /** Instances of a service, whatever their health. */
    service: (name: string, options?: AskOptions & ServiceQuery) => of(reads.catalogService(name, options), options),
    /** A node and its services by id; null if there is none. */
    node: (name: string, options?: AskOptions & Pick<ListQuery, 'filter'>) => of(reads.node(name, options), options),
  }
}

export function healthOf(transport: Transport) {
  const of = reader(transport)
  return {
    /** Instances of a service with their checks. */
    service: (name: string, options?: AskOptions & HealthQuery) => of(reads.healthService(name, options), options),
    /** Where a service can be reached over Connect. */
    connect: (name: string, options?: AskOptions & HealthQuery) => of(reads.healthConnect(name, options), options),
    /** Checks of a node and of all services on it. */
    node: (name: string, options?: AskOptions & Pick<ListQuery, 'filter'>) => of(reads.healthNode(name, options), options),
    /** Checks of a service. */
    checks: (service: string, options?: AskOptions & ListQuery) => of(reads.healthChecks(service, options), options),
    state: (state: 'any' | CheckStatus, options?: AskOptions & ListQuery) => of(reads.healthState(state, options), options),
  }
}

/** The agent that is asked, and what is registered with it. */
export function agentOf(transport: Transport) {
  const of = reader(transport)
  const put = async (
    path: string,
    options: WriteOptions & { query?: Record<string, string | boolean | undefined>; body?: object } = {},
  ) => {
    await transport.request('PUT', path, options)
  }
  return {
    self: (options?: AskOptions) => of(reads.self(), options),
    /** By id. */
    services: (options?: AskOptions & Pick<ListQuery, 'filter'>) => of(reads.agentServices(options), options),
    /** Undefined if there is none. */
    service: (id: string, options?: AskOptions) => of(reads.agentService(id), options),
    /** By id. */
    checks: (options?: AskOptions & Pick<ListQuery, 'filter'>) => of(reads.agentChecks(options), options),
    /** Registers a service, in place of the one with its id. Checks that are not among its own any more go with `replaceExistingChecks`. */
    register: (
      service: ServiceRegistration,
      { replaceExistingChecks, ...options }: WriteOptions & { replaceExistingChecks?: boolean } = {},
    ) => put('/v1/agent/service/register', { ...options, query: { 'replace-existing-checks': replaceExistingChecks }, body: service }),
    /** By the service's id. Its checks and its sidecar go with it. */
    deregister: (id: string, options?: WriteOptions) => put(`/v1/agent/service/deregister/${encodePath(id)}`, options),
    registerCheck: (check: CheckRegistration, options?: WriteOptions) => put('/v1/agent/check/register', { ...options, body: check }),
    deregisterCheck: (id: string, options?: WriteOptions) => put(`/v1/agent/check/deregister/${encodePath(id)}`, options),
    /** Says how a check with a TTL is; `output` is for people. */
    update: (id: string, status: CheckStatus, output = '', options?: WriteOptions) =>
      put(`/v1/agent/check/update/${encodePath(id)}`, { ...options, body: { Status: status, Output: output } }),
    /** A node under maintenance is in nobody's answers. */
    maintenance: (enable: boolean, reason?: string, options?: WriteOptions) =>
      put('/v1/agent/maintenance', { ...options, query: { enable: String(enable), reason } }),
    /** By the service's id. */
    serviceMaintenance: (id: string, enable: boolean, reason?: string, options?: WriteOptions) =>
      put(`/v1/agent/service/maintenance/${encodePath(id)}`, { ...options, query: { enable: String(enable), reason } }),
  }
}

export function sessionsOf(transport: Transport) {
  const of = reader(transport)
  return {
    /** Answers its id. Locks are easier with `client.lock`. */
    create: async (session: SessionRequest = {}, options: WriteOptions = {}): Promise<string> =>
      json<{ ID: string }>(await transport.request('PUT', '/v1/session/create', { ...options, body: session })).ID,
    /** A session that is not there is as good. */
    async destroy(id: string, options: WriteOptions = {}): Promise<void> {
      await transport.request('PUT', `/v1/session/destroy/${encodePath(id)}`, options)
    },
    /** Rejects with the status 404 if it has ended. */
    async renew(id: string, options: WriteOptions = {}): Promise<Session> {
      const [session] = json<[Session]>(await transport.request('PUT', `/v1/session/renew/${encodePath(id)}`, options))
      return session
    },
    /** Undefined if there is none. */
    info: (id: string, options?: AskOptions) => of(reads.session(id), options),
    list: (options?: AskOptions) => of(reads.sessions(), options),
    node: (name: string, options?: AskOptions) => of(reads.nodeSessions(name), options),
  }
}

/** Which services may talk to which. Names may be `*`. */
export function intentionsOf(transport: Transport) {
  const of = reader(transport)
  const exact = '/v1/connect/intentions/exact'
  return {
    /** Those with the highest precedence first. */
    list: (options?: AskOptions & Pick<ListQuery, 'filter'>) => of(reads.intentions(options), options),
    /** Undefined if there is none. */
    get: (source: string, destination: string, options?: AskOptions) => of(reads.intention(source, destination), options),
    /** All that say something about a service. */
    matching: (by: 'source' | 'destination', name: string, options?: AskOptions): Promise<Intention[]> =>
      of(reads.intentionsMatching(by, name), options),
    /** Creates it, or changes the one that there is. */
    async set(
      source: string,
      destination: string,
      action: IntentionAction,
      { description, ...options }: WriteOptions & { description?: string } = {},
    ): Promise<void> {
      const body = { Action: action, ...(description !== undefined && { Description: description }) }
      await transport.request('PUT', exact, { ...options, query: { source, destination }, body })
    },
    /** One that is not there is as good. */
    async delete(source: string, destination: string, options: WriteOptions = {}): Promise<void> {
      await transport.request('DELETE', exact, { ...options, query: { source, destination } })
    },
    /** Whether a connection would be allowed. */
    async check(source: string, destination: string, options: AskOptions = {}): Promise<boolean> {
      const read: Read<boolean> = {
        path: '/v1/connect/intentions/check',
        query: { source, destination },
        value: (reply) => json<{ Allowed: boolean }>(reply).Allowed,
      }
      return of(read, options)
    },
  }
}

export type FireOptions = WriteOptions & {
  /** Regular expressions: only agents that match take it. */
  node?: string
  service?: string
  /** Needs `service`. */
  tag?: string
}

export function eventsOf(transport: Transport) {
  const of = reader(transport)
  return {
    fire: async (
      name: string,
      payload: string | Uint8Array = '',
      { node, service, tag, ...options }: FireOptions = {},
    ): Promise<UserEvent> => {
      const query = { node, service, tag }
      return json<UserEvent>(await transport.request('PUT', `/v1/event/fire/${encodePath(name)}`, { ...options, query, body: payload }))
    },
    /** Those that this agent took; the oldest is first. */
    list: (name?: string, options?: AskOptions) => of(reads.events(name), options),
  }
}
