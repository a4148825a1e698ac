import { type AskOptions, ask } from './ask.ts'
import { encodePath, json, reads } from './reads.ts'
import type { KvPair, TxnAnswer, TxnOperation } from './shapes.ts'
import type { Query, Transport } from './transport.ts'
import { textOf } from './values.ts'

export type WriteOptions = Omit<AskOptions, 'consistency'>

export type PutOptions = WriteOptions & {
  /** A number of the user's own, of up to 64 bits. */
  flags?: number | bigint
  /** Only if the entry's ModifyIndex is this one; 0: only if there is none. */
  cas?: number
  /** Only if this session has or gets the lock. */
  acquire?: string
  /** Only if this session has the lock, which is given back. */
  release?: string
}

export function kvOf(transport: Transport) {
  const change = async (method: 'PUT' | 'DELETE', key: string, query: Query, options: WriteOptions, body?: string | Uint8Array) =>
    json<boolean>(await transport.request(method, `/v1/kv/${encodePath(key)}`, { ...options, query, body }))
  return {
    /** The entry; undefined if there is none. */
    get: async (key: string, options?: AskOptions): Promise<KvPair | undefined> => (await ask(transport, reads.key(key), options)).value,
    /** The value as UTF-8; undefined if there is no entry. */
    async text(key: string, options?: AskOptions): Promise<string | undefined> {
      const { value: pair } = await ask(transport, reads.key(key), options)
      return pair && textOf(pair)
    },
    /** All entries whose keys begin with it, in order. */
    list: async (prefix: string, options?: AskOptions): Promise<KvPair[]> => (await ask(transport, reads.prefix(prefix), options)).value,
    /** The keys that begin with it. With a separator, only up to its next one. */
    keys: async (prefix: string, options?: AskOptions & { separator?: string }): Promise<string[]> =>
      (await ask(transport, reads.keys(prefix, options?.separator), options)).value,
    /** Answers whether the condition held, if there was one. */
    put: (key: string, value: string | Uint8Array, { flags, cas, acquire, release, ...options }: PutOptions = {}): Promise<boolean> =>
      change('PUT', key, { flags, cas, acquire, release }, options, value),
    /** Answers whether the condition held; true if there was nothing to delete. `recurse`: all keys that begin with it. */
    delete: (key: string, { cas, recurse, ...options }: WriteOptions & { cas?: number; recurse?: boolean } = {}): Promise<boolean> =>
      change('DELETE', key, { cas, recurse }, options),
    /** Up to 64 operations at one index, or none of them: then `Errors` says why. */
    txn: async (operations: readonly TxnOperation[], options: WriteOptions = {}): Promise<TxnAnswer> =>
      json<TxnAnswer>(await transport.request('PUT', '/v1/txn', { ...options, body: [...operations], also: [409] })),
  }
}
