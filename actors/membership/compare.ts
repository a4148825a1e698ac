import { disputed, doubt } from './judge.ts'
import { type GossipMessage, RECORDS_MAX, SUMS } from './messages.ts'
import type { MemberRecord } from './protocol.ts'
import { passOn } from './spread.ts'
import { type MembershipState, type MembershipTurn, send } from './state.ts'
import { adopt, isHearsay, isNewer } from './table.ts'

/** So many new records are passed on: somebody else may not have them either. More are what a newcomer learns. */
const FEW = 16

/**
 * Begins to compare all that is known with a member: a number for each part of the table, then only the records of parts that differ.
 * Where both know the same, that is one message of some hundred bytes and an empty answer.
 */
export function compareWith(state: MembershipState, turn: MembershipTurn, peer: string): void {
  state.comparing.set(peer, new Set())
  send(turn, peer, { do: 'compare', sums: sumsOf(state.members.values()) })
}

/** Answers somebody who compares. */
export function compared(state: MembershipState, turn: MembershipTurn, peer: string, sums: readonly number[]): void {
  const own = sumsOf(state.members.values())
  const differing = own.flatMap((sum, part) => (sum === sums[part] ? [] : [part]))
  const parts = new Set(differing)
  const records = differing.length === 0 ? [] : [...state.members.values()].filter(({ place }) => parts.has(place % SUMS))
  sendRecords(turn, peer, records, differing)
}

/** Takes records of somebody else. After the last one it gets what it does not have. Answers whether both know the same now. */
export function takeRecords(
  state: MembershipState,
  turn: MembershipTurn,
  peer: string,
  { records, isLast, differing }: Extract<GossipMessage, { do: 'records' }>,
): boolean {
  const from = state.connections.get(peer)?.name ?? ''
  const known = state.comparing.get(peer)
  const news: MemberRecord[] = []
  for (const record of records) {
    const before = state.members.get(record.name)
    if (before !== undefined && isHearsay(record, before) && record.name !== from) {
      const said = { name: record.name, incarnation: record.incarnation, by: from }
      doubt(state, record.name, record.incarnation)
      if (disputed(state, turn, said)) passOn(state, turn, { is: 'disputed', ...said }, [from], peer)
    } else if (adopt(state, turn, record, { via: [from], why: 'compared' })) news.push(record)
    const own = state.members.get(record.name)
    if (own !== undefined && !isNewer(own, record)) known?.add(record.name)
  }
  if (news.length <= FEW) for (const record of news) passOn(state, turn, { is: 'member', member: record }, [from], peer)
  if (!isLast || known === undefined) return false
  state.comparing.delete(peer)
  if (differing.length === 0) return true
  const parts = new Set(differing)
  const missing = [...state.members.values()].filter(({ place, name }) => parts.has(place % SUMS) && !known.has(name))
  if (missing.length > 0) sendRecords(turn, peer, missing, [])
  return true
}

/** For each part of the table a number that depends on what is in it, in any order. */
export function sumsOf(members: Iterable<MemberRecord>): number[] {
  const sums = new Array<number>(SUMS).fill(0)
  for (const { place, incarnation, status } of members) {
    const part = place % SUMS
    sums[part] = ((sums[part] as number) + mixed(place, incarnation % 2 ** 32, incarnation / 2 ** 32, RANKS[status])) >>> 0
  }
  return sums
}

const RANKS: Readonly<Record<MemberRecord['status'], number>> = { alive: 1, leaving: 2, failed: 3, left: 4 }

/** Each bit of what goes in changes half of what comes out, or differences would cancel each other in a sum. After MurmurHash3's finalizer. */
function mixed(...numbers: readonly number[]): number {
  let value = 0
  for (const number of numbers) {
    value = Math.imul(value ^ number, 0x85ebca6b)
    value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
    value ^= value >>> 16
  }
  return value >>> 0
}

function sendRecords(turn: MembershipTurn, peer: string, records: readonly MemberRecord[], differing: number[]): void {
  for (let at = 0; at === 0 || at < records.length; at += RECORDS_MAX) {
    const piece = records.slice(at, at + RECORDS_MAX)
    send(turn, peer, { do: 'records', records: piece, isLast: at + RECORDS_MAX >= records.length, differing })
  }
}
