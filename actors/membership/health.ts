/** How well this agent itself is: whoever is late or hears nothing doubts itself before others. */
export type Health = {
  /** From 0, well, to SCORE_MAX. */
  score: number
  /** When it was last changed for the better, in ms of the actor's own time. */
  betterAtMs: number
}

export const SCORE_MAX = 8
/** A timer may come so much too late before it means something. */
export const LATE_MS = 200
/** So much lateness is one point more. */
const LATE_MS_PER_POINT = 2_000
/** A point less for so long without a reason for one more. */
const BETTER_AFTER_MS = 2_000

export function newHealth(): Health {
  return { score: 0, betterAtMs: 0 }
}

/** A timer came too late by so many ms: whatever waited meanwhile says nothing of others. */
export function wasLate(health: Health, lateMs: number, nowMs: number): void {
  worse(health, 1 + Math.floor(lateMs / LATE_MS_PER_POINT), nowMs)
}

/** Neither a member nor those who were asked about it have answered. */
export function heardNothing(health: Health, nowMs: number): void {
  worse(health, 1, nowMs)
}

/** Time has passed. */
export function recover(health: Health, nowMs: number): void {
  if (health.score === 0 || nowMs - health.betterAtMs < BETTER_AFTER_MS) return
  health.score--
  health.betterAtMs = nowMs
}

/** Multiplies how long this agent waits for others. */
export function stretchOf({ score }: Health): number {
  return 1 + score
}

function worse(health: Health, points: number, nowMs: number): void {
  health.score = Math.min(SCORE_MAX, health.score + points)
  health.betterAtMs = nowMs
}
