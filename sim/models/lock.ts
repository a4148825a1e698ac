/** What clients asked of locks and were told. Times are the world's, in ms. */
export type LockHistory = { sessions: Map<string, SessionLife>; steps: LockStep[] }

/** A session as whoever made it knows it. */
export type SessionLife = {
  /** It does not end sooner than this after it was last renewed. */
  livesMs: number
  /** A key that it held when it ended may not be taken for so long. */
  delayMs: number
  /** When it was asked for, and each time it was asked to be renewed and was. */
  renewedMs: number[]
}

/** `answeredMs` is Infinity while nobody knows what came of it. `key` is '' where it is about the session alone. */
export type LockStep = {
  do: 'acquire' | 'release' | 'destroy'
  key: string
  session: string
  invokedMs: number
  answeredMs: number
  outcome?: boolean
}

/**
 * Why no order of what was acknowledged explains it: a key was taken while somebody else held it for sure, or too soon after its
 * holder was destroyed. Only what is certain counts: a lock is held from the answer until its holder could have lost it first.
 */
export function lockFault({ sessions, steps }: LockHistory): string | undefined {
  const taken = steps.filter((step) => step.do === 'acquire' && step.outcome === true)
  for (const holding of taken) {
    const life = sessions.get(holding.session)
    if (!life) continue
    const untilMs = heldUntilMs(holding, life, steps)
    const others = taken.filter(({ key, session }) => key === holding.key && session !== holding.session)
    const second = others.find((other) => other.invokedMs >= holding.answeredMs && other.answeredMs <= untilMs)
    if (second) return `${stepText(second)}, although it was held: ${stepText(holding)}, until ${untilMs.toFixed(1)} ms at least`
    const destroyed = steps.find(
      (step) => step.do === 'destroy' && step.outcome === true && step.session === holding.session && step.invokedMs === untilMs,
    )
    if (!destroyed || heldUntilMs(holding, life, without(steps, destroyed)) < destroyed.answeredMs) continue
    const freeMs = destroyed.invokedMs + life.delayMs
    const early = others.find((other) => other.invokedMs >= destroyed.answeredMs && other.answeredMs < freeMs)
    if (early)
      return `${stepText(early)}, although its holder was lost: ${stepText(destroyed)}, so it was free from ${freeMs.toFixed(1)} ms on`
  }
  return undefined
}

/** Until when a lock that was taken is held whatever else happened; before its answer if nothing is certain. */
function heldUntilMs(holding: LockStep, { livesMs, renewedMs }: SessionLife, steps: readonly LockStep[]): number {
  let untilMs = Math.max(...renewedMs) + livesMs
  for (const step of steps) {
    const mayEndIt = step.session === holding.session && (step.do === 'destroy' || (step.do === 'release' && step.key === holding.key))
    // What was answered before the lock was asked for has not ended it.
    if (mayEndIt && step.answeredMs >= holding.invokedMs) untilMs = Math.min(untilMs, step.invokedMs)
  }
  return untilMs
}

function without(steps: readonly LockStep[], left: LockStep): LockStep[] {
  return steps.filter((step) => step !== left)
}

function stepText({ do: what, key, session, invokedMs, answeredMs }: LockStep): string {
  const object = key === '' ? '' : ` ${key}`
  return `${session.slice(0, 8)} ${what}${object} (${invokedMs.toFixed(1)} to ${answeredMs.toFixed(1)} ms)`
}
