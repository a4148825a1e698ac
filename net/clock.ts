import { randomInt, randomUUID } from 'node:crypto'
import type { Clock, Random } from '../src/kernel/ports.ts'

/** Longer timers would fire at once in Node. */
const TIMER_MS_MAX = 2_147_483_647

export const realClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(ms, work) {
    const timer = setTimeout(work, Math.min(Math.max(Math.ceil(ms), 0), TIMER_MS_MAX))
    return () => clearTimeout(timer)
  },
}

/** Chance from the operating system, the same for every stream. */
export const realRandom: Random = {
  next: Math.random,
  int: (from, to) => randomInt(from, to + 1),
  uuid: () => randomUUID(),
}
