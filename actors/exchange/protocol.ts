import type { DnsAsked, HttpAnswered, HttpAsked } from '../../src/kernel/ports.ts'
import { type Call, refOf } from '../../src/kernel/protocol.ts'
import type { Instance } from '../catalog/queries.ts'
import type { KeyAnswer, KeyRequest } from '../membership/protocol.ts'
import type { ServiceQuery } from '../prepared-queries/tables.ts'

/** What agents that are no servers have a server answer in their place, and what servers of other datacenters may ask. `invalid`: it is no such
 * request. */
export type ExchangeProtocol = {
  /** Blocks as the API does. `number` is the asker's own, for what follows. Of a long answer only the beginning comes; `bytesTotal` says
   * how long it is. `gone`: it was given up. */
  http: Call<{ number: number; request: HttpAsked }, HttpAnswered & { bytesTotal: number }>
  /** What follows in a long answer, from this byte on. `gone`: it is not kept any more. */
  more: Call<{ number: number; from: number }, { bytes: Uint8Array }>
  /** The records that answer a DNS question. */
  dns: Call<{ number: number; question: DnsAsked }, { records: object }>
  /** What a prepared query of another datacenter finds here, in no order, and not more than it makes sense to try; `limit` 0: all. */
  execute: Call<{ query: ServiceQuery; connect: boolean; limit: number }, { instances: Instance[] }>
  /** What each member of this datacenter says to a question about its keys of gossip. `invalid`: it is no such question. */
  keyring: Call<KeyRequest, KeyAnswer[]>
  /** Nobody waits for this answer any more. */
  giveUp: Call<{ number: number }, null>
}

export const exchangeRef = refOf<ExchangeProtocol>('exchange')
