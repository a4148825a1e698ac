import type { LogOutcome, LogRequest, Random, Tables } from '../../src/kernel/ports.ts'
import type { Result } from '../../src/kernel/refusal.ts'
import type { Replica, ReplicaOptions } from '../../src/replica.ts'

/** Until what did not get through is tried again. */
export const RETRY_MS = 100

/** Time, chance and the network between the members of a replicated log. */
export type LogWorld = {
  /** Milliseconds of simulated time; never goes back. */
  nowMs(): number
  /** Calls `work` once, `ms` from now in simulated time. */
  after(ms: number, work: () => void): unknown
  /** A stream of chance of its own for each name. */
  random(stream: string): Random
  /** Whether nothing gets through from one member to another. */
  isCut(from: string, to: string): boolean
  /** Draws how long a message takes from one member to another, in ms. */
  delayMs(from: string, to: string): number
}

/** What one life of a member brings along. `after` runs work as part of that life: late while it is stalled, not at all once it is over. */
export type SimLogLife = ReplicaOptions

/** A member of the group, up or down. */
export type Member = {
  readonly name: string
  life: Life | undefined
  /** The disk of its newest life, which outlives it. */
  tables: Pick<Tables, 'view'> | undefined
  /** Entries arrive so much later, until then. */
  lagMs: number
  lagUntilMs: number
  /** Until then nobody is told what became of its proposals. */
  unknownUntilMs: number
}

export type Life = {
  readonly member: Member
  readonly after: (ms: number, work: () => void) => unknown
  readonly replica: Replica
  /** How many entries its replica was given. */
  cursor: number
  /** The number of the event that brings it entries; 0 when there is none. */
  bringing: number
  /** Its proposals that are entries and not yet given to its replica, by position. */
  readonly awaited: Map<number, Proposal>
  hasEnded: boolean
}

/** One group of commands on its way into the log. */
export type Proposal = {
  readonly commands: LogRequest['commands']
  readonly from: Life
  readonly done: (outcome: Result<LogOutcome>) => void
  isSettled: boolean
  /** When it is refused if it never got to a leader. */
  giveUpAtMs: number
  /** When its proposer stops waiting for an answer. */
  lateAtMs: number
  /** To whom it is on its way. */
  target: Life | undefined
  /** The voters that have it in their logs, as bits. */
  holders: number
  /** Whether the leader knows that a majority has it. */
  isHeldByMost: boolean
}

export type SimLogEntry = { readonly commands: LogRequest['commands']; readonly proposer: string; readonly committedAtMs: number }
