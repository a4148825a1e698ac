export type Complaint = { who: string; why: string; times: number }

const SAID_MS_MIN = 60_000
/** Whoever comes when there are as many in a minute already is not told of. */
const KNOWN_MAX = 1_024

/** Says at once who did what nobody may, and then at most once a minute for each, with how often it was. */
export function createComplaints(say: (complaint: Complaint) => void, monotonicMs: () => number): (who: string, why: string) => void {
  /** In the order in which they were said. */
  const known = new Map<string, { saidMs: number; times: number }>()
  return (who, why) => {
    const nowMs = monotonicMs()
    const before = known.get(who)
    if (before !== undefined && nowMs - before.saidMs < SAID_MS_MIN) {
      before.times++
      return
    }
    for (const [old, { saidMs, times }] of known) {
      if (nowMs - saidMs < SAID_MS_MIN) break
      if (old !== who && times === 0) known.delete(old)
      else if (known.size >= KNOWN_MAX) known.delete(old)
    }
    if (before === undefined && known.size >= KNOWN_MAX) return
    known.delete(who)
    known.set(who, { saidMs: nowMs, times: 0 })
    say({ who, why, times: (before?.times ?? 0) + 1 })
  }
}
