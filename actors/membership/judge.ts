import type { News } from './messages.ts'
import { isThere } from './ring.ts'
import { announce } from './spread.ts'
import type { MembershipState, MembershipTurn } from './state.ts'
import { accusersNeeded, suspectMs } from './suspicion.ts'
import { bury, isMuted, noteIn, refute } from './table.ts'

/** Whoever has not accused itself leaves the verdict to those who have, for so much longer. */
const FOLLOW_MS = 500
/** A point of this agent's own score postpones its verdicts by so much. */
const SCORE_MS = 500
/** What was heard of an accused member so lately speaks for it. */
const HEARD_MS = 2_000

type Accused = Extract<News, { is: 'accused' }>
type Disputed = Omit<Extract<News, { is: 'disputed' }>, 'is'>
type Failed = Extract<News, { is: 'failed' }>

/** Takes an accusation. Answers whether it is new and to be passed on. */
export function accused(state: MembershipState, turn: MembershipTurn, { name, incarnation, by }: Accused, via: readonly string[]): boolean {
  if (name === state.self.name) {
    if (incarnation >= state.self.incarnation) refute(state, turn, incarnation)
    return false
  }
  const record = state.members.get(name)
  const accuser = state.members.get(by)
  if (record === undefined || accuser === undefined || !isThere(record) || !isThere(accuser) || by === name) return false
  if (incarnation < record.incarnation || isMuted(state, by)) return false
  let suspicion = state.suspicions.get(name)
  if (suspicion === undefined || suspicion.incarnation < incarnation) {
    suspicion = { incarnation, sinceMs: state.nowMs, accusers: new Set() }
    state.suspicions.set(name, suspicion)
    state.isMoved = true
  } else if (suspicion.incarnation > incarnation || suspicion.accusers.has(by)) return false
  suspicion.accusers.add(by)
  state.version++
  const what = suspicion.accusers.size === 1 ? 'accused' : 'confirmed'
  noteIn(state, turn, { what, member: name, incarnation, by, via, why: 'no answer, neither directly nor over others' })
  turn.count(`membership.${what}`)
  return true
}

/** Takes a verdict of others. It is believed if enough of them have accused; else it is one more accusation. */
export function failed(state: MembershipState, turn: MembershipTurn, news: Failed, via: readonly string[]): boolean {
  const { name, incarnation, by, accusers } = news
  if (name === state.self.name) {
    if (incarnation >= state.self.incarnation) refute(state, turn, incarnation)
    return false
  }
  const record = state.members.get(name)
  if (record === undefined || incarnation < record.incarnation || !isThere(record)) return false
  const known = new Set(accusers.filter((accuser) => accuser !== name && state.members.has(accuser)))
  if (known.size < accusersNeeded(othersThan(state))) return accused(state, turn, { is: 'accused', name, incarnation, by }, via)
  return bury(state, turn, name, incarnation, { via, why: `accused by ${[...known].join(', ')}` })
}

/**
 * Somebody counts a member as failed which is there for others. That is no accusation: it is passed on, once, until the member hears of it
 * and refutes it. Answers whether it is new.
 */
export function disputed(state: MembershipState, turn: MembershipTurn, { name, incarnation }: Disputed): boolean {
  if (name === state.self.name) {
    if (incarnation >= state.self.incarnation) refute(state, turn, incarnation)
    return false
  }
  const record = state.members.get(name)
  if (record === undefined || incarnation < record.incarnation || incarnation <= (state.disputed.get(name) ?? -1)) return false
  state.disputed.set(name, incarnation)
  return true
}

/** Says aloud that a member does not answer. */
export function accuse(state: MembershipState, turn: MembershipTurn, name: string): void {
  const record = state.members.get(name)
  if (record === undefined) return
  const news: Accused = { is: 'accused', name, incarnation: record.incarnation, by: state.self.name }
  if (accused(state, turn, news, [])) announce(state, turn, news)
}

/** Passes the verdicts that are due. */
export function judge(state: MembershipState, turn: MembershipTurn): void {
  const { self, nowMs, health } = state
  for (const [name, { sinceMs, accusers, incarnation }] of state.suspicions) {
    const isAccuser = accusers.has(self.name)
    const dueMs = sinceMs + suspectMs(accusers.size, othersThan(state)) + health.score * SCORE_MS + (isAccuser ? 0 : FOLLOW_MS)
    if (nowMs < dueMs || wasHeardOf(state, name, sinceMs)) continue
    const names = [...accusers]
    if (!bury(state, turn, name, incarnation, { via: [], why: `accused by ${names.join(', ')}` })) state.suspicions.delete(name)
    else if (isAccuser) announce(state, turn, { is: 'failed', name, incarnation, by: self.name, accusers: names.slice(0, ACCUSERS_TOLD) })
  }
}

/** A pause of this agent: what waits to be read may hold refutations. */
export function postpone(state: MembershipState, byMs: number): void {
  for (const suspicion of state.suspicions.values()) suspicion.sinceMs = Math.min(state.nowMs, suspicion.sinceMs + byMs)
}

const ACCUSERS_TOLD = 8

function wasHeardOf(state: MembershipState, name: string, sinceMs: number): boolean {
  const connection = state.connections.get(state.connected.get(name) ?? '')
  return connection !== undefined && connection.heardMs > sinceMs && state.nowMs - connection.heardMs < HEARD_MS
}

/** Members that are there besides the accused. */
function othersThan({ ring }: MembershipState): number {
  return Math.max(1, ring.length - 1)
}
