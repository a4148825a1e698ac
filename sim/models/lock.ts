/** What clients asked of locks and were told. Times are the world's, in ms. */
export type LockHistory = { sessions: Map<string, SessionLife>; steps: LockStep[] }

/** A session as whoever made it knows it. */
export type SessionLife = {
  /** It does not end sooner than this after it was last renewed. */
  livesMs: number
  /** Its node, and the check without which it ends; '' if it has none. */
  node: string
  check: string
  /** A key that it held when it ended may not be taken for so long. */
  delayMs: number
  /** When it was asked for, and each time it was asked to be renewed and was. */
  renewedMs: number[]
}

/** `answeredMs` is Infinity while nobody knows what came of it. `key` is '' where it is about the session alone. */
export type LockStep = {
  /** `uproot`: what sessions live by may have gone, as `SessionLife` names it. */
  do: 'acquire' | 'release' | 'destroy' | 'uproot'
  key: string
  session: string
  invokedMs: number
  answeredMs: number
  outcome?: boolean
  /** What was uprooted; absent: everything. */
  uproots?: { node: string; check?: string }
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
    const early = others.find(
      (other) => other.invokedMs >= destroyed.answeredMs && other.answeredMs < freeMs && !isUndone(steps, destroyed, other),
    )
    if (early)
      return `${stepText(early)}, although its holder was lost: ${stepText(destroyed)}, so it was free from ${freeMs.toFixed(1)} ms on`
  }
  return undefined
}

/** Until when a lock that was taken is held whatever else happened; before its answer if nothing is certain. */
function heldUntilMs(holding: LockStep, life: SessionLife, steps: readonly LockStep[]): number {
  let untilMs = Math.max(...life.renewedMs) + life.livesMs
  for (const step of steps) {
    const isOwn = step.session === holding.session
    const mayEndIt = isOwn ? step.do === 'destroy' || (step.do === 'release' && step.key === holding.key) : uproots(step, life)
    // What was answered before the lock was asked for has not ended it.
    if (mayEndIt && step.answeredMs >= holding.invokedMs) untilMs = Math.min(untilMs, step.invokedMs)
  }
  return untilMs
}

function uproots({ do: what, uproots: roots }: LockStep, { node, check }: SessionLife): boolean {
  if (what !== 'uproot' || !roots) return what === 'uproot'
  return roots.node === node && (roots.check === undefined || roots.check === check)
}

/** Whether something took everything back to what it was, between these two. */
function isUndone(steps: readonly LockStep[], from: LockStep, until: LockStep): boolean {
  return steps.some(
    (step) => step.do === 'uproot' && !step.uproots && step.invokedMs <= until.answeredMs && step.answeredMs >= from.invokedMs,
  )
}

function without(steps: readonly LockStep[], left: LockStep): LockStep[] {
  return steps.filter((step) => step !== left)
}

function stepText({ do: what, key, session, invokedMs, answeredMs }: LockStep): string {
  const object = key === '' ? '' : ` ${key}`
  return `${session.slice(0, 8)} ${what}${object} (${invokedMs.toFixed(1)} to ${answeredMs.toFixed(1)} ms)`
}
