import { isWithin } from '../../src/kernel/networks.ts'
import type { MemberRecord, TraceEntry } from './protocol.ts'
import { insert, isThere, remove } from './ring.ts'
import { announce } from './spread.ts'
import { isPresent, type MembershipState, type MembershipTurn } from './state.ts'
import { note } from './trace.ts'

/** Where something came from: over which members, whoever said it first in front; [] from this agent itself. */
export type Origin = { via: readonly string[]; why: string }

/** Later ones win over earlier ones of the same incarnation. */
const RANKS: Readonly<Record<MemberRecord['status'], number>> = { alive: 0, leaving: 1, failed: 2, left: 3 }

/** Whether a record says something newer than another one of the same member. */
export function isNewer(one: MemberRecord, other: MemberRecord): boolean {
  return one.incarnation > other.incarnation || (one.incarnation === other.incarnation && RANKS[one.status] > RANKS[other.status])
}

/** Takes what is newer. Answers whether it was. What others say wrongly of this agent itself is refuted. */
export function adopt(state: MembershipState, turn: MembershipTurn, record: MemberRecord, origin: Origin): boolean {
  const before = state.members.get(record.name)
  if (record.name === state.self.name && record.id === state.self.id) {
    if (isNewer(record, state.self) || contradicts(record, state.self)) refute(state, turn, record.incarnation)
    return false
  }
  if (!isAllowed(state, record)) return false
  if (before !== undefined && isHearsay(record, before) && origin.via[0] !== record.name) return false
  const pruned = state.pruned.get(record.name)
  if (pruned !== undefined && record.incarnation <= pruned.incarnation) return false
  if (before !== undefined && before.id !== record.id) {
    if (!replaces(state, turn, record, before, origin)) return false
  } else if (before !== undefined && !isNewer(record, before)) return false
  take(state, turn, record, origin)
  return true
}

/** Whether others would not take this agent's own word, because something else was said first under the same incarnation. */
function contradicts(record: MemberRecord, self: MemberRecord): boolean {
  if (record.incarnation !== self.incarnation) return false
  const { address, port, peer, tags } = record
  const names = Object.keys(tags)
  const isSame = names.length === Object.keys(self.tags).length && names.every((name) => tags[name] === self.tags[name])
  return !isSame || address !== self.address || port !== self.port || peer !== self.peer
}

/** Whether a member may be where it says to be. */
export function isAllowed({ args: { networks = [] } }: MembershipState, { address }: MemberRecord): boolean {
  return networks.length === 0 || isWithin(address, networks)
}

/** Whether a record says of a member that is there what only it, or a verdict, may say: that it goes, or has failed. */
export function isHearsay({ status, id }: MemberRecord, before: MemberRecord): boolean {
  if (before.id !== id || !isThere(before)) return false
  return status === 'failed' || (before.status === 'alive' && status !== 'alive')
}

/** This agent is alive, whatever others say: with an incarnation that is higher than theirs. */
export function refute(state: MembershipState, turn: MembershipTurn, incarnation: number): void {
  const { self } = state
  if (state.outside !== undefined || self.status === 'left') return
  state.self = { ...self, incarnation: Math.max(self.incarnation, incarnation) + 1, ltime: ++state.lamportTime }
  take(state, turn, state.self, { via: [], why: 'this agent is here' })
  announce(state, turn, { is: 'member', member: state.self })
  turn.count('membership.refuted')
}

/** Says something else of itself than before. */
export function sayOfSelf(state: MembershipState, turn: MembershipTurn, change: Partial<Pick<MemberRecord, 'tags' | 'status'>>): void {
  const incarnation = change.status === undefined ? state.self.incarnation + 1 : state.self.incarnation
  state.self = { ...state.self, ...change, incarnation, ltime: ++state.lamportTime }
  take(state, turn, state.self, { via: [], why: 'by itself' })
  announce(state, turn, { is: 'member', member: state.self })
}

/** A verdict. A member that was about to go has gone. */
export function bury(state: MembershipState, turn: MembershipTurn, name: string, incarnation: number, origin: Origin): boolean {
  const record = state.members.get(name)
  if (record === undefined || !isThere(record)) return false
  const status = record.status === 'leaving' ? 'left' : 'failed'
  take(state, turn, { ...record, status, incarnation: Math.max(record.incarnation, incarnation) }, origin)
  return true
}

/** Forgets a member up to this incarnation. */
export function forget(state: MembershipState, name: string, incarnation: number): boolean {
  const record = state.members.get(name)
  if (record === undefined || record.incarnation > incarnation || isThere(record)) return false
  state.pruned.set(name, { incarnation, atMs: state.nowMs })
  state.members.delete(name)
  state.goneSinceMs.delete(name)
  state.suspicions.delete(name)
  state.version++
  return true
}

export function noteIn(state: MembershipState, turn: MembershipTurn, entry: Omit<TraceEntry, 'atMs' | 'number'>): void {
  note(state.trace, { atMs: turn.nowMs, ...entry })
}

