import type { GossipAddress, GossipFigures } from '../../src/kernel/ports.ts'
import { type Call, type Feed, refOf } from '../../src/kernel/protocol.ts'
import type { Coordinate } from '../coordinates/tables.ts'

/** Who belongs to a pool and is there: to that of the agents of one datacenter, or of the servers of all. Nothing of it is in a table: each agent knows what it was told, and all come to know the same. */
export type MembershipProtocol = {
  /**
   * Makes this agent and those at the addresses members of one cluster. Answered once each address was tried; what did not work is in
   * `failed`, with the reason, which is the other side's if it has refused.
   */
  join: Call<{ addresses: GossipAddress[] }, { joined: number; failed: { address: GossipAddress; why: string }[] }>
  /** Goes, and tells the others before it does. Answered when they were told; after that this agent is alone until it joins again. */
  leave: Call<null, null>
  /** A failed member counts as one that has left; `prune`: nobody remembers it. `missing`: there is no such member. One that is alive stays. */
  forceLeave: Call<{ name: string; prune: boolean }, null>
  /** Other tags for this agent, for all to see. `invalid`: they are too long. */
  tag: Call<{ tags: Tags }, null>
  /** Tells all members something, this one too; `invalid`: too long. What was told before `lamportTime` was known when this was told. */
  tell: Call<{ topic: string; body: object }, { lamportTime: number }>
  /** All that are or were members, by name. Changes come together, within 250 ms. */
  members: Feed<null, Member[]>
  /** The newest of what was told under a topic, the oldest first. Its index counts them all. */
  told: Feed<{ topic: string }, Told[]>
  /**
   * Shows or changes the keys of the private network of all members, each of which answers for itself. Answered when all have, or when
   * those that have not are not to be expected any more.
   */
  keyring: Call<KeyRequest, KeyAnswer[]>
  /** Where this agent is in the network, as far as round trips to others tell, and how many members are there. */
  whereabouts: Call<null, { coordinate: Coordinate; members: number }>
  /** Where this agent and those members are that it has asked, this one in front. */
  places: Call<null, { name: string; coordinate: Coordinate }[]>
  /** How this agent is itself, and whom it is connected with. */
  health: Call<null, MembershipHealth>
  /** What this agent knows of accusations, verdicts and refutations, the oldest first; about one member or, with '', about all. */
  trace: Call<{ member: string }, TraceEntry[]>
  /** The same, each time there is more. Its index counts all entries there ever were. */
  traced: Feed<{ member: string }, TraceEntry[]>
  /**
   * From now on all that this agent hears and does about members is written down. Answered once it is over: after `forMs`, at most ten minutes,
   * or when it has 8 MB. `conflict`: there is a recording already. `invalid`: this agent does not gossip, or not so long.
   */
  record: Call<{ forMs: number }, Recorded>
}

export const membershipRef = refOf<MembershipProtocol>('membership')
/** The pool of the servers of all datacenters, who are called `node.datacenter` there. */
export const wanMembershipRef = refOf<MembershipProtocol>('wan-membership')

/** The lines of a recording, each an object of JSON, without keys: see recording.ts. `full`: it has no room for the rest. */
export type Recorded = { lines: string[]; ended: 'time' | 'full' }

/** `install`: it is taken as well. `use`: for what is sent from now on. `remove`: never the one in use. Keys in Base64. */
export type KeyRequest = { do: 'list' } | { do: 'install' | 'use' | 'remove'; key: string }

/** `keys`: those that the member has then, the one in use first. `why`: what went wrong, '' for nothing; null: it has not answered. */
export type KeyAnswer = { name: string; isServer: boolean; keys: string[]; why: string | null }

/** What members want others to know of them, such as `role` and `dc`. */
export type Tags = { readonly [name: string]: string }

/** `suspect`: accused and not yet judged. `failed`: unreachable, and tried again for 72 hours. `left`: it has said that it goes. */
export type MemberStatus = 'alive' | 'suspect' | 'failed' | 'leaving' | 'left'

export type Member = {
  name: string
  id: string
  peer: string
  address: string
  port: number
  tags: Tags
  incarnation: number
  status: MemberStatus
  /** Lamport time of what made it so. */
  statusLtime: number
  isSelf: boolean
}

/** `fromName` is the member that told it. */
export type Told = { id: string; topic: string; from: string; lamportTime: number; body: object }

export type MembershipHealth = {
  /** From 0, well, to 8: this agent is late or gets no answers, so it waits longer and accuses later. */
  score: number
  connections: number
  /** Names of the members that it watches. */
  watched: string[]
  /** Messages and bytes in a second, of about the last minute. Undefined where they are not known yet. */
  rates: GossipFigures | undefined
  /** The same since it listens. */
  totals: GossipFigures | undefined
  /** How long the newest rumours took to come here, in ms, as far as clocks agree; over how many members at most. Undefined: none came. */
  spread: { rumours: number; medianMs: number; mostMs: number; stepsMax: number } | undefined
}

/**
 * One thing that became known here. `accused`: the first doubt; `confirmed`: by one more; `withdrawn`: it has answered after all; `failed`: the verdict;
 * `refuted`: by the accused itself. `silent`: an own accusation was held back, because nobody else answered either.
 */
export type TraceEntry = {
  /** From 1, in the order in which this agent noted them. */
  number: number
  /** Wall clock of this agent. */
  atMs: number
  what: 'joined' | 'accused' | 'confirmed' | 'withdrawn' | 'failed' | 'refuted' | 'leaving' | 'left' | 'pruned' | 'silent' | 'conflict'
  member: string
  incarnation: number
  /** Who says so. */
  by: string
  /** Over which members it came here, whoever says so first; empty if this agent found out by itself. */
  via: readonly string[]
  why: string
}

/** `members`: what was known in an earlier life. */
export type MembershipArgs = {
  enabled: boolean
  /** The pool of the servers of all datacenters. Default: that of the agents of one. */
  wan?: true
  name: string
  /** Lower-case UUID of the node. */
  id: string
  datacenter: string
  /** Where to listen, and under which address others reach it. A port of 0: whichever was free. */
  bind: { address: string; port: number }
  advertise: { address: string; port: number }
  tags: Tags
  /** Keys of the private network, the one in use first. */
  keys: string[]
  /** Whether an agent that has left goes back when it is started again. */
  rejoinsAfterLeave: boolean
  /** Where members may be, as CIDRs. Default, and if empty: everywhere. */
  networks?: string[]
  /** Default: none. */
  members?: MemberRecord[]
}

/** A member as members tell each other of it. It is replaced, never changed. `failed` is a verdict of others, all else its own word. */
export type MemberRecord = {
  readonly name: string
  readonly id: string
  readonly peer: string
  readonly address: string
  readonly port: number
  readonly tags: Tags
  /** Only the member itself makes it higher. */
  readonly incarnation: number
  readonly status: 'alive' | 'leaving' | 'failed' | 'left'
  readonly ltime: number
  /** Its place in the ring: `placeOf(id)`. */
  readonly place: number
}
