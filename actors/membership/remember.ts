import type { GossipAddress, StoreOutcome } from '../../src/kernel/ports.ts'
import { isThere } from './ring.ts'
import { addressOf, type MembershipState, type MembershipTurn, textOf } from './state.ts'
import { forget } from './table.ts'

/** Under this key and the actor's own name this agent keeps whom it may find again. */
const KEY = 'known'
const KNOWN_MAX = 64
/** So many of them are dialled when it is started again. */
const DIALLED_MAX = 5
const SAVE_MS = 30_000
const SAVE_FEW_MS = 1_000
const REAP_EVERY_MS = 10_000
/** Failed members are looked for so long; those that have left are shown so long. */
const FAILED_MS = 72 * 3_600_000
const LEFT_MS = 24 * 3_600_000
/** What is forgotten is not learned anew from others for so long. */
const PRUNED_MS = 24 * 3_600_000

/** What was passed around for so long is over. */
const NUMBERS_MS = 60_000

type Kept = { addresses: GossipAddress[]; hasLeft: boolean }

/** Keeps where members are, if that has changed, now and then or now. */
export function save(state: MembershipState, turn: MembershipTurn, hasLeft: boolean): void {
  if (!hasLeft && state.nowMs < state.next.saveMs) return
  const addresses: GossipAddress[] = []
  for (const name of state.ring) {
    const record = state.members.get(name)
    if (record !== undefined && name !== state.self.name && addresses.length < KNOWN_MAX) addresses.push(addressOf(record))
  }
  // Whoever knows few looks soon again: it may be killed in its first minute.
  state.next.saveMs = state.nowMs + (addresses.length < DIALLED_MAX ? SAVE_FEW_MS : SAVE_MS)
  const text = `${hasLeft} ${addresses.map(textOf).join(' ')}`
  if (text === state.saved || (addresses.length === 0 && !hasLeft)) return
  state.saved = text
  const record: Kept = { addresses, hasLeft }
  turn.act('store', { do: 'save', kind: turn.self.actor, key: KEY, record })
}

/** Whom to dial, of those that were members in an earlier life. */
export function knownRecords({ args }: MembershipState, turn: MembershipTurn, records: StoreOutcome['records']): GossipAddress[] {
  const kept = records.find(({ kind, key }) => kind === turn.self.actor && key === KEY)?.record as Kept | undefined
  if (kept === undefined || (kept.hasLeft && !args.rejoinsAfterLeave)) return []
  const left = [...kept.addresses]
  const chosen: GossipAddress[] = []
  while (left.length > 0 && chosen.length < DIALLED_MAX) chosen.push(...left.splice(turn.random.int(0, left.length - 1), 1))
  return chosen
}

/** Forgets who was gone for too long. */
export function reap(state: MembershipState, turn: MembershipTurn): void {
  const { next, nowMs } = state
  if (nowMs < next.reapMs) return
  next.reapMs = nowMs + REAP_EVERY_MS
  for (const [name, sinceMs] of state.goneSinceMs) {
    const record = state.members.get(name)
    if (record === undefined || isThere(record)) continue
    if (nowMs - sinceMs < (record.status === 'left' ? LEFT_MS : FAILED_MS)) continue
    forget(state, name, record.incarnation)
    turn.count('membership.reaped')
  }
  for (const [name, { atMs }] of state.pruned) if (nowMs - atMs >= PRUNED_MS) state.pruned.delete(name)
  for (const [key, { atMs }] of state.numbers) if (nowMs - atMs >= NUMBERS_MS) state.numbers.delete(key)
  for (const [text, atMs] of state.retryAtMs) if (nowMs >= atMs) state.retryAtMs.delete(text)
}