function take(state: MembershipState, turn: MembershipTurn, record: MemberRecord, { via, why }: Origin): void {
  const { name } = record
  const before = state.members.get(name)
  const wasThere = before !== undefined && isThere(before)
  if (wasThere && (!isThere(record) || before.place !== record.place)) remove(state.ring, before, state.members)
  state.members.set(name, record)
  if (isThere(record) && (!wasThere || before.place !== record.place)) insert(state.ring, record, state.members)
  state.lamportTime = Math.max(state.lamportTime, record.ltime)
  state.version++
  if (wasThere !== isThere(record) || before?.place !== record.place) state.isMoved = true
  const goneSinceMs = state.goneSinceMs.get(name)
  if (isThere(record)) state.goneSinceMs.delete(name)
  else if (wasThere || before === undefined) state.goneSinceMs.set(name, state.nowMs)
  const suspicion = state.suspicions.get(name)
  if (suspicion !== undefined && (!isThere(record) || record.incarnation > suspicion.incarnation)) {
    state.suspicions.delete(name)
    state.isMoved = true
    if (isThere(record) && suspicion.loudMs !== undefined) blame(state, suspicion.saidBy)
  }
  const what = happened(record, before, suspicion?.loudMs !== undefined)
  if (what === undefined) return
  noteIn(state, turn, { what, member: name, incarnation: record.incarnation, by: via[0] ?? state.self.name, via, why })
  turn.count(`membership.${what}`)
  for (const metric of serfMetrics(what, before)) turn.count(metric)
  if (goneSinceMs !== undefined && before?.status === 'failed' && isThere(record) && state.nowMs - goneSinceMs <= FLAP_MS) {
    turn.count('serf.member.flap')
  }
}

/** Who is back so soon after it failed flaps. Source: Serf. */
const FLAP_MS = 60_000

/** What dashboards made for Consul ask for. A member that had failed joins when it is back. */
function serfMetrics(what: TraceEntry['what'], before: MemberRecord | undefined): string[] {
  if (what === 'failed') return ['serf.member.failed', 'memberlist.msg.dead']
  if (what === 'left') return ['serf.member.left']
  if (what === 'joined') return ['serf.member.join', 'memberlist.msg.alive']
  if (what !== 'refuted') return []
  return before?.status === 'failed' ? ['serf.member.join', 'memberlist.msg.alive'] : ['memberlist.msg.alive']
}

function happened(record: MemberRecord, before: MemberRecord | undefined, wasSuspect: boolean): TraceEntry['what'] | undefined {
  if (record.status === 'failed' || record.status === 'left' || record.status === 'leaving') {
    return before?.status === record.status && before.incarnation === record.incarnation ? undefined : record.status
  }
  if (before === undefined || before.status === 'left' || before.id !== record.id) return 'joined'
  return wasSuspect || before.status === 'failed' ? 'refuted' : undefined
}

/** Accusations that were refuted speak against whoever made them, not against those who were named with them. */
function blame(state: MembershipState, accusers: ReadonlySet<string>): void {
  for (const name of accusers) {
    const blamed = state.blamed.get(name)
    if (blamed === undefined || state.nowMs - blamed.sinceMs > BLAMED_MS) state.blamed.set(name, { times: 1, sinceMs: state.nowMs })
    else blamed.times++
  }
}

/** Whether accusations of a member are not believed for now: too many of them were refuted. */
export function isMuted({ blamed, nowMs }: MembershipState, name: string): boolean {
  const found = blamed.get(name)
  return found !== undefined && found.times >= BLAMED_MAX && nowMs - found.sinceMs <= BLAMED_MS
}

const BLAMED_MS = 60_000
const BLAMED_MAX = 5

/**
 * Whether another agent takes over a name. It does when the one before is gone or was at the same address. Of two that are there, the one
 * with the smaller id keeps the name, on whichever agent that is judged.
 */
function replaces(state: MembershipState, turn: MembershipTurn, record: MemberRecord, before: MemberRecord, { via }: Origin): boolean {
  if (!isThere(record)) return false
  const isSame = before.address === record.address && before.port === record.port
  if (isSame) return record.incarnation > before.incarnation
  if (!isPresent(state, before.name)) return true
  const [winner, loser] = before.id < record.id ? [before, record] : [record, before]
  const where = ({ id, address, port }: MemberRecord) => `${address}:${port} (${id})`
  const why = `two members have the name ${record.name}: ${where(before)} and ${where(record)}`
  if (!hasNoted(state, record.name, why)) {
    turn.print('error', `Name conflict: ${why}; the second has to choose another one`, { keeps: where(winner) })
    noteIn(state, turn, { what: 'conflict', member: record.name, incarnation: record.incarnation, by: state.self.name, via, why })
  }
  if (loser.id === state.self.id && loser.name === state.self.name) state.outside = why
  return winner === record
}

function hasNoted({ trace }: MembershipState, member: string, why: string): boolean {
  return trace.entries.some((entry) => entry.what === 'conflict' && entry.member === member && entry.why === why)
}
