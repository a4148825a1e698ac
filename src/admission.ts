import type { MeshLimits } from './kernel/ports.ts'

/** Counts what a listener of the mesh has let in, and says when that is enough. `nowMs` never goes back. */
export class Admission {
  limits: MeshLimits
  readonly #nowMs: () => number
  #open = 0
  /** How many may come at this moment; it fills up again within a second. */
  #left: number
  #filledMs: number

  constructor(limits: MeshLimits, nowMs: () => number) {
    this.limits = limits
    this.#nowMs = nowMs
    this.#left = limits.perSecondMax ?? 0
    this.#filledMs = nowMs()
  }

  /** Why nobody else is let in now; undefined if somebody is, who counts as having come. */
  refuses(): string | undefined {
    const { connectionsMax, perSecondMax } = this.limits
    if (connectionsMax > 0 && this.#open >= connectionsMax) {
      return `too many connections: ${connectionsMax} are open, which is the limit`
    }
    if (perSecondMax === undefined || this.#take(perSecondMax)) return undefined
    return `too many connections: ${perSecondMax} came within a second, which is the limit`
  }

  /** Who came was no connection, and does not count. */
  giveBack(): void {
    this.#left += 1
  }

  opened(): void {
    this.#open += 1
  }

  closed(): void {
    this.#open -= 1
  }

  #take(perSecondMax: number): boolean {
    const nowMs = this.#nowMs()
    this.#left = Math.min(perSecondMax, this.#left + ((nowMs - this.#filledMs) * perSecondMax) / 1_000)
    this.#filledMs = nowMs
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }
}
