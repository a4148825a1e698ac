import { type Call, refOf } from '../../src/kernel/protocol.ts'

export type WatchesProtocol = {
  /** What is watched from now on. A watch that was there before goes on where it is; one that was not begins with its first answer. */
  reload: Call<WatchesArgs, null>
}

export const watchesRef = refOf<WatchesProtocol>('watches')

export type WatchesArgs = { watches: readonly WatchDefinition[] }

/** One entry of `watches`. Source: config §9. */
export type WatchDefinition = {
  readonly question: WatchQuestion
  /** '': this agent's own. */
  readonly datacenter: string
  readonly token: string
  /** Any server may answer, not only the leader. */
  readonly stale: boolean
  readonly handler: WatchHandler
}

export type WatchQuestion =
  /** The entry, or null. */
  | { readonly type: 'key'; readonly key: string }
  /** A list of entries, or null. */
  | { readonly type: 'keyprefix'; readonly prefix: string }
  /** Tags by service name. */
  | { readonly type: 'services' }
  | { readonly type: 'nodes' }
  /** Instances with their checks; those that have all `tags`. */
  | { readonly type: 'service'; readonly service: string; readonly tags: readonly string[]; readonly passingOnly: boolean }
  /** Checks of one service, or those in one state; of all if neither is given. */
  | { readonly type: 'checks'; readonly service: string; readonly state: string }
  /** User events; '' for those of every name. */
  | { readonly type: 'event'; readonly name: string }
  | { readonly type: 'connect_roots' }
  | { readonly type: 'connect_leaf'; readonly service: string }
  | { readonly type: 'agent_service'; readonly serviceId: string }
  /** A managed proxy, by the id of its own service. */
  | { readonly type: 'connect_proxy_config'; readonly proxyServiceId: string }

/** Who is told of an answer that is not the one before. */
export type WatchHandler =
  /** A program with its arguments: it reads the answer as JSON and has its index in CONSUL_INDEX. */
  | { readonly kind: 'script'; readonly args: readonly string[] }
  /** A request with the answer as its body and the index in X-Consul-Index. */
  | {
      readonly kind: 'http'
      readonly url: string
      readonly method: string
      readonly headers: Readonly<Record<string, string[]>>
      readonly timeoutMs: number
      readonly tlsSkipVerify: boolean
    }
