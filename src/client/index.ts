import { agentOf, catalogOf, eventsOf, healthOf, intentionsOf, sessionsOf } from './catalog.ts'
import { type Candidacy, type ElectOptions, elect } from './elect.ts'
import { kvOf } from './kv.ts'
import { type Lock, type LockOptions, takeLock } from './lock.ts'
import { type ClientOptions, transportOf } from './options.ts'
import type { Method, Reply, RequestOptions } from './transport.ts'
import { watchesOf } from './watch.ts'

export type { AskOptions } from './ask.ts'
export type { FireOptions } from './catalog.ts'
export type { DialOptions } from './connect/dial.ts'
export type { ConnectEvent } from './connect/events.ts'
export type { Guarded } from './connect/guard.ts'
export type { Connector } from './connect/http-agent.ts'
export { type ConnectOptions, connect } from './connect/index.ts'
export type { ConnectServer, ListenOptions, SocketHandler } from './connect/listen.ts'
export type { Peer } from './connect/peer.ts'
export type { ConnectService, ConnectTlsOptions, ServiceOptions } from './connect/service.ts'
export type { Target } from './connect/target.ts'
export type { Candidacy, ElectOptions } from './elect.ts'
export { ClientError, ConnectionError, DialError, LockConflictError, LockTimeoutError, ResponseError, SessionLostError } from './errors.ts'
export type { PutOptions, WriteOptions } from './kv.ts'
export type { Lock, LockOptions } from './lock.ts'
export type { ClientOptions } from './options.ts'
export type { HealthQuery, ListQuery, ServiceQuery } from './reads.ts'
export type * from './shapes.ts'
export type { Method, Query, Reply, RequestOptions } from './transport.ts'
export { base64, bytesOf, textOf } from './values.ts'
export type { WatchOptions } from './watch.ts'

/** A client of an agent's HTTP API. Throws a ClientError if the options or the environment make no sense. */
export function createClient(options: ClientOptions = {}) {
  const transport = transportOf(options)
  return {
    kv: kvOf(transport),
    catalog: catalogOf(transport),
    health: healthOf(transport),
    agent: agentOf(transport),
    sessions: sessionsOf(transport),
    intentions: intentionsOf(transport),
    events: eventsOf(transport),
    /** Async iterators of what an answer is now, and of what it becomes. */
    watch: watchesOf(transport),
    /** Waits for the lock of a key, takes it, and renews it until it is released or lost. */
    lock: (key: string, lockOptions?: LockOptions): Promise<Lock> => takeLock(transport, key, lockOptions),
    /** Stands for election at a key: an async iterator of what this candidate is. */
    elect: (key: string, electOptions?: ElectOptions): AsyncGenerator<Candidacy, void, undefined> => elect(transport, key, electOptions),
    /** Any other request. `path` begins with `/v1/` and is encoded. Rejects unless the status is 200 to 299 or among `also`. */
    request: (method: Method, path: string, requestOptions?: RequestOptions): Promise<Reply> =>
      transport.request(method, path, requestOptions),
    /** Ends idle connections. They do not keep a process from ending. */
    close: (): void => transport.close(),
  }
}

export type Client = ReturnType<typeof createClient>
