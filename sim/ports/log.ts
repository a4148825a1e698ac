import type { Device, LogOutcome, LogRequest } from '../../src/kernel/ports.ts'
import { assert, refuse } from '../../src/kernel/refusal.ts'
import { appliedPosition, createReplica } from '../../src/replica.ts'
import { Deliveries } from './log-deliveries.ts'
import { Leadership } from './log-leadership.ts'
import { type Life, type LogWorld, type Member, type Proposal, RETRY_MS, type SimLogEntry, type SimLogLife } from './log-member.ts'
import { Proposer } from './log-proposer.ts'

export type { SimLogEntry, SimLogLife } from './log-member.ts'

export type SimLogOptions = LogWorld & {
  members: readonly string[]
  /** Those of the members that never vote. */
}

/** So many of the members vote, at most; the others only learn what was committed. */
const VOTERS_MAX = 5
const UNKNOWN_MS_MAX = 2_000

const UNKNOWN = refuse('late', 'the answer was lost: the change may have been carried out')

/**
 * A log that is replicated among members, each beside a server: one order of committed entries, a leader, a majority. A proposal
 * goes to the leader, is committed once a majority of the voters has it, and comes to every member that is up, in order. Its
 * proposer answers with the outcome of its own application. Nothing that was committed is lost; who is away catches up.
 */
export class SimLog {
  readonly #world: LogWorld
  readonly #members = new Map<string, Member>()
  readonly #voters: readonly Member[]
  readonly #leadership: Leadership
  readonly #deliveries: Deliveries
  readonly #proposers = new Map<Life, Proposer>()
  readonly #entries: SimLogEntry[] = []
  /** What the leader has and does not know to be held by most, in its order. */
  #pending: Proposal[] = []
  /** What former leaders had: the next leader knows what becomes of it. */
  #orphans: Proposal[] = []

