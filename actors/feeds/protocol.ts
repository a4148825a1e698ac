import { type Feed, refOf } from '../../src/kernel/protocol.ts'
import type { TrustBundle } from '../ca/queries.ts'
import type { Rule } from '../intentions/decide.ts'
import type { MirroredRow } from '../mirror/rows.ts'

/** What sidecars need to know of the cluster, kept up to date. Only changed values are sent. */
export type FeedsProtocol = {
  /** Nothing comes before there is a certificate authority. */
  roots: Feed<null, TrustBundle>
  /** Every intention about connections to a service. */
  intentions: Feed<{ destination: string }, IntentionsOn>
  /** Healthy instances that accept mutual TLS connections for a service, ordered by node and id. */
  instances: Feed<{ service: string }, readonly ConnectInstance[]>
  /** Instances that accept mutual TLS connections and are what a prepared query asks for, by its name or id, in the same order. */
  query: Feed<{ query: string }, QueryInstances>
}

/** `why` there is no answer: no such query, or its template makes nothing of the name; '' if there is one. */
export type QueryInstances = { instances: readonly ConnectInstance[]; why: string }

export type IntentionsOn = {
  /** Those with the highest precedence first. */
  list: readonly Rule[]
  /** What holds where no intention matches. */
  defaultAllow: boolean
}

export type ConnectInstance = {
  node: string
  id: string
  /** IP address or name. */
  address: string
  port: number
  /** The service whose identity the instance has. */
  service: string
  datacenter: string
  weight: number
}

/** Of servers: also what agents need for themselves. */
export type ServerFeedsProtocol = FeedsProtocol & {
  /** Rows for an agent's own tables: see mirror/rows.ts. */
  mirror: Feed<{ node: string }, readonly MirroredRow[]>
}

export const feedsRef = refOf<ServerFeedsProtocol>('feeds')
