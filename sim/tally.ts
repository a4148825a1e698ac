import type { RunFailure, RunResult, RunTask } from './campaign.ts'
import { chanceIn, kinds, marks } from './marks.ts'

/** A campaign may fail by bad luck less often than once in a million. */
export const BAD_LUCK = 1e-6
const MARK_CHANCE = 0.9

/** What came of runs, added up: up to the first one that failed. */
export class Tally {
  runs = 0
  /** How often plans were carried out. The next two count every time. */
  plays = 0
  virtualMs = 0
  events = 0
  /** How long it took until everything was at rest, for each run that held. */
  readonly restedMs: number[] = []
  slowest: { seed: string; restedMs: number } | undefined
  /** How often each mark was reached. */
  readonly reached = new Map<string, number>()
  /** How many runs had each kind of event. */
  readonly runsWith = new Map<string, number>()
  failed: (RunFailure & { task: RunTask }) | undefined
  /** A number that is the same whenever every run was the same. */
  trace = 0
  /** How many runs had enough events for each mark, in the order of `marks`. */
  readonly #enough = marks.map(() => 0)
  /** The chance that no plan has each kind, in the order of `kinds`. */
  readonly #neverDrawn = kinds.map(() => 1)

  add(result: RunResult): void {
    const { task, virtualMs, events, restedMs, failed } = result
    const plays = task.isTwice ? 2 : 1
    this.runs++
    this.plays += plays
    this.virtualMs += virtualMs * plays
    this.events += events * plays
    for (const [mark, times] of result.reached) this.reached.set(mark, (this.reached.get(mark) ?? 0) + times)
    for (let at = 0; at < result.hash.length; at++) this.trace = Math.imul(this.trace ^ result.hash.charCodeAt(at), 0x01000193) >>> 0
    const drawn = new Map(result.drawn)
    for (const kind of drawn.keys()) this.runsWith.set(kind, (this.runsWith.get(kind) ?? 0) + 1)
    for (const [at, kind] of kinds.entries()) this.#neverDrawn[at]! *= 1 - chanceIn(kind, task)
    if (failed) {
      this.failed = { ...failed, task }
      return
    }
    for (const [at, mark] of marks.entries()) if ((drawn.get(mark.kind) ?? 0) >= mark.events) this.#enough[at]!++
    this.restedMs.push(restedMs)
    if (restedMs > (this.slowest?.restedMs ?? -1)) this.slowest = { seed: task.seed, restedMs }
  }

  /**
   * What was never reached although it can hardly be chance, as sentences: kinds that no plan has, and marks whose events came
   * often enough.
   */
  neverReached(): string[] {
    const neverDrawn = kinds.filter(({ name }, at) => !this.runsWith.has(name) && this.#neverDrawn[at]! < BAD_LUCK)
    const missed = marks.flatMap(({ name, kind, events, chance = MARK_CHANCE }, at) => {
      const enough = this.#enough[at]!
      return this.reached.has(name) || (1 - chance) ** enough > BAD_LUCK
        ? []
        : [`${name}, although ${enough} runs had ${events} of ${kind} or more`]
    })
    return [...neverDrawn.map(({ name }) => `${name}: no plan of ${this.runs} has it`), ...missed]
  }
}
