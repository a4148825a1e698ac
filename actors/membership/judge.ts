import type { News } from './messages.ts'
import { paceOf } from './pace.ts'
import { isThere, neighboursOf } from './ring.ts'
import { announce, tellSome } from './spread.ts'
import type { MembershipState, MembershipTurn } from './state.ts'
import { accusersNeeded, type Suspicion, suspectMs } from './suspicion.ts'
import { bury, isMuted, noteIn, refute } from './table.ts'

/** Whoever has not accused itself leaves the verdict to those who have, for so much longer. */
const FOLLOW_MS = 1_000
/** A point of this agent's own score postpones its verdicts by so much. */
const SCORE_MS = 500
/** What was heard of an accused member so lately speaks for it. */
const HEARD_MS = 2_000
/** Nobody is judged by what others say before it had so long to refute what all have heard. */
const REFUTE_MS = 500
/** This agent waits longer, so that it has been as long for those to whom it says its verdict. */
const REFUTED_MS = 750
/** An accusation that nobody confirms and that stands for so long is said to all. */
const LOUD_MS = 2_000
/** One that was neither said to all nor taken back by then is forgotten by those who only heard of it. */
const QUIET_MS_MAX = 10_000
const SPEAKS_MS = 250
const ACCUSERS_TOLD = 8

type Accused = Extract<News, { is: 'accused' }>
type Failed = Extract<News, { is: 'failed' }>
type Disputed = Omit<Extract<News, { is: 'disputed' }>, 'is'>
type Withdrawn = Extract<News, { is: 'withdrawn' }>

/**
 * Takes an accusation. Answers whether it is new and to be passed on. At first only those hear of one who watch the same member, and the
 * member itself: mostly it answers a moment later. All hear of it once several accuse, or one goes on for LOUD_MS.
 */
export function accused(state: MembershipState, turn: MembershipTurn, news: Accused, via: readonly string[]): boolean {
  const { name, incarnation, by, isLoud } = news
  if (name === state.self.name) {
    if (incarnation >= state.self.incarnation && isLoud) refute(state, turn, incarnation)
    return false
  }
  const record = state.members.get(name)
  const accusers = [by, ...news.accusers].filter((accuser) => accuser !== name && mayAccuse(state, accuser))
  if (record === undefined || !isThere(record) || accusers.length === 0 || incarnation < record.incarnation) return false
  if (!isLoud && !isNewest(state, news)) return false
  const suspicion = suspicionOf(state, name, incarnation)
  if (suspicion === undefined) return false
  const added = accusers.filter((accuser) => !suspicion.accusers.has(accuser))
  suspicion.saidBy.add(by)
  const isNew = added.length > 0 || (isLoud && suspicion.loudMs === undefined)
  for (const accuser of new Set(added)) {
    suspicion.accusers.add(accuser)
    const what = suspicion.accusers.size === 1 ? 'accused' : 'confirmed'
    noteIn(state, turn, { what, member: name, incarnation, by: accuser, via, why: 'no answer, neither directly nor over others' })
    turn.count(`membership.${what}`)
    turn.count('memberlist.msg.suspect')
  }
  if (isLoud) becomeLoud(state, suspicion)
  if (!isNew) return false
  if (isLoud) return true
  tellSome(state, turn, news, via, whoWatch(state, name))
  return false
}

/** Somebody takes its accusation back, before all heard of it. */
export function withdrawn(state: MembershipState, turn: MembershipTurn, news: Withdrawn, via: readonly string[]): void {
  const { name, incarnation, by } = news
  if (!isNewest(state, news)) return
  const suspicion = state.suspicions.get(name)
  if (suspicion && suspicion.loudMs === undefined && suspicion.incarnation === incarnation && suspicion.accusers.delete(by)) {
    noteIn(state, turn, { what: 'withdrawn', member: name, incarnation, by, via, why: 'it has answered' })
    if (suspicion.accusers.size === 0) state.suspicions.delete(name)
  }
  tellSome(state, turn, news, via, whoWatch(state, name))
}

/**
 * Takes a verdict of others. It is believed if enough of them have accused, and if the accused had time to refute that; else it is one more
 * accusation, so whoever invents verdicts only makes the accused say that it is there.
 */
export function failed(state: MembershipState, turn: MembershipTurn, news: Failed, via: readonly string[]): boolean {
  const { name, incarnation, by, accusers } = news
  if (name === state.self.name) {
    if (incarnation >= state.self.incarnation) refute(state, turn, incarnation)
    return false
  }
  const record = state.members.get(name)
  if (record === undefined || incarnation < record.incarnation || !isThere(record)) return false
  const known = new Set(accusers.filter((accuser) => accuser !== name && state.members.has(accuser)))
  if (known.size < accusersNeeded(othersThan(state)) || !couldRefute(state, name, incarnation)) {
    return accused(state, turn, { is: 'accused', name, incarnation, by, number: 0, accusers: [], isLoud: true }, via)
  }
  return bury(state, turn, name, incarnation, { via, why: `accused by ${[...known].join(', ')}` })
}

