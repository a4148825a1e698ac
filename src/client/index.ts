import { type HttpFlags, httpSettings } from '../cli/http-settings.ts'
import { isRefused } from '../kernel/refusal.ts'
import { agentOf, catalogOf, eventsOf, healthOf, intentionsOf, sessionsOf } from './catalog.ts'
import { type Candidacy, type ElectOptions, elect } from './elect.ts'
import { ClientError } from './errors.ts'
import { kvOf } from './kv.ts'
import { type Lock, type LockOptions, takeLock } from './lock.ts'
import { createTransport, type Method, type Reply, type RequestOptions } from './transport.ts'
import { watchesOf } from './watch.ts'

export type { AskOptions } from './ask.ts'
export type { FireOptions } from './catalog.ts'
export type { Candidacy, ElectOptions } from './elect.ts'
export { ClientError, ConnectionError, LockConflictError, LockTimeoutError, ResponseError, SessionLostError } from './errors.ts'
export type { PutOptions, WriteOptions } from './kv.ts'
export type { Lock, LockOptions } from './lock.ts'
export type { HealthQuery, ListQuery, ServiceQuery } from './reads.ts'
export type * from './shapes.ts'
export type { Method, Query, Reply, RequestOptions } from './transport.ts'
export { base64, bytesOf, textOf } from './values.ts'
export type { WatchOptions } from './watch.ts'

/** What is not given here comes from the environment, as with Consul's own clients, and then from their defaults. */
export type ClientOptions = {
  /** `host:port`, with `http://` or `https://` before it if need be, or `unix:///path`. CONSUL_HTTP_ADDR, then 127.0.0.1:8500. */
  address?: string
  /** CONSUL_HTTP_TOKEN, or what the file in CONSUL_HTTP_TOKEN_FILE holds. */
  token?: string
  /** Where questions go that do not say. Default: the agent's own. */
  datacenter?: string
  /** Let any server answer, not only the leader, where a question does not say. */
  stale?: boolean
  /** Paths of PEM files: CONSUL_CACERT, CONSUL_CAPATH, CONSUL_CLIENT_CERT and CONSUL_CLIENT_KEY. */
  caFile?: string
  caPath?: string
  certFile?: string
  keyFile?: string
  /** CONSUL_TLS_SERVER_NAME. */
  tlsServerName?: string
  /** How long an answer may take, besides what it is asked to wait. Default: 30 s. */
  timeoutMs?: number
  /** Default: that of this process. */
  env?: Readonly<Record<string, string | undefined>>
}

const TIMEOUT_MS = 30_000

/** A client of an agent's HTTP API. Throws a ClientError if the options or the environment make no sense. */
export function createClient(options: ClientOptions = {}) {
  const settings = httpSettings(flagsOf(options), options.env ?? process.env)
  if (isRefused(settings)) throw new ClientError(settings.why)
  const transport = createTransport(settings, options.timeoutMs ?? TIMEOUT_MS)
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

function flagsOf({ address, token, datacenter, stale, caFile, caPath, certFile, keyFile, tlsServerName }: ClientOptions): HttpFlags {
  return {
    ...(address !== undefined && { 'http-addr': address }),
    ...(token !== undefined && { token }),
    ...(datacenter !== undefined && { datacenter }),
    ...(stale !== undefined && { stale }),
    ...(caFile !== undefined && { 'ca-file': caFile }),
    ...(caPath !== undefined && { 'ca-path': caPath }),
    ...(certFile !== undefined && { 'client-cert': certFile }),
    ...(keyFile !== undefined && { 'client-key': keyFile }),
    ...(tlsServerName !== undefined && { 'tls-server-name': tlsServerName }),
  }
}
