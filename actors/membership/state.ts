import type { Turn } from '../../src/kernel/actor.ts'
import type { HeardOf } from '../../src/kernel/heard-of.ts'
import type { GossipAddress, GossipEvent, GossipOutcome, StoreOutcome } from '../../src/kernel/ports.ts'
import type { Caller, Cast, Subscriber } from '../../src/kernel/protocol.ts'
import type { Result } from '../../src/kernel/refusal.ts'
import type { Figures } from './figures.ts'
import type { Health } from './health.ts'
import type { Keyring } from './keyring.ts'
import type { Location } from './locate.ts'
import type { GossipMessage, Rumour } from './messages.ts'
import type { Member, MemberRecord, MembershipArgs, MembershipHealth, Told, TraceEntry } from './protocol.ts'
import type { Recording } from './record.ts'
import type { Ring } from './ring.ts'
import type { Suspicion } from './suspicion.ts'
import type { Trace } from './trace.ts'

export type MembershipOwn = {
  listened: Cast<{ result: Result<GossipOutcome> }>
  loaded: Cast<{ result: Result<StoreOutcome> }>
  event: Cast<GossipEvent>
  beat: Cast<{ dueMs: number }>
  /** What the device has counted; for somebody who asked, or to be kept. */
  counted: Cast<{ caller?: Caller<MembershipHealth>; result: Result<GossipOutcome> }>
  flush: Cast<null>
  dialled: Cast<{ goal: DialGoal; address: GossipAddress; result: Result<GossipOutcome> }>
  joinOver: Cast<{ join: number }>
  parted: Cast<{ peer: string; why: string }>
  keysChanged: Cast<{ id: string; from: string; before: readonly string[]; result: Result<GossipOutcome> }>
  keysOwed: Cast<{ from: string }>
  keysOver: Cast<{ id: string }>
  leaveOn: Cast<{ step: 'left' | 'gone' }>
  recordOver: Cast<null>
}
export type MembershipTurn = Turn<MembershipOwn>

/** Why somebody is dialled: to keep a connection with a member, for somebody who asked to join, or to find members of earlier times. */
export type DialGoal = { for: 'member'; name: string } | { for: 'join'; join: number } | { for: 'return' }

/** All times in ms of the actor's own time: see `advance`. */
export type MembershipState = {
  args: MembershipArgs
  /** What this agent says of itself; `peer` is '' until it listens. */
  self: MemberRecord
  /** Why it takes part in nothing; undefined while it does. */
  outside: string | undefined
  nowMs: number
  wallMs: number
  lamportTime: number
  seq: number
  /** By name, this agent too. */
  members: Map<string, MemberRecord>
  ring: Ring
  /** Since when members are failed or have left. */
  goneSinceMs: Map<string, number>
  /** Up to which incarnation members are forgotten. */
  pruned: Map<string, { incarnation: number; atMs: number }>
  suspicions: Map<string, Suspicion>
  /** Numbers of accusations: the last one of this agent, and the newest of others, by accuser and accused. */
  lastNumber: number
  numbers: Map<string, { number: number; atMs: number }>
  /** Up to which incarnation it was passed on that others count a member as failed. */
  disputed: Map<string, number>
  /** How often accusations of a member were refuted. */
  blamed: Map<string, { times: number; sinceMs: number }>
  /** By peer. */
  connections: Map<string, Connection>
  /** What peers said of themselves before their connection was told of: each direction opens for itself. */
  early: Map<string, Extract<GossipMessage, { do: 'hello' }>>
  /** The peers of those connections whose member is known, by its name. */
  connected: Map<string, string>
  /** Names of those to be connected with: neighbours, and members elsewhere. */
  wanted: Set<string>
  watches: Map<string, Watch>
  /** The ring or who is suspected has changed since `wanted` was made. */
  isMoved: boolean
  /** Addresses that are being dialled, as `host:port`, and when those that failed may be tried again. */
  dialling: Set<string>
  retryAtMs: Map<string, number>
  /** Pings for others, by their number. */
  relays: Map<number, Relay>
  /** What the other side of a comparison has already. */
  comparing: Map<string, Set<string>>
  health: Health
  location: Location
  keyring: Keyring
  joins: Map<number, Join>
  leaving: Caller<null>[]
  trace: Trace
  figures: Figures
  followers: { subscriber: Subscriber<Member[]> }[]
  traceFollowers: { member: string; subscriber: Subscriber<TraceEntry[]> }[]
  toldFollowers: { topic: string; subscriber: Subscriber<Told[]> }[]
  told: Map<string, { newest: Told[]; count: number }>
  /** What was told lately, so that it counts once. */
  heardOf: HeardOf
  /** Changes of what `members` shows. */
  version: number
  shownVersion: number
  /** How many entries of the trace were shown. */
  shownTrace: number
  isFlushing: boolean
  next: { compareMs: number; returnMs: number; reapMs: number; saveMs: number; locateMs: number }
  /** What was saved of whom to find again. */
  saved: string
  recording: Recording | undefined
}

export type Connection = {
  address: GossipAddress
  /** Undefined until it has introduced itself. */
  name: string | undefined
  sinceMs: number
  heardMs: number
  hasDialled: boolean
  /** Since when it serves nothing. */
  unwantedMs: number | undefined
  out: Rumour[]
  /** When it was told last that it counts as failed. */
  toldMs: number
  /** One of the two cannot be a member for the other. */
  refused: { why: string; atMs: number } | undefined
}

/**
 * `quiet`: it was heard of lately. `direct`: a ping is under way. `indirect`: others were asked, too. `accused`: it was said aloud, and
 * it is asked on.
 */
export type Watch = {
  stage: 'quiet' | 'direct' | 'indirect' | 'accused'
  heardMs: number
  askedMs: number
  /** Rounds in which nobody else answered either. */
  silentRounds: number
}

export type Relay = { peer: string; seq: number; name: string; untilMs: number; isSent: boolean }
export type Join = {
  caller: Caller<{ joined: number; failed: { address: GossipAddress; why: string }[] }>
  joined: number
  failed: { address: GossipAddress; why: string }[]
  dialling: number
  /** By peer: dialled and not yet one of us. */
  waiting: Map<string, GossipAddress>
}

/** No more than this passes between two messages: what was longer was a pause or a clock that was set, and neither says anything of others. */
const STEP_MS_MAX = 1_000

/** The actor's own time, which never goes back and never jumps. */
export function advance(state: MembershipState, wallMs: number): void {
  state.nowMs += Math.min(STEP_MS_MAX, Math.max(0, wallMs - state.wallMs))
  state.wallMs = wallMs
}

/** The actor of the pool of the servers of all datacenters. */
export const WAN_ACTOR = 'wan-membership'

/** The network of this actor's pool. */
export function networkOf({ self }: Pick<MembershipTurn, 'self'>): 'gossip' | 'gossip-wan' {
  return self.actor === WAN_ACTOR ? 'gossip-wan' : 'gossip'
}

export function send(turn: MembershipTurn, peer: string, message: object): void {
  turn.act(networkOf(turn), { do: 'send', peer, message })
}

export function textOf({ host, port }: GossipAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

export function addressOf({ address, port }: MemberRecord): GossipAddress {
  return { host: address, port }
}

/** Whether this agent may go by what a member says: it is known and there. */
export function isPresent(state: MembershipState, name: string): boolean {
  const status = state.members.get(name)?.status
  return status === 'alive' || status === 'leaving'
}