/** Whether all have heard for a while that a member is accused. */
function couldRefute({ suspicions, nowMs }: MembershipState, name: string, incarnation: number): boolean {
  const suspicion = suspicions.get(name)
  return suspicion?.loudMs !== undefined && suspicion.incarnation >= incarnation && nowMs - suspicion.loudMs >= REFUTE_MS
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

/** Somebody counts a member as failed. If it does not refute that in time, it counts as failed here, too. */
export function doubt(state: MembershipState, name: string, incarnation: number): void {
  const record = state.members.get(name)
  if (record === undefined || incarnation < record.incarnation || name === state.self.name) return
  const suspicion = suspicionOf(state, name, incarnation)
  if (suspicion !== undefined) becomeLoud(state, suspicion)
}

/** Says that a member does not answer. */
export function accuse(state: MembershipState, turn: MembershipTurn, name: string): void {
  const record = state.members.get(name)
  if (record === undefined) return
  const { incarnation } = record
  accused(
    state,
    turn,
    { is: 'accused', name, incarnation, by: state.self.name, number: nextNumber(state, turn), accusers: [], isLoud: false },
    [],
  )
}

/** A member that this agent has accused was heard of. */
export function takeBack(state: MembershipState, turn: MembershipTurn, name: string): void {
  const suspicion = state.suspicions.get(name)
  if (suspicion === undefined || suspicion.loudMs !== undefined || !suspicion.accusers.has(state.self.name)) return
  withdrawn(
    state,
    turn,
    { is: 'withdrawn', name, incarnation: suspicion.incarnation, by: state.self.name, number: nextNumber(state, turn) },
    [],
  )
}

/** Says to all what several accuse, and passes the verdicts that are due. */
export function judge(state: MembershipState, turn: MembershipTurn): void {
  const { self, nowMs, health } = state
  const others = othersThan(state)
  for (const [name, suspicion] of state.suspicions) {
    const { sinceMs, accusers, incarnation, loudMs } = suspicion
    const isAccuser = accusers.has(self.name)
    const names = [...accusers].sort().slice(0, ACCUSERS_TOLD)
    // One speaks for all; the next ones only if it does not.
    const turnMs = Math.max(0, names.indexOf(self.name)) * SPEAKS_MS
    if (loudMs === undefined) {
      if (isAccuser && nowMs - sinceMs >= (accusers.size >= accusersNeeded(others) ? turnMs : LOUD_MS)) {
        becomeLoud(state, suspicion)
        announce(state, turn, { is: 'accused', name, incarnation, by: self.name, number: 0, accusers: names, isLoud: true })
      } else if (nowMs - sinceMs >= QUIET_MS_MAX) state.suspicions.delete(name)
      continue
    }
    const proofMs = Math.max(sinceMs + suspectMs(accusers.size, others, paceOf(state)), loudMs + REFUTED_MS)
    const dueMs = proofMs + health.score * SCORE_MS + (isAccuser ? turnMs : FOLLOW_MS)
    if (nowMs < dueMs || wasHeardOf(state, name, sinceMs)) continue
    if (!bury(state, turn, name, incarnation, { via: [], why: `accused by ${names.join(', ')}` })) state.suspicions.delete(name)
    else if (isAccuser) announce(state, turn, { is: 'failed', name, incarnation, by: self.name, accusers: names })
  }
}

/** A pause of this agent: what waits to be read may hold refutations. */
export function postpone(state: MembershipState, byMs: number): void {
  const later = (atMs: number) => Math.min(state.nowMs, atMs + byMs)
  for (const suspicion of state.suspicions.values()) {
    suspicion.sinceMs = later(suspicion.sinceMs)
    if (suspicion.loudMs !== undefined) suspicion.loudMs = later(suspicion.loudMs)
  }
}

/** Whether all have heard that a member is accused. */
export function isSuspect({ suspicions }: MembershipState, name: string): boolean {
  return suspicions.get(name)?.loudMs !== undefined
}

/** Higher than in any earlier life, unless the clock was set back. */
function nextNumber(state: MembershipState, turn: MembershipTurn): number {
  state.lastNumber = Math.max(state.lastNumber + 1, Math.floor(turn.nowMs))
  return state.lastNumber
}

/** Whether nothing newer is known of what this accuser says of this member. What is passed around in circles ends here. */
function isNewest(state: MembershipState, { by, name, number }: Accused | Withdrawn): boolean {
  const key = `${by} ${name}`
  if (number <= (state.numbers.get(key)?.number ?? -1)) return false
  state.numbers.set(key, { number, atMs: state.nowMs })
  return true
}

/** The one there is, or a new one; undefined if there is one about a later life. */
function suspicionOf(state: MembershipState, name: string, incarnation: number): Suspicion | undefined {
  const found = state.suspicions.get(name)
  if (found !== undefined && found.incarnation >= incarnation) return found.incarnation === incarnation ? found : undefined
  const suspicion: Suspicion = { incarnation, sinceMs: state.nowMs, accusers: new Set(), saidBy: new Set(), loudMs: undefined }
  state.suspicions.set(name, suspicion)
  return suspicion
}

function becomeLoud(state: MembershipState, suspicion: Suspicion): void {
  if (suspicion.loudMs !== undefined) return
  suspicion.loudMs = state.nowMs
  state.isMoved = true
  state.version++
}

function mayAccuse(state: MembershipState, name: string): boolean {
  const accuser = state.members.get(name)
  return accuser !== undefined && isThere(accuser) && !isMuted(state, name)
}

/** Those who watch a member, and the member itself. */
function whoWatch(state: MembershipState, name: string): Set<string> {
  const record = state.members.get(name)
  if (record === undefined) return new Set()
  return neighboursOf(state.ring, record, state.members, (other) => isSuspect(state, other)).add(name)
}

function wasHeardOf(state: MembershipState, name: string, sinceMs: number): boolean {
  const connection = state.connections.get(state.connected.get(name) ?? '')
  return connection !== undefined && connection.heardMs > sinceMs && state.nowMs - connection.heardMs < HEARD_MS
}

/** Members that are there besides the accused. */
function othersThan({ ring }: MembershipState): number {
  return Math.max(1, ring.length - 1)
}
