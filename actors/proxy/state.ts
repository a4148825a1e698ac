import type { MeshEvent, MeshOutcome } from '../../src/kernel/ports.ts'
import type { Caller, Cast, Subscriber } from '../../src/kernel/protocol.ts'
import type { RefusalCode, Result } from '../../src/kernel/refusal.ts'
import type { TrustBundle } from '../ca/queries.ts'
import type { ConnectInstance, IntentionsOn } from '../feeds/protocol.ts'
import type { Leaf } from '../leaf/protocol.ts'
import type { InForce, ProxyArgs, ProxyPair, ProxyPhase, ProxyStatus, UpstreamArgs } from './protocol.ts'

export type ProxyOwn = {
  leaf: Cast<Leaf>
  roots: Cast<{ bundle: TrustBundle; index: number }>
  intentions: Cast<{ intentions: IntentionsOn; index: number }>
  instances: Cast<{ service: string; instances: readonly ConnectInstance[] }>
  identified: Cast<{ outcome: Result<MeshOutcome>; identity: Identity }>
  /** `upstream` is the position in the arguments; -1 is the public listener. */
  opened: Cast<{ upstream: number; outcome: Result<MeshOutcome> }>
  openAgain: Cast<{ upstream: number }>
  happened: Cast<{ upstream: number; event: MeshEvent }>
  asked: Cast<{ connection: number; outcome: Result<MeshOutcome> }>
  tooLong: Cast<{ connection: number }>
  tell: Cast<null>
  abandoned: Cast<null>
  forgotten: Cast<{ caller: Caller<null> }>
}

/** What handshakes are made with. */
export type Identity = Pick<InForce, 'rootsIndex' | 'bundle' | 'leafSerial' | 'leafKeyId' | 'leafIssuedMs' | 'leafValidUntilMs'>
/** Intentions that hold for new connections, while `left` of the old ones that they forbid are not closed yet. */
export type Enforcing = { index: number; sinceMs: number; left: Set<number>; closed: number }

export const PUBLIC = -1

export type Door = { phase: ProxyPhase; why: string; refused: RefusalCode | ''; port: number; failures: number; opening: boolean }

export type Upstream = UpstreamArgs & { door: Door; open: number }

/** Somebody of the mesh, connected to the application. */
export type Inbound = { source: string; trustDomain: string; uri: string; serial: string; from: string; closing: boolean }
/** The application, connected or to be connected to somebody of the mesh. */
export type Outbound = { upstream: number; tried: string[]; lastWhy: string; dialling: boolean; connected: boolean }

export type ProxyState = {
  args: ProxyArgs
  leaf: Leaf | undefined
  bundle: TrustBundle | undefined
  intentions: IntentionsOn | undefined
  /** The newest intentions until they hold for every connection. */
  enforcing: Enforcing | undefined
  enforced: Pick<InForce, 'intentionIndex' | 'enforcedMs' | 'closedConnections'>
  rootsIndex: number
  /** What the newest handshakes were made with; undefined before the first. */
  identity: Identity | undefined
  identified: boolean
  /** Why the newest certificate cannot be used; '' if it can. */
  identityWhy: string
  /** It was told to end. */
  ending: boolean
  door: Door
  upstreams: Upstream[]
  instances: Map<string, readonly ConnectInstance[]>
  inbound: Map<number, Inbound>
  outbound: Map<number, Outbound>
  pairs: Map<string, ProxyPair>
  accepted: number
  refused: number
  closedByIntentions: number
  subscribers: Subscriber<ProxyStatus>[]
  /** How many values of the status were told. */
  told: number
  telling: boolean
}
