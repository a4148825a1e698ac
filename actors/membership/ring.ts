import type { MemberRecord } from './protocol.ts'

/** Members that are there, by their place: whoever knows the same members has the same ring. */
export type Ring = string[]
/** What is known of a member by its name. */
export type Known = { get(name: string): MemberRecord | undefined }

/** How many to each side a member watches, and how many members elsewhere it is connected with. */
export const EACH_SIDE = 2
export const FAR = 2

/** 32 bits of a text: FNV-1a with a final mix, so that texts that are alike are far apart. */
export function placeOf(text: string): number {
  let value = 0x811c9dc5
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193)
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) >>> 0
}

export function ringOf(members: readonly MemberRecord[]): Ring {
  const there = members.filter(isThere)
  const isSorted = there.every((member, at) => at === 0 || isBefore(there[at - 1] as MemberRecord, member))
  return (isSorted ? there : there.sort((a, b) => (isBefore(a, b) ? -1 : 1))).map(({ name }) => name)
}

/** Whether it belongs into the ring. */
export function isThere({ status }: MemberRecord): boolean {
  return status === 'alive' || status === 'leaving'
}

/** Does nothing if it is in there. `known` has it already. */
export function insert(ring: Ring, member: MemberRecord, known: Known): void {
  const at = indexOf(ring, member.place, member.name, known)
  if (ring[at] !== member.name) ring.splice(at, 0, member.name)
}

/** Does nothing if it is not in there. `known` still has it. */
export function remove(ring: Ring, member: MemberRecord, known: Known): void {
  const at = indexOf(ring, member.place, member.name, known)
  if (ring[at] === member.name) ring.splice(at, 1)
}

/**
 * Whom a member watches: the nearest `EACH_SIDE` to each side that are not suspected, and the suspects on the way. Watching goes both
 * ways: whoever has the same ring and suspects the same is watched by those whom it watches.
 */
export function neighboursOf(ring: Ring, member: MemberRecord, known: Known, isSuspect: (name: string) => boolean): Set<string> {
  const found = new Set<string>()
  const own = indexOf(ring, member.place, member.name, known)
  const after = ring[own] === member.name ? own + 1 : own
  for (const step of [1, -1]) {
    let well = 0
    for (let count = 0; count < ring.length && well < EACH_SIDE; count++) {
      const at = step === 1 ? after + count : own - 1 - count
      const name = ring[((at % ring.length) + ring.length) % ring.length] as string
      if (name === member.name) continue
      found.add(name)
      if (!isSuspect(name)) well++
    }
  }
  return found
}

/** Members in other parts of the ring with which this one is connected, so that news has few steps to everybody. */
export function farOf(ring: Ring, member: MemberRecord, known: Known): string[] {
  const found: string[] = []
  for (let which = 0; which < FAR && ring.length > 0; which++) {
    const at = indexOf(ring, placeOf(`${member.id}/${which}`), '', known) % ring.length
    const name = ring[at] as string
    if (name !== member.name && !found.includes(name)) found.push(name)
  }
  return found
}

/** Where it is, or where it would have to be inserted. */
function indexOf(ring: Ring, place: number, name: string, known: Known): number {
  let low = 0
  let high = ring.length
  while (low < high) {
    const middle = (low + high) >> 1
    const there = ring[middle] as string
    const at = known.get(there)?.place ?? 0
    if (at < place || (at === place && there < name)) low = middle + 1
    else high = middle
  }
  return low
}

function isBefore(a: MemberRecord, b: MemberRecord): boolean {
  return a.place < b.place || (a.place === b.place && a.name < b.name)
}
