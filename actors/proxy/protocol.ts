import { type Call, type Feed, type Ref, refOf } from '../../src/kernel/protocol.ts'
import type { RefusalCode } from '../../src/kernel/refusal.ts'
import type { Token } from '../authorize.ts'
import type { RefusedKind, RefusedSide } from '../decisions/protocol.ts'
import type { FeedsProtocol } from '../feeds/protocol.ts'
import type { LeafProtocol } from '../leaf/protocol.ts'
import type { Ejection } from './outliers.ts'

/** One sidecar: it judges who may connect to its service, and finds whom its service wants to reach. */
export type ProxyProtocol = {
  /** How it is. Counters may be up to a second old. The index counts values. */
  status: Feed<null, ProxyStatus>
  /** Ends its listeners at once, and its connections after `drainMs` at the latest. Answered when all are gone; it can only be stopped
   * then. Refused with `conflict` if it is started again before that: it goes on then. */
  shutDown: Call<null, null>
}

export type ProxyArgs = {
  service: string
  datacenter: string
  token: Token
  /** Whom it asks about the cluster: the agent's own actors, or others that speak the same protocols. */
  feeds: Ref<FeedsProtocol>
  leaf: Ref<Pick<LeafProtocol, 'leaf'>>
  /** Where connections of the mesh arrive, and where they go. None: nobody can connect. */
  inbound: InboundArgs | null
  upstreams: UpstreamArgs[]
  /** Somebody follows its status as long as it is wanted. */
  supervised: boolean
  /** Refused connections are told to the actor `decisions`; not if not given. */
  recorded?: boolean
  /** How long connections may go on that its end, or that of an upstream, leaves behind. Not at all if not given. */
  drainMs?: number
}

export type InboundArgs = {
  address: string
  port: number
  handshakeMs: number
  /** The application. */
  localHost: string
  localPort: number
  /** Instead of host and port; '' for none. */
  localSocketPath: string
  connectWithinMs: number
  /** How many connections may be open, and come in a second; any number if not given. */
  connectionsMax?: number
  perSecondMax?: number
  /** The application hears first who connects, by version 2 of the PROXY protocol. */
  sendProxy?: 'v2'
}

export type UpstreamArgs = {
  /** The name of a service, or of a prepared query. */
  service: string
  query?: true
  address: string
  port: number
  /** Instead of address and port, and what the mode of its file is to be. */
  socketPath?: string
  socketMode?: number
  connectWithinMs: number
  /** How many connections may be open; any number if not given. */
  connectionsMax?: number
  /** Instances that cannot be reached are left out for a while; not if not given. */
  ejection?: Ejection
}

/** `failed`: it cannot listen, `why` says so, and it tries again. */
export type ProxyPhase = 'waiting' | 'listening' | 'failed'

export type ProxyStatus = {
  phase: ProxyPhase
  why: string
  /** How the system refused to listen. */
  refused: RefusalCode | ''
  address: string
  port: number
  upstreams: UpstreamStatus[]
  inboundOpen: number
  accepted: number
  refusedConnections: number
  /** Closed because an intention changed. */
  closedByIntentions: number
  /** How many connections of each side were refused for each kind of reason. */
  refusals: { side: RefusedSide; kind: RefusedKind; count: number }[]
  pairs: ProxyPair[]
} & InForce

export type UpstreamStatus = {
  service: string
  query: boolean
  address: string
  port: number
  socketPath: string
  phase: ProxyPhase
  why: string
  instances: number
  /** Healthy instances that are left out because they could not be reached. */
  ejected: string[]
  open: number
}

/** What holds for every new connection, and every open one. */
export type InForce = {
  /** The roots: their index, 0 before the first, and the ids of all that are trusted, sorted. */
  rootsIndex: number
  bundle: string[]
  /** The leaf; '' before the first. */
  leafSerial: string
  /** Key identifier of the root that signed it. */
  leafKeyId: string
  leafIssuedMs: number
  /** When its agent means to have a newer one, and why that failed; '' if it did not. */
  leafRenewAtMs: number
  leafWhy: string
  leafValidUntilMs: number
  /** Of the intentions; 0 before the first. */
  intentionIndex: number
  /** How long it took from hearing of these intentions until the last connection that they forbid was closed. */
  enforcedMs: number
  /** How many they closed. */
  closedConnections: number
}

/** What went between this service and another one. */
export type ProxyPair = {
  side: 'from' | 'to'
  service: string
  accepted: number
  refused: number
  open: number
  receivedBytes: number
  sentBytes: number
}

export function proxyRef(serviceId: string): Ref<ProxyProtocol> {
  return refOf<ProxyProtocol>('proxy', serviceId)
}
