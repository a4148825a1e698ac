import { type Call, type Feed, type Ref, refOf } from '../../src/kernel/protocol.ts'
import type { RefusalCode } from '../../src/kernel/refusal.ts'
import type { Token } from '../authorize.ts'
import type { FeedsProtocol } from '../feeds/protocol.ts'
import type { LeafProtocol } from '../leaf/protocol.ts'

/** One sidecar: it judges who may connect to its service, and finds whom its service wants to reach. */
export type ProxyProtocol = {
  /** How it is. Counters may be up to a second old. The index counts values. */
  status: Feed<null, ProxyStatus>
  /** Ends its listeners and connections. Answered when they are given up; it can only be stopped then. */
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
}

export type UpstreamArgs = { service: string; address: string; port: number; connectWithinMs: number }

/** `failed`: it cannot listen, `why` says so, and it tries again. */
export type ProxyPhase = 'waiting' | 'listening' | 'failed'

export type ProxyStatus = {
  phase: ProxyPhase
  why: string
  /** How the system refused to listen. */
  refused: RefusalCode | ''
  address: string
  port: number
  upstreams: { service: string; address: string; port: number; phase: ProxyPhase; why: string; instances: number; open: number }[]
  inboundOpen: number
  accepted: number
  refusedConnections: number
  /** Closed because an intention changed. */
  closedByIntentions: number
  pairs: ProxyPair[]
} & InForce

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
