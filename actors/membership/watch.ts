import { heardNothing, LATE_MS, recover, stretchOf, wasLate } from './health.ts'
import { accuse, isSuspect, postpone, takeBack } from './judge.ts'
import { dialMember } from './links.ts'
import { paceOf } from './pace.ts'
import { farOf } from './ring.ts'
import { type MembershipState, type MembershipTurn, type Relay, send, type Watch } from './state.ts'
import { noteIn } from './table.ts'

/** How often this agent looks after what is due. */
export const BEAT_MS = 250
const HELPERS = 3
/** After so many rounds in which nobody answered, they are the others' fault. */
const SILENT_ROUNDS_MAX = 3
/** After a pause, verdicts wait for so long. */
const GRACE_MS = 2_000

/** Asks the neighbours that were silent, and accuses those who do not answer. `lateMs`: how much too late this comes. */
export function watchNeighbours(state: MembershipState, turn: MembershipTurn, lateMs: number): void {
  if (lateMs >= LATE_MS) pausedFor(state, lateMs)
  else recover(state.health, state.nowMs)
  const stretch = stretchOf(state.health)
  const { silentMs, directMs, roundMs } = paceOf(state)
  for (const [name, watch] of state.watches) {
    const askedForMs = state.nowMs - watch.askedMs
    switch (watch.stage) {
      case 'quiet':
        if (state.nowMs - watch.heardMs >= silentMs) ask(state, turn, name, watch)
        break
      case 'direct':
        if (askedForMs >= directMs * stretch) askOthers(state, turn, name, watch, stretch)
        break
      case 'indirect':
        if (askedForMs >= roundMs * stretch) conclude(state, turn, name, watch)
        break
      case 'accused':
        if (askedForMs >= silentMs) {
          watch.askedMs = state.nowMs
          ping(state, turn, name)
          askHelpers(state, turn, name, stretch)
        }
    }
  }
  for (const [seq, relay] of state.relays) {
    if (state.nowMs >= relay.untilMs) giveUp(state, turn, seq, relay)
  }
}

/** A member gave a sign of life. */
export function heard(state: MembershipState, turn: MembershipTurn, name: string): void {
  const watch = state.watches.get(name)
  if (watch === undefined) return
  if (watch.stage === 'accused') takeBack(state, turn, name)
  watch.heardMs = state.nowMs
  watch.stage = 'quiet'
  watch.silentRounds = 0
}

/** Its connection ended: it is asked at once. */
export function suspectAtOnce(state: MembershipState, name: string): void {
  const watch = state.watches.get(name)
  if (watch?.stage === 'quiet') watch.heardMs = Math.min(watch.heardMs, state.nowMs - paceOf(state).silentMs)
}

/** A member could not be dialled: those who have asked about it need not wait. */
export function unreachable(state: MembershipState, turn: MembershipTurn, name: string): void {
  for (const [seq, relay] of state.relays) if (relay.name === name && !relay.isSent) giveUp(state, turn, seq, relay)
}

/** Somebody else has heard of one that this agent has asked about. A question is known by the place of the member that it is about. */
export function heardByOthers(state: MembershipState, turn: MembershipTurn, seq: number): void {
  for (const name of state.watches.keys()) if (state.members.get(name)?.place === seq) heard(state, turn, name)
}

/** Somebody wants to know of a member. */
export function probe(
  state: MembershipState,
  turn: MembershipTurn,
  peer: string,
  { seq, name, withinMs }: { seq: number; name: string; withinMs: number },
): void {
  const own = ++state.seq
  const isSent = ping(state, turn, name, own)
  state.relays.set(own, { peer, seq, name, untilMs: state.nowMs + Math.min(withinMs, paceOf(state).probeMs * 10), isSent })
  if (!isSent) dialMember(state, turn, name)
}

/** A member that somebody wants to know of is connected now. */
export function pingForOthers(state: MembershipState, turn: MembershipTurn, name: string): void {
  for (const [seq, relay] of state.relays) {
    if (relay.name !== name || relay.isSent) continue
    relay.isSent = ping(state, turn, name, seq)
  }
}

/** A member has answered a ping. */
export function answered(state: MembershipState, turn: MembershipTurn, seq: number): void {
  const relay = state.relays.get(seq)
  if (relay === undefined) return
  state.relays.delete(seq)
  send(turn, relay.peer, { do: 'heard', seq: relay.seq })
}

function pausedFor(state: MembershipState, lateMs: number): void {
  wasLate(state.health, lateMs, state.nowMs)
  postpone(state, GRACE_MS)
  for (const watch of state.watches.values()) {
    watch.stage = 'quiet'
    watch.heardMs = Math.max(watch.heardMs, state.nowMs - paceOf(state).silentMs)
  }
}

function ask(state: MembershipState, turn: MembershipTurn, name: string, watch: Watch): void {
  watch.stage = 'direct'
  watch.askedMs = state.nowMs
  if (!ping(state, turn, name)) dialMember(state, turn, name)
}

function askOthers(state: MembershipState, turn: MembershipTurn, name: string, watch: Watch, stretch: number): void {
  watch.stage = 'indirect'
  askHelpers(state, turn, name, stretch)
}

function askHelpers(state: MembershipState, turn: MembershipTurn, name: string, stretch: number): void {
  const seq = state.members.get(name)?.place ?? 0
  for (const peer of helpersFor(state, name)) send(turn, peer, { do: 'probe', seq, name, withinMs: paceOf(state).probeMs * stretch })
}

function conclude(state: MembershipState, turn: MembershipTurn, name: string, watch: Watch): void {
  const hasWitness = [...state.connections.values()].some((one) => one.name !== name && one.heardMs > watch.askedMs)
  if (!hasWitness && state.ring.length > 2 && watch.silentRounds < SILENT_ROUNDS_MAX) {
    watch.silentRounds++
    watch.stage = 'direct'
    watch.askedMs = state.nowMs
    heardNothing(state.health, state.nowMs)
    const incarnation = state.members.get(name)?.incarnation ?? 0
    noteIn(state, turn, { what: 'silent', member: name, incarnation, by: state.self.name, via: [], why: 'nobody else answered either' })
    ping(state, turn, name)
    return
  }
  watch.stage = 'accused'
  watch.askedMs = state.nowMs
  accuse(state, turn, name)
}

/** Those in other parts of the ring first: their way to it is another one. */
function helpersFor(state: MembershipState, name: string): string[] {
  const far = new Set(farOf(state.ring, state.self, state.members))
  const others = [...state.connected].filter(([other]) => other !== name && !isSuspect(state, other))
  others.sort(([a], [b]) => Number(far.has(b)) - Number(far.has(a)))
  return others.slice(0, HELPERS).map(([, peer]) => peer)
}

function giveUp(state: MembershipState, turn: MembershipTurn, seq: number, relay: Relay): void {
  state.relays.delete(seq)
  send(turn, relay.peer, { do: 'unheard', seq: relay.seq })
}

function ping(state: MembershipState, turn: MembershipTurn, name: string, seq = 0): boolean {
  const peer = state.connected.get(name)
  if (peer === undefined) return false
  send(turn, peer, { do: 'ping', seq })
  return true
}
