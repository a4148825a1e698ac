import type { Pace } from './pace.ts'

/** A member that was accused and not yet judged. */
export type Suspicion = {
  incarnation: number
  /** When the first accusation came, in ms of the actor's own time. */
  sinceMs: number
  /** Names of those who have each found out by themselves. */
  accusers: Set<string>
  /** Those who said so here, each of whom may have named others. */
  saidBy: Set<string>
  /** Since when all have heard of it; undefined while only those have who watch the member. */
  loudMs: number | undefined
}

const ACCUSERS_WANTED = 3
/** Fewer are no proof, if there are more who could accuse. */
const ACCUSERS_MIN = 2

/** How many accusers there must be for the shortest time until the verdict, of so many members that are there besides the accused. */
export function accusersWanted(others: number): number {
  return Math.min(ACCUSERS_WANTED, others)
}

/** How many make others' verdict believable. */
export function accusersNeeded(others: number): number {
  return Math.min(ACCUSERS_MIN, others)
}

/**
 * How long after the first accusation the accused counts as failed, in ms. Each independent confirmation shortens it, the first ones most
 * of all. Lifeguard, section IV-B: max - (max - min) · log(c + 1) / log(C + 1), c being confirmations after the first accusation.
 */
export function suspectMs(accusers: number, others: number, pace: Pace): number {
  const wanted = accusersWanted(others)
  if (wanted <= 1) return pace.suspectMsAlone
  const confirmed = Math.max(0, Math.min(accusers, wanted) - 1)
  return pace.suspectMsMax - (pace.suspectMsMax - pace.suspectMsMin) * (Math.log(confirmed + 1) / Math.log(wanted))
}
