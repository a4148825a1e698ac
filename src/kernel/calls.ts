import type { Clock, Random } from './ports.ts'
import type { Peer } from './protocol.ts'
import { type Result, refuse } from './refusal.ts'
import { gone } from './wire.ts'

type Waiting = { peer: Peer; deadlineAt: number; done: (result: Result<unknown>) => void }

/**
 * Calls are numbered from somewhere below this: what answers a call of an earlier life of the same thread or process then finds
 * no call of that number.
 */
const FIRST_MAX = 2 ** 30

/** Calls of one host that wait for their answer, each until its deadline. */
export class Calls {
  readonly #clock: Clock
  readonly #waiting = new Map<number, Waiting>()
  #last: number
  #cancelSweep: (() => void) | undefined
  #sweepAt = Number.POSITIVE_INFINITY

  constructor(clock: Clock, random: Random) {
    this.#clock = clock
    this.#last = random.int(0, FIRST_MAX)
  }

  /** The number under which `settle` must be called; if it is not within `withinMs`, `done` gets the refusal `late`. */
  begin(peer: Peer, withinMs: number, done: (result: Result<unknown>) => void): number {
    const call = ++this.#last
    const deadlineAt = this.#clock.monotonicMs() + withinMs
    this.#waiting.set(call, { peer, deadlineAt, done })
    this.#sweepBy(deadlineAt)
    return call
  }

  /** An answer came. One that comes twice, too late or `from` somebody who was not asked is dropped. */
  settle(call: number, result: Result<unknown>, from?: Peer): void {
    const waiting = this.#waiting.get(call)
    if (!waiting || (from !== undefined && from !== waiting.peer)) return
    this.#waiting.delete(call)
    waiting.done(result)
  }

  /** Nobody there will answer any more. */
  lose(peer: Peer, why: string): void {
    for (const [call, waiting] of this.#waiting) if (waiting.peer === peer) this.settle(call, gone(why))
  }

  close(): void {
    this.#cancelSweep?.()
  }

  /** Makes sure that all are looked through by then. */
  #sweepBy(atMs: number): void {
    if (atMs >= this.#sweepAt) return
    this.#cancelSweep?.()
    this.#sweepAt = atMs
    this.#cancelSweep = this.#clock.after(Math.max(1, atMs - this.#clock.monotonicMs()), () => this.#sweep())
  }

  #sweep(): void {
    const nowMs = this.#clock.monotonicMs()
    this.#sweepAt = Number.POSITIVE_INFINITY
    this.#cancelSweep = undefined
    let next = Number.POSITIVE_INFINITY
    for (const [call, waiting] of this.#waiting) {
      if (waiting.deadlineAt <= nowMs) this.settle(call, refuse('late', 'no answer before the deadline'))
      else if (waiting.deadlineAt < next) next = waiting.deadlineAt
    }
    if (next < Number.POSITIVE_INFINITY) this.#sweepBy(next)
  }
}
