import { isSuspect } from './judge.ts'
import type { Member, MemberRecord } from './protocol.ts'
import type { MembershipState, MembershipTurn } from './state.ts'
import { traceOf } from './trace.ts'

/** Tells those who follow, if there is anything new. */
export function show(state: MembershipState, turn: MembershipTurn): void {
  if (state.version !== state.shownVersion && state.followers.length > 0) {
    state.shownVersion = state.version
    const members = showAll(state)
    for (const { subscriber } of state.followers) turn.emit(subscriber, state.version, members)
  }
  const { trace } = state
  if (trace.count === state.shownTrace) return
  state.shownTrace = trace.count
  for (const { member, subscriber } of state.traceFollowers) turn.emit(subscriber, trace.count, traceOf(trace, member))
}

/** All members by name, as others are to see them. */
export function showAll(state: MembershipState): Member[] {
  const members = [...state.members.values()].filter(({ peer }) => peer !== '')
  return members.map((record) => shown(state, record)).sort((a, b) => (a.name < b.name ? -1 : 1))
}

function shown(state: MembershipState, { ltime, place: _place, status, ...record }: MemberRecord): Member {
  const isDoubted = status === 'alive' && isSuspect(state, record.name)
  return { ...record, status: isDoubted ? 'suspect' : status, statusLtime: ltime, isSelf: record.name === state.self.name }
}
