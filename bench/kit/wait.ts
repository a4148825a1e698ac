import { setTimeout as after } from 'node:timers/promises'

const AGAIN_AFTER_MS = 2
const WITHIN_MS = 30_000

/** Tries again and again until the answer is `true`; an error counts as another try. Answers how long it took. */
export async function untilTrue(what: string, attempt: () => Promise<boolean>, withinMs = WITHIN_MS): Promise<number> {
  const startMs = performance.now()
  for (let last = 'it is not so'; ; await after(AGAIN_AFTER_MS)) {
    try {
      if (await attempt()) return performance.now() - startMs
    } catch (error) {
      last = error instanceof Error ? error.message : String(error)
    }
    if (performance.now() - startMs > withinMs) throw new Error(`${what}: not within ${withinMs / 1_000} s; last: ${last}`)
  }
}

/** Lets this much time pass. */
export function pause(ms: number): Promise<void> {
  return after(ms)
}

/** The middle one of all values. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
