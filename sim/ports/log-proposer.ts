import type { LogOutcome, LogRequest } from '../../src/kernel/ports.ts'
import { type Result, refuse } from '../../src/kernel/refusal.ts'
import type { Leadership } from './log-leadership.ts'
import { type Life, type LogWorld, type Proposal, RETRY_MS } from './log-member.ts'

/** A proposal that never got to a leader is refused about then, one that nobody answers after the latter. */
const GIVE_UP_MS_MIN = 800
const GIVE_UP_MS_MAX = 1_200
const LATE_MS = 7_000

const NO_LEADER = refuse('busy', 'No cluster leader')
const NO_ANSWER = refuse('late', 'nobody answered in time: the change may have been carried out')
export const LOST = refuse('late', 'leadership was lost while the change was under way: it may have been carried out')

export type ProposerOptions = {
  world: LogWorld
  leadership: Leadership
  life: Life
  /** The leader has it. */
  arrived(proposal: Proposal): void
}

/** What one life of a member proposes, on its way to the leader. */
export class Proposer {
  /** Not answered yet. */
  readonly open: Proposal[] = []
  /** Sent and not arrived, in order; of all lives of the member's targets. */
  #travelling: Proposal[] = []
  readonly #options: ProposerOptions
  /** Not sent yet. */
  #waiting: Proposal[] = []
  #isRetrying = false
  #isTiming = false

  constructor(options: ProposerOptions) {
    this.#options = options
  }

  propose(commands: LogRequest['commands'], done: (outcome: Result<LogOutcome>) => void): Proposal {
    const { world, life } = this.#options
    const proposal: Proposal = {
      commands,
      from: life,
      done,
      isSettled: false,
      giveUpAtMs: Number.POSITIVE_INFINITY,
      lateAtMs: Number.POSITIVE_INFINITY,
      target: undefined,
      holders: 0,
      isHeldByMost: false,
    }
    this.open.push(proposal)
    if (this.#waiting.length === 0 && this.#send(proposal)) return proposal
    const wait = world.random('log/waits').next()
    proposal.giveUpAtMs = world.nowMs() + GIVE_UP_MS_MIN + wait * (GIVE_UP_MS_MAX - GIVE_UP_MS_MIN)
    this.#waiting.push(proposal)
    this.#retryLater()
    return proposal
  }

  /** Nobody waits for it any more: from now on no leader takes it. */
  expire(proposal: Proposal, outcome: Result<LogOutcome>): void {
    proposal.lateAtMs = Math.min(proposal.lateAtMs, this.#options.world.nowMs())
    this.settle(proposal, outcome)
  }

  /** Answers a proposal, unless it has been. */
  settle(proposal: Proposal, outcome: Result<LogOutcome>): void {
    if (proposal.isSettled) return
    proposal.isSettled = true
    const at = this.open.indexOf(proposal)
    if (at >= 0) this.open.splice(at, 1)
    proposal.done(outcome)
  }

  /** Somebody tells the proposer that nobody knows what becomes of it. Does not arrive through a cut. */
  tellLost(proposal: Proposal, from: string): void {
    const { world, life } = this.#options
    const to = life.member.name
    life.after(from === to ? 0 : world.delayMs(from, to), () => {
      if (!world.isCut(from, to)) this.settle(proposal, LOST)
    })
  }

  /** The life is over: nobody is answered. Of what is on its way, each message arrives or not. */
  end(): void {
    const fates = this.#options.world.random('log/fates')
    for (const proposal of this.open) proposal.isSettled = true
    this.open.length = 0
    this.#waiting = []
    this.#travelling = this.#travelling.filter(() => fates.next() < 0.5)
  }

  /** Everything that was on its way to this life is lost with it. */
  targetEnded(target: Life): void {
    if (this.#travelling.length === 0) return
    const lost = this.#travelling.filter((proposal) => proposal.target === target)
    this.#travelling = this.#travelling.filter((proposal) => proposal.target !== target)
    for (const proposal of lost) if (!proposal.isSettled) this.tellLost(proposal, target.member.name)
  }

  /** Sends it to the leader, if there is one and a way there. */
  #send(proposal: Proposal): boolean {
    const { world, leadership, life } = this.#options
    const target = leadership.leader?.life
    const from = life.member.name
    if (target === undefined || world.isCut(from, target.member.name)) return false
    proposal.lateAtMs = world.nowMs() + LATE_MS
    this.#timeLater(LATE_MS)
    if (target === life) this.#options.arrived(proposal)
    else {
      proposal.target = target
      this.#travelling.push(proposal)
      target.after(world.delayMs(from, target.member.name), () => this.#arrive(target))
    }
    leadership.watch()
    return true
  }

  /** The next of the messages to this life arrives, if its way is not cut. One whose time is over is not taken. */
  #arrive(target: Life): void {
    const { world, leadership, life } = this.#options
    const at = this.#travelling.findIndex((proposal) => proposal.target === target)
    const proposal = this.#travelling[at]
    if (proposal === undefined) return
    const [from, to] = [life.member.name, target.member.name]
    const isOver = world.nowMs() >= proposal.lateAtMs
    if (!isOver && world.isCut(from, to)) {
      leadership.watch()
      target.after(RETRY_MS, () => this.#arrive(target))
      return
    }
    this.#travelling.splice(at, 1)
    if (isOver) return
    if (leadership.leader === target.member) this.#options.arrived(proposal)
    else life.after(world.delayMs(to, from), () => this.#returned(proposal, to))
  }

  /** Whom it was sent to does not lead any more. Nothing has happened, so it may be sent again. */
  #returned(proposal: Proposal, by: string): void {
    const { world, life } = this.#options
    if (proposal.isSettled || world.isCut(by, life.member.name)) return
    proposal.lateAtMs = Number.POSITIVE_INFINITY
    proposal.giveUpAtMs = Math.min(proposal.giveUpAtMs, world.nowMs() + GIVE_UP_MS_MAX)
    this.#waiting.push(proposal)
    this.#retry()
  }

  #retry(): void {
    const nowMs = this.#options.world.nowMs()
    const waiting = this.#waiting
    this.#waiting = []
    for (const proposal of waiting) {
      if (proposal.isSettled || this.#send(proposal)) continue
      if (nowMs < proposal.giveUpAtMs) this.#waiting.push(proposal)
      else this.settle(proposal, NO_LEADER)
    }
    if (this.#waiting.length > 0) this.#retryLater()
  }

  #retryLater(): void {
    this.#options.leadership.watch()
    if (this.#isRetrying) return
    this.#isRetrying = true
    this.#options.life.after(RETRY_MS, () => {
      this.#isRetrying = false
      this.#retry()
    })
  }

  #timeLater(ms: number): void {
    if (this.#isTiming) return
    this.#isTiming = true
    this.#options.life.after(ms, () => {
      this.#isTiming = false
      const nowMs = this.#options.world.nowMs()
      for (const proposal of [...this.open]) if (proposal.lateAtMs <= nowMs) this.expire(proposal, NO_ANSWER)
      const firstMs = this.open.reduce((ms, { lateAtMs }) => Math.min(ms, lateAtMs), Number.POSITIVE_INFINITY)
      // Not less, so that rounding cannot keep time from passing.
      if (firstMs !== Number.POSITIVE_INFINITY) this.#timeLater(Math.max(1, firstMs - nowMs))
    })
  }
}
