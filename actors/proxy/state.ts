import type { MeshEvent, MeshOutcome } from '../../src/kernel/ports.ts'
import type { Caller, Cast, Subscriber } from '../../src/kernel/protocol.ts'
import type { RefusalCode, Result } from '../../src/kernel/refusal.ts'
import type { TrustBundle } from '../ca/queries.ts'
import type { ConnectInstance, IntentionsOn } from '../feeds/protocol.ts'
import type { Leaf } from '../leaf/protocol.ts'
import type { Outliers } from './outliers.ts'
import type { InForce, ProxyArgs, ProxyPair, ProxyPhase, ProxyStatus, UpstreamArgs } from './protocol.ts'

export type ProxyOwn = {
  leaf: Cast<Leaf>
  roots: Cast<{ bundle: TrustBundle; index: number }>
  intentions: Cast<{ intentions: IntentionsOn; index: number }>
  instances: Cast<{ target: string; found: Found }>
  identified: Cast<{ outcome: Result<MeshOutcome>; identity: Identity }>
  /** `door` is the id of an upstream, or PUBLIC; `place` is where it was to listen. */
  opened: Cast<{ door: number; place: string; outcome: Result<MeshOutcome> }>
  openAgain: Cast<{ door: number }>
  happened: Cast<{ door: number; event: MeshEvent }>
  asked: Cast<{ connection: number; outcome: Result<MeshOutcome> }>
  tooLong: Cast<{ connection: number }>
  measure: Cast<null>
  measured: Cast<Result<MeshOutcome>>
  tell: Cast<null>
  /** Connections that were left behind have had their time. */
  overdue: Cast<{ connections: number[]; why: string }>
  drained: Cast<null>
  abandoned: Cast<null>
  forgotten: Cast<null>
}

/** What handshakes are made with. */
export type Identity = Pick<InForce, 'rootsIndex' | 'bundle' | 'leafSerial' | 'leafKeyId' | 'leafIssuedMs' | 'leafValidUntilMs'>
/** Intentions that hold for new connections, while `left` of the old ones that they forbid are not closed yet. */
export type Enforcing = { index: number; sinceMs: number; left: Set<number>; closed: number }

export const PUBLIC = -1

export type Door = {
  phase: ProxyPhase
  why: string
  refused: RefusalCode | ''
  port: number
  /** 0 while it is not open. */
  listener: number
  failures: number
  opening: boolean
}

/** `id` stays the same as long as it listens in the same place. */
export type Upstream = { id: number; args: UpstreamArgs; door: Door; open: number; outliers: Outliers }

/** Whom connections to an upstream may go to, and why to nobody; '' if that is not known. */
export type Found = { instances: readonly ConnectInstance[]; why: string }

/** What a connection has carried, as far as it was counted. */
type Counted = { receivedBytes: number; sentBytes: number }
/** Somebody of the mesh, connected to the application. */
export type Inbound = Counted & { source: string; trustDomain: string; uri: string; serial: string; from: string; closing: boolean }
/** The application, connected or to be connected to somebody of the mesh. `trying` is the instance it is being connected to. */
export type Outbound = Counted & {
  to: Upstream
  tried: string[]
  trying: string
  lastWhy: string
  dialling: boolean
  connected: boolean
}

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
  /** Who waits for it to end. It ends with its last connection. */
  draining: Caller<null>[] | undefined
  /** It gives everything up. */
  ending: boolean
  door: Door
  upstreams: Upstream[]
  /** Of the newest upstream. */
  lastId: number
  /** By target, see targets.ts. */
  found: Map<string, Found>
  inbound: Map<number, Inbound>
  outbound: Map<number, Outbound>
  pairs: Map<string, ProxyPair>
  accepted: number
  refused: number
  closedByIntentions: number
  refusals: ProxyStatus['refusals']
  /** When something that comes in floods was last told loudly. */
  warnedMs: Map<string, number>
  /** The open connections will be looked at. */
  measuring: boolean
  subscribers: Subscriber<ProxyStatus>[]
  /** How many values of the status were told. */
  told: number
  telling: boolean
}
