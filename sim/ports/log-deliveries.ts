import { assert } from '../../src/kernel/refusal.ts'
import type { Leadership } from './log-leadership.ts'
import { type Life, type LogWorld, RETRY_MS, type SimLogEntry } from './log-member.ts'

export type DeliveriesOptions = {
  world: LogWorld
  leadership: Leadership
  entries: readonly SimLogEntry[]
  /** A proposal of this life is applied and durable there. */
  applied(life: Life, position: number): Parameters<Life['replica']['deliver']>[2]
}

/** Brings committed entries from the leader to every member that is up: in order, each over its own way, many at once if they wait. */
export class Deliveries {
  readonly #options: DeliveriesOptions
  #events = 0

  constructor(options: DeliveriesOptions) {
    this.#options = options
  }

  /** There is more for this member, or a leader to get it from. Nothing happens if it is on its way. */
  bring(life: Life): void {
    const { world, leadership, entries } = this.#options
    const { leader } = leadership
    if (leader === undefined || life.bringing !== 0 || life.cursor === entries.length) return
    const delayMs = this.#delayMs(leader.name, life)
    if (delayMs === 0) this.#give(life, entries.length)
    else this.#send(life, delayMs, world.nowMs())
  }

  /** As `bring`, without what slowed it down until now. */
  hurry(life: Life): void {
    life.bringing = 0
    this.bring(life)
  }

  #send(life: Life, ms: number, sentAtMs: number): void {
    const event = ++this.#events
    life.bringing = event
    life.after(ms, () => {
      if (life.bringing === event) this.#arrived(life, sentAtMs)
    })
  }

  /** Gives a member what was committed when the message left. */
  #arrived(life: Life, sentAtMs: number): void {
    const { world, leadership, entries } = this.#options
    const { leader } = leadership
    life.bringing = 0
    if (leader === undefined) return
    if (world.isCut(leader.name, life.member.name)) {
      leadership.watch()
      return this.#send(life, RETRY_MS, world.nowMs())
    }
    let until = life.cursor
    while ((entries[until]?.committedAtMs ?? Number.POSITIVE_INFINITY) <= sentAtMs) until++
    this.#give(life, until)
    const next = entries[life.cursor]
    if (next === undefined || life.bringing !== 0) return
    const nextSentAtMs = Math.max(next.committedAtMs, sentAtMs)
    const dueMs = nextSentAtMs + this.#delayMs(leader.name, life)
    this.#send(life, Math.max(0, dueMs - world.nowMs()), nextSentAtMs)
  }

  #give(life: Life, until: number): void {
    const { entries, applied } = this.#options
    while (life.cursor < until && !life.hasEnded) {
      const entry = entries[life.cursor]
      assert(entry !== undefined, 'only committed entries are given to members')
      const position = ++life.cursor
      life.replica.deliver(position, entry.commands, applied(life, position))
    }
  }

  #delayMs(leader: string, { member }: Life): number {
    const { world } = this.#options
    const lagMs = world.nowMs() < member.lagUntilMs ? member.lagMs : 0
    return lagMs + (leader === member.name ? 0 : world.delayMs(leader, member.name))
  }
}
