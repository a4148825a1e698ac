import { type Call, type Cast, type Feed, refOf } from '../../src/kernel/protocol.ts'
import type { Token } from '../authorize.ts'

/** Who was refused on this agent and why, kept in memory: as many pairs and causes as `rows.ts` says, the newest ones. */
export type DecisionsProtocol = {
  /** Somebody was refused. */
  refused: Cast<Refused>
  /** What somebody else's data plane has refused, as whoever leads it says. */
  add: Call<{ refused: Told[]; token: Token }, null>
  /** What is kept about a source and a destination, '' for any, the newest last. */
  list: Call<About, RefusedRow[]>
  /** The same, again whenever one of them is refused. The index grows with each refusal and is never 0; it begins anew with the agent. */
  decisions: Feed<About, readonly RefusedRow[]>
}

export type About = { source: string; destination: string; token: Token }

/**
 * What was refused: `inbound` a connection of the mesh by the sidecar of the destination, `outbound` one of an application by the
 * sidecar of the source, `authorize` a question of somebody who speaks Connect by itself.
 */
export type RefusedSide = 'inbound' | 'outbound' | 'authorize'

/**
 * `intention`: one decided; `default`: none matched; `identity`: it is nobody of this mesh; `handshake`: it did not get as far as
 * showing who it is; `no-instance`: no instance of the destination is healthy; `unreachable`: none took it; `application`: the
 * application did not; `limit`: there were too many;
 * `not-ready`: the sidecar has no certificate or no intentions yet.
 */
export const REFUSED_KINDS = [
  'intention',
  'default',
  'identity',
  'handshake',
  'no-instance',
  'unreachable',
  'application',
  'limit',
  'not-ready',
] as const
export type RefusedKind = (typeof REFUSED_KINDS)[number]

/** What refusals of one row have in common. */
export type RefusedCause = {
  side: RefusedSide
  /** A service's name; '' if it is not known. */
  source: string
  destination: string
  kind: RefusedKind
  /** The rule that decided, or what went wrong in words. */
  cause: string
}

/** One that was refused. What is not known is ''. */
export type Occurrence = {
  atMs: number
  /** SPIFFE id of the source. */
  uri: string
  /** Of its certificate, colon-separated hex. */
  serial: string
  /** Address and port it came from. */
  from: string
}

/** `count`: how often; the occurrence is the newest of them. Once if not given. */
export type Refused = RefusedCause & Occurrence & { count?: number }
/** By the data plane of the destination, if inbound, or of the source. */
export type Told = Omit<Refused, 'atMs'> & { side: 'inbound' | 'outbound' }

export type RefusedRow = RefusedCause & {
  count: number
  firstMs: number
  lastMs: number
  /** The newest ones, the newest last. */
  newest: Occurrence[]
  /** Of the newest of them; grows over all rows. */
  index: number
}

export const decisionsRef = refOf<DecisionsProtocol>('decisions')
