import type { GossipAddress } from '../../src/kernel/ports.ts'
import type { Caller } from '../../src/kernel/protocol.ts'
import { dial } from './links.ts'
import { addressOf, type Join, type MembershipState, type MembershipTurn, textOf } from './state.ts'

/** How long all of it may take. */
const JOIN_MS = 10_000
/** A reason that comes later is not waited for. */
const REASON_MS = 250

/** Tries all addresses at once. The caller is answered when each is settled, at the latest after JOIN_MS. */
export function join(state: MembershipState, turn: MembershipTurn, addresses: readonly GossipAddress[], caller: Join['caller']): void {
  const number = ++state.seq
  const own = textOf(addressOf(state.self))
  const others = addresses.filter((address) => textOf(address) !== own)
  const join: Join = { caller, joined: addresses.length - others.length, failed: [], dialling: others.length, waiting: new Map() }
  state.joins.set(number, join)
  for (const address of others) dial(state, turn, address, { for: 'join', join: number })
  if (others.length === 0) finishJoin(state, turn, number)
  else turn.timer(`join ${number}`, JOIN_MS, { name: 'joinOver', request: { join: number } })
}

/** Somebody was dialled for a join: it counts once both know the same. */
export function joinedWith(state: MembershipState, turn: MembershipTurn, number: number, address: GossipAddress, peer: string): void {
  const join = state.joins.get(number)
  if (join === undefined) return
  const connection = state.connections.get(peer)
  if (connection === undefined) return finished(state, turn, number, address, 'the connection ended at once')
  if (connection.refused !== undefined) return finished(state, turn, number, address, connection.refused.why)
  if (connection.name !== undefined && connection.hasDialled && !state.comparing.has(peer)) return finished(state, turn, number, address)
  join.dialling--
  join.waiting.set(peer, address)
}

/** Whoever waited for this peer has joined or, with a reason, has not. */
export function refusedBy(state: MembershipState, turn: MembershipTurn, peer: string, why: string | undefined): void {
  for (const [number, join] of state.joins) {
    const address = join.waiting.get(peer)
    if (address === undefined) continue
    join.waiting.delete(peer)
    join.dialling++
    finished(state, turn, number, address, why)
  }
}

/**
 * The connection with somebody ended. A reason for refusing this agent may still be on its way, because each direction has a stream of its
 * own: whoever joins waits for it.
 */
export function parted(state: MembershipState, turn: MembershipTurn, peer: string, why: string): void {
  for (const { waiting } of state.joins.values()) {
    if (waiting.has(peer)) return turn.timer(partingOf(peer), REASON_MS, { name: 'parted', request: { peer, why } })
  }
}

/** There is a connection with it again, in time. */
export function metAgain({ joins }: MembershipState, turn: MembershipTurn, peer: string): void {
  if (joins.size > 0) turn.cancel(partingOf(peer))
}

function partingOf(peer: string): string {
  return `parted ${peer}`
}

/** One address of a join is settled. */
export function finished(state: MembershipState, turn: MembershipTurn, number: number, address: GossipAddress, why?: string): void {
  const join = state.joins.get(number)
  if (join === undefined) return
  join.dialling--
  if (why === undefined) join.joined++
  else join.failed.push({ address, why })
  if (join.dialling === 0 && join.waiting.size === 0) finishJoin(state, turn, number)
}

/** Answers, whatever is still open. */
export function finishJoin(state: MembershipState, turn: MembershipTurn, number: number): void {
  const join = state.joins.get(number)
  if (join === undefined) return
  state.joins.delete(number)
  turn.cancel(`join ${number}`)
  for (const address of join.waiting.values()) join.failed.push({ address, why: 'no answer' })
  const { joined, failed } = join
  turn.answer(join.caller as Caller<{ joined: number; failed: Join['failed'] }>, { joined, failed })
}
