import { assert } from '../src/kernel/refusal.ts'

/** 2026-01-01, the day on which every simulation begins. */
export const EPOCH_MS = Date.UTC(2026, 0, 1)

export type MachineClockOptions = {
  /** Milliseconds of the world's time. */
  nowMs(): number
  /** How far the machine's belief of the time is off from the beginning. Default: 0. */
  skewMs?: number
  /** What the clock gains: 0.001 is a millisecond a second. Above -1. Default: 0. */
  driftPart?: number
}

/**
 * What one machine believes of the time. Both of its clocks gain or lose by its drift; while it is suspended the wall clock goes
 * on and the monotonic one stands still, as CLOCK_MONOTONIC of Linux does.
 */
export class MachineClock {
  /** Added to the wall clock. */
  skewMs: number
  readonly #nowMs: () => number
  #rate = 1
  /** The world's time of the last change, and what the clocks showed then. */
  #changedAtMs = 0
  #wallMs = EPOCH_MS
  #monotonicMs = 0
  #suspendedUntilMs = 0
  /** The world's time from which the monotonic clock goes on. */
  #runsFromMs = 0

  constructor({ nowMs, skewMs = 0, driftPart = 0 }: MachineClockOptions) {
    this.#nowMs = nowMs
    this.skewMs = skewMs
    this.driftPart = driftPart
  }

  get driftPart(): number {
    return this.#rate - 1
  }

  set driftPart(part: number) {
    assert(part > -1, `a clock goes forward: driftPart is above -1, not ${part}`)
    this.#change()
    this.#rate = 1 + part
  }

  /** Takes back what the clock has gained, as whoever asks a time server does. */
  correct(): void {
    this.#change()
    this.#wallMs = EPOCH_MS + this.#nowMs()
  }

  /** Whole milliseconds since 1970. */
  wallMs(): number {
    return Math.floor(this.#exactWallMs() + this.skewMs)
  }

  monotonicMs(): number {
    const ranMs = this.#nowMs() - this.#runsFromMs
    return ranMs > 0 ? this.#monotonicMs + ranMs * this.#rate : this.#monotonicMs
  }

  /** The world's time until which the machine does nothing; not later than now if it runs. */
  get suspendedUntilMs(): number {
    return this.#suspendedUntilMs
  }

  /** The machine sleeps for so long, in the world's time; longer if it sleeps already. */
  suspend(forMs: number): void {
    this.#change()
    this.#suspendedUntilMs = Math.max(this.#suspendedUntilMs, this.#nowMs() + forMs)
    this.#runsFromMs = this.#suspendedUntilMs
  }

  /** Ends a suspension before its time. */
  resume(): void {
    this.#change()
    this.#suspendedUntilMs = 0
    this.#runsFromMs = this.#changedAtMs
  }

  /** How long the world needs until the monotonic clock has gone on by `ms`. */
  inWorldMs(ms: number): number {
    return Math.max(0, this.#suspendedUntilMs - this.#nowMs()) + ms / this.#rate
  }

  #exactWallMs(): number {
    return this.#wallMs + (this.#nowMs() - this.#changedAtMs) * this.#rate
  }

  #change(): void {
    this.#monotonicMs = this.monotonicMs()
    this.#wallMs = this.#exactWallMs()
    this.#changedAtMs = this.#nowMs()
    this.#runsFromMs = Math.max(this.#changedAtMs, this.#suspendedUntilMs)
  }
}
