import type { Random } from '../../src/kernel/ports.ts'
import { pick } from '../streams.ts'
import type { LogWorld, Member } from './log-member.ts'

const ELECTION_MS_MIN = 500
const ELECTION_MS_MAX = 1_500

export type LeadershipOptions = {
  world: LogWorld
  voters: readonly Member[]
  /** Whether anybody waits for something that only a leader can do. */
  isNeeded(): boolean
  elected(leader: Member): void
  lost(leader: Member): void
}

/**
 * Who leads. A leader that does not reach a majority of the voters, or does not run, for an election's time is replaced by one who
 * reaches a majority. There are no heartbeats: this is looked at while somebody needs the leader.
 */
export class Leadership {
  leader: Member | undefined
  /** Grows whenever a leader is lost or elected. */
  term = 0
  readonly #options: LeadershipOptions
  readonly #random: Random
  #isWatching = false
  #isElecting = false
  #failed: Member | undefined

  constructor(options: LeadershipOptions) {
    this.#options = options
    this.#random = options.world.random('log/elections')
  }

  /** Whether a voter and those that it can talk with are more than half of all voters. */
  reachesMajority(from: Member): boolean {
    const { voters } = this.#options
    let reached = 0
    for (const voter of voters) if (this.reaches(from, voter)) reached++
    return reached * 2 > voters.length
  }

  /** Whether messages get through in both directions. */
  reaches(from: Member, to: Member): boolean {
    const { isCut } = this.#options.world
    return to.life !== undefined && (from === to || !(isCut(from.name, to.name) || isCut(to.name, from.name)))
  }

  /** Somebody needs the leader, or something changed: sees to it that there is one. */
  watch(): void {
    const { leader, term } = this
    const life = leader?.life
    if (leader === undefined || life === undefined) return this.#elect()
    // Who is alone cannot be replaced.
    if (this.#isWatching || this.#options.voters.length === 1) return
    this.#isWatching = true
    const wasCutOff = !this.reachesMajority(leader)
    let isRunning = false
    life.after(0, () => {
      isRunning = true
    })
    this.#options.world.after(this.#drawElectionMs(), () => {
      this.#isWatching = false
      const isSame = this.term === term
      if (isSame && (!isRunning || (wasCutOff && !this.reachesMajority(leader)))) this.lose()
      else if (this.#options.isNeeded()) this.watch()
    })
  }

  /** Whoever leads does so no longer; an election follows. */
  lose(): void {
    const { leader } = this
    if (leader === undefined) return
    this.leader = undefined
    this.term++
    this.#failed = leader
    this.#options.lost(leader)
    this.#elect()
  }

  #elect(): void {
    if (this.#isElecting) return
    // Who is alone asks nobody.
    if (this.#options.voters.length === 1) return this.#count()
    this.#isElecting = true
    this.#options.world.after(this.#drawElectionMs(), () => {
      this.#isElecting = false
      this.#count()
    })
  }

  #count(): void {
    const able = this.#options.voters.filter((voter) => voter.life !== undefined && this.reachesMajority(voter))
    const others = able.filter((voter) => voter !== this.#failed)
    if (able.length === 0) {
      if (this.#options.voters.length > 1 && this.#options.isNeeded()) this.#elect()
      return
    }
    const leader = pick(this.#random, others.length > 0 ? others : able)
    this.leader = leader
    this.term++
    this.#failed = undefined
    this.#options.elected(leader)
  }

  #drawElectionMs(): number {
    return ELECTION_MS_MIN + this.#random.next() * (ELECTION_MS_MAX - ELECTION_MS_MIN)
  }
}