  constructor({ members, ...world }: SimLogOptions) {
    this.#world = world
    for (const name of members) {
      assert(!this.#members.has(name), `every member of the log has a name of its own; there are two "${name}"`)
      this.#members.set(name, { name, life: undefined, tables: undefined, lagMs: 0, lagUntilMs: 0, unknownUntilMs: 0 })
    }
    this.#voters = [...this.#members.values()].slice(0, VOTERS_MAX)
    assert(this.#voters.length > 0, 'a log has members')
    this.#leadership = new Leadership({
      world,
      voters: this.#voters,
      isNeeded: () => this.#isNeeded(),
      elected: (leader) => this.#elected(leader),
      lost: (leader) => this.#lost(leader),
    })
    this.#deliveries = new Deliveries({
      world,
      leadership: this.#leadership,
      entries: this.#entries,
      applied: (life, position) => this.#answerOf(life, position),
    })
  }

  /** The member that leads, if there is one. */
  get leader(): string | undefined {
    return this.#leadership.leader?.name
  }

  /** The number of committed entries, which is the position of the last one. */
  get head(): number {
    return this.#entries.length
  }

  /** All that was ever committed, in order: the first one has position 1. */
  get entries(): readonly SimLogEntry[] {
    return this.#entries
  }

  /** The position of the last entry that is visible at a member; 0 if there is none. */
  appliedOf(member: string): number {
    const { tables } = this.#member(member)
    return tables === undefined ? 0 : appliedPosition(tables.view())
  }

  // ---------------------------------------------------------------- lives

  /** A member starts, with the tables that its last life left. A life that still goes on ends first. */
  attach(name: string, surroundings: SimLogLife): Device<LogRequest, LogOutcome> {
    const member = this.#member(name)
    this.crash(name)
    const { tables, apply, onCommitted } = surroundings
    const after = (ms: number, work: () => void) =>
      surroundings.after(ms, () => {
        if (!life.hasEnded) work()
      })
    const replica = createReplica({ tables, apply, onCommitted, after })
    const life: Life = { member, after, replica, cursor: replica.applied(), bringing: 0, awaited: new Map(), hasEnded: false }
    assert(life.cursor <= this.head, `${name} has applied only what was committed`)
    const leadership = this.#leadership
    const proposer = new Proposer({ world: this.#world, leadership, life, arrived: (proposal) => this.#append(proposal) })
    member.life = life
    member.tables = tables
    this.#proposers.set(life, proposer)
    if (leadership.leader === undefined) leadership.watch()
    else this.#deliveries.bring(life)
    return { perform: ({ commands }, done) => this.#propose(life, commands, done) }
  }

  /** A member stops at once: nothing of its life is called any more. What it proposed is carried out or not. */
  crash(name: string): void {
    const member = this.#member(name)
    const { life } = member
    if (life === undefined) return
    life.hasEnded = true
    life.replica.end()
    member.life = undefined
    this.#proposers.get(life)?.end()
    this.#proposers.delete(life)
    for (const proposer of this.#proposers.values()) proposer.targetEnded(life)
    if (this.#leadership.leader === member) this.#leadership.lose()
  }

  // ---------------------------------------------------------------- trouble

  /** Whoever leads steps down, and an election follows. What was on its way into the log gets there or not. */
  loseLeader(): void {
    this.#leadership.lose()
  }

  /** Until then entries come to a member so much later. */
  lag(name: string, ms: number, untilMs: number): void {
    const member = this.#member(name)
    member.lagMs = ms
    member.lagUntilMs = untilMs
  }

  /** Until then a member is not told what becomes of its proposals: of some something, of others nothing. */
  unknownOutcomes(name: string, untilMs: number): void {
    this.#member(name).unknownUntilMs = untilMs
  }

  /** Ends all trouble that was made here. Who is down stays down. */
  heal(): void {
    for (const member of this.#members.values()) {
      const wasLagging = member.lagUntilMs > 0
      member.lagUntilMs = 0
      member.unknownUntilMs = 0
      if (wasLagging && member.life) this.#deliveries.hurry(member.life)
    }
    this.#leadership.watch()
  }

  // ---------------------------------------------------------------- proposals

  #propose(life: Life, commands: LogRequest['commands'], done: Parameters<Device<LogRequest, LogOutcome>['perform']>[1]): void {
    const proposer = this.#proposers.get(life)
    if (proposer === undefined) return
    if (this.#world.nowMs() >= life.member.unknownUntilMs) {
      proposer.propose(commands, done)
      return
    }
    const fates = this.#world.random('log/unknown')
    const proposal = fates.next() < 0.5 ? proposer.propose(commands, () => undefined) : undefined
    life.after(fates.next() * UNKNOWN_MS_MAX, () => {
      if (proposal) proposer.expire(proposal, UNKNOWN)
      done(UNKNOWN)
    })
  }

  /** The leader takes a proposal and sends it to the voters. */
  #append(proposal: Proposal): void {
    this.#adopt()
    this.#pending.push(proposal)
    this.#replicate(proposal)
  }

  #replicate(proposal: Proposal): void {
    const { leader, term } = this.#leadership
    assert(leader?.life, 'proposals arrive at a leader that is up')
    const ms = this.#majorityMs(leader, proposal)
    if (ms === 0) return this.#held(proposal)
    leader.life.after(ms ?? RETRY_MS, () => {
      if (this.#leadership.term !== term) return
      if (ms !== undefined && this.#leadership.reachesMajority(leader)) return this.#held(proposal)
      this.#leadership.watch()
      this.#replicate(proposal)
    })
  }

  /** How long it takes until the leader knows that a majority has it; undefined if it does not reach so many. Nobody else: 0. */
  #majorityMs(leader: Member, proposal: Proposal): number | undefined {
    const { delayMs } = this.#world
    const answersMs: number[] = []
    this.#voters.forEach((voter, at) => {
      if (!this.#leadership.reaches(leader, voter)) return
      proposal.holders |= 1 << at
      answersMs.push(voter === leader ? 0 : delayMs(leader.name, voter.name) + delayMs(voter.name, leader.name))
    })
    return answersMs.sort((a, b) => a - b)[this.#voters.length >> 1]
  }

  #held(proposal: Proposal): void {
    proposal.isHeldByMost = true
    while (this.#pending[0]?.isHeldByMost) this.#commit(this.#pending.shift() as Proposal)
  }

  #commit(proposal: Proposal): void {
    const { commands, from } = proposal
    this.#entries.push({ commands, proposer: from.member.name, committedAtMs: this.#world.nowMs() })
    if (!from.hasEnded) from.awaited.set(this.#entries.length, proposal)
    for (const { life } of this.#members.values()) if (life) this.#deliveries.bring(life)
  }

  /** Who is to be told once an entry is applied at this life of a member, if it is its proposer. */
  #answerOf(life: Life, position: number): ((outcome: LogOutcome) => void) | undefined {
    const proposal = life.awaited.get(position)
    if (proposal === undefined) return undefined
    life.awaited.delete(position)
    return (outcome) => this.#proposers.get(life)?.settle(proposal, outcome)
  }

  // ---------------------------------------------------------------- leadership

  #isNeeded(): boolean {
    if (this.#pending.length > 0) return true
    for (const [life, proposer] of this.#proposers) if (proposer.open.length > 0 || life.cursor < this.head) return true
    return false
  }

  #elected(leader: Member): void {
    const { term } = this.#leadership
    leader.life?.after(0, () => {
      if (this.#leadership.term !== term) return
      this.#adopt()
      for (const { life } of this.#members.values()) if (life) this.#deliveries.bring(life)
    })
  }

  /** Before anything else, a new leader commits what it has of the former ones' proposals, up to a drawn one. */
  #adopt(): void {
    const { leader } = this.#leadership
    if (leader === undefined || this.#orphans.length === 0) return
    const bit = 1 << this.#voters.indexOf(leader)
    const orphans = this.#orphans
    this.#orphans = []
    const missing = orphans.findIndex(({ holders }) => (holders & bit) === 0)
    const survivors = this.#world.random('log/fates').int(0, missing < 0 ? orphans.length : missing)
    for (const proposal of orphans.slice(0, survivors)) this.#commit(proposal)
  }

  #lost(leader: Member): void {
    for (const proposal of this.#pending) {
      if (!proposal.isSettled) this.#proposers.get(proposal.from)?.tellLost(proposal, leader.name)
      this.#orphans.push(proposal)
    }
    this.#pending = []
  }

  #member(name: string): Member {
    const member = this.#members.get(name)
    assert(member !== undefined, `the log has a member "${name}"`)
    return member
  }
}
