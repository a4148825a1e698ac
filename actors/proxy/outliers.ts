import type { ConnectInstance } from '../feeds/protocol.ts'

/** An instance that cannot be reached `failuresMax` times in a row within `intervalMs` is left out for a while. */
export type Ejection = { failuresMax: number; intervalMs: number }

/** What is known of the instances of one upstream that could not be reached. */
export type Outliers = Map<string, Outlier>
/** `failedMs`: when it failed, since it was last reached. `ejections` make the next one longer; 0 `untilMs` is none. */
export type Outlier = { failedMs: number[]; ejections: number; untilMs: number }

/** Left out for so long the first time, and longer each time that follows. */
const EJECTED_MS = 30_000
const EJECTED_MS_MAX = 300_000

/** An instance could not be reached. Answers for how long it is left out because of that; undefined if it is not. */
export function noteFailure(outliers: Outliers, key: string, { failuresMax, intervalMs }: Ejection, nowMs: number): number | undefined {
  const outlier = outliers.get(key) ?? { failedMs: [], ejections: 0, untilMs: 0 }
  outliers.set(key, outlier)
  if (isEjected(outlier, nowMs)) return undefined
  outlier.failedMs = [...outlier.failedMs.filter((failedMs) => Math.abs(nowMs - failedMs) <= intervalMs), nowMs]
  if (outlier.failedMs.length < failuresMax) return undefined
  outlier.ejections++
  outlier.failedMs = []
  const forMs = Math.min(EJECTED_MS_MAX, EJECTED_MS * outlier.ejections)
  outlier.untilMs = nowMs + forMs
  return forMs
}

/** An instance was reached. What it was is forgotten once it has been well for as long as it could be left out. */
export function noteSuccess(outliers: Outliers, key: string, nowMs: number): void {
  const outlier = outliers.get(key)
  if (!outlier) return
  outlier.failedMs = []
  if (nowMs >= outlier.untilMs + EJECTED_MS_MAX || outlier.ejections === 0) outliers.delete(key)
}

/** The instances to choose from: those that are not left out, or all if there is none of these. */
export function eligible(outliers: Outliers, instances: readonly ConnectInstance[], nowMs: number): readonly ConnectInstance[] {
  const well = instances.filter((instance) => !isEjected(outliers.get(instanceKey(instance)), nowMs))
  return well.length > 0 ? well : instances
}

/** Forgets instances that are gone. */
export function keepOnly(outliers: Outliers, instances: readonly ConnectInstance[]): void {
  const known = new Set(instances.map(instanceKey))
  for (const key of outliers.keys()) if (!known.has(key)) outliers.delete(key)
}

/** Those that are left out now. */
export function ejected(outliers: Outliers, nowMs: number): string[] {
  return [...outliers].filter(([, outlier]) => isEjected(outlier, nowMs)).map(([key]) => key)
}

export function instanceKey({ node, id, address, port }: ConnectInstance): string {
  return `${node} ${id} ${address} ${port}`
}

/** A clock that was set back does not leave an instance out for longer than it may be. */
function isEjected(outlier: Outlier | undefined, nowMs: number): boolean {
  return outlier !== undefined && nowMs < outlier.untilMs && outlier.untilMs - nowMs <= EJECTED_MS_MAX
}
