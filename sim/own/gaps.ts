/** One look at something that should be so. */
export type Sample = { atMs: number; isGood: boolean }

/** A time in which something was not as it should be. `toMs` is when it was good again (`isOver`), or when nobody looked any more. */
export type Gap = { fromMs: number; toMs: number; isOver: boolean }

/** Whoever looks does so this often, in ms. */
export const LOOK_EVERY_MS = 500
/** Nothing needs to be good before it was so for the first time, but for no longer than this. */
export const WARM_UP_MS = 10_000

/** From when on something is expected to be good. */
export function startOf(samples: readonly Sample[]): number {
  return Math.min(samples.find(({ isGood }) => isGood)?.atMs ?? WARM_UP_MS, WARM_UP_MS)
}

/** The times in which something was not good, of those that were looked at from `fromMs` until `toMs`. */
export function gapsOf(samples: readonly Sample[], fromMs: number, toMs: number): Gap[] {
  const gaps: Gap[] = []
  let open: Gap | undefined
  for (const { atMs, isGood } of samples) {
    if (atMs < fromMs) continue
    if (atMs > toMs) break
    // Where nobody looked, nothing is known.
    const isSeen = open !== undefined && atMs - open.toMs <= LOOK_EVERY_MS
    if (open && isSeen) open.toMs = atMs
    if (open && isSeen && isGood) open.isOver = true
    if (isGood) open = undefined
    else if (!open || !isSeen) gaps.push((open = { fromMs: atMs, toMs: atMs, isOver: false }))
    if (open) open.toMs = Math.min(toMs, atMs + LOOK_EVERY_MS)
  }
  return gaps
}

/** The part of the looks from `fromMs` until `toMs` that found something good; undefined if nobody looked. */
export function goodPart(samples: readonly Sample[], fromMs: number, toMs: number): number | undefined {
  let all = 0
  let good = 0
  for (const { atMs, isGood } of samples) {
    if (atMs < fromMs || atMs > toMs) continue
    all++
    if (isGood) good++
  }
  return all === 0 ? undefined : good / all
}

export function longest(gaps: readonly Gap[]): Gap | undefined {
  return gaps.reduce<Gap | undefined>((best, gap) => (best && lengthOf(best) >= lengthOf(gap) ? best : gap), undefined)
}

export function lengthOf({ fromMs, toMs }: Gap): number {
  return toMs - fromMs
}
