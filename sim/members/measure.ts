import type { TraceEntry } from '../../actors/membership/protocol.ts'
import { membershipRef } from '../../actors/membership/protocol.ts'
import type { Random } from '../../src/kernel/ports.ts'
import { assert } from '../../src/kernel/refusal.ts'
import { pick } from '../streams.ts'
import { MemberEstate } from './estate.ts'
import type { SimMember } from './member.ts'

/** So much of the members knows it. */
const MOST = 0.99
const SETTLE_MS = 15_000
const WITHIN_MS = 300_000

export type Measured = {
  /** Of each node, in a second. */
  messages: number
  bytes: number
  connections: number
  connectionsMax: number
}

/** What an undisturbed cluster costs. */
export function atRest(count: number, seconds: number): Measured {
  const estate = formed('at rest', count, 'weighed')
  const before = total(estate)
  estate.run(seconds * 1_000)
  const after = total(estate)
  const connections = estate.up().map(({ gossip }) => gossip?.connections ?? 0)
  return {
    messages: (after.messages - before.messages) / count / seconds,
    bytes: (after.bytes - before.bytes) / count / seconds,
    connections: connections.reduce((sum, one) => sum + one, 0) / count,
    connectionsMax: Math.max(...connections),
  }
}

/** How long it takes until a crash is known to most and to all, in ms, of each of so many crashes, one after the other. */
export function detection(count: number, crashes: number, how: 'aloud' | 'silently', seed = 1): { mostMs: number[]; allMs: number[] } {
  const estate = formed(`detection ${how}`, count, 'shared', seed)
  const random = estate.world.streams.stream('measure')
  const found = { mostMs: [] as number[], allMs: [] as number[] }
  for (let crash = 0; crash < crashes; crash++) {
    estate.run(random.int(500, 1_500))
    const victim = pick(random, estate.up())
    victim.crash(how)
    const beganMs = estate.world.nowMs
    found.mostMs.push(sinceUntil(estate, beganMs, () => knownPart(estate, victim.name, 'failed') >= MOST))
    found.allMs.push(sinceUntil(estate, beganMs, () => knownPart(estate, victim.name, 'failed') === 1))
  }
  return found
}

/** How long it takes until new tags of a member are known to most and to all, in ms. */
export function spread(count: number, changes: number): { mostMs: number[]; allMs: number[] } {
  const estate = formed('spread', count, 'shared')
  const random = estate.world.streams.stream('measure')
  const found = { mostMs: [] as number[], allMs: [] as number[] }
  for (let change = 0; change < changes; change++) {
    estate.run(random.int(500, 1_500))
    const { name } = pick(random, estate.up())
    const tags = { change: String(change) }
    estate.get(name)?.ask(membershipRef, 'tag', { tags }, 1_000, () => undefined)
    const beganMs = estate.world.nowMs
    const part = () => partOf(estate, ({ state }) => state?.members.get(name)?.tags['change'] === tags.change)
    found.mostMs.push(sinceUntil(estate, beganMs, () => part() >= MOST, 1))
    found.allMs.push(sinceUntil(estate, beganMs, () => part() === 1, 1))
  }
  return found
}

export type Trouble = {
  /** Of pairs of a healthy member and a healthy one that it counted as failed at any time: members that were counted so by anybody. */
  falselyFailed: number
  /** Healthy members that were accused of by anybody, each accusation once. */
  falseAccusations: number
  minutes: number
  /** Of members that crashed meanwhile: until most of those that are not stalled know. */
  mostMs: number[]
}

/**
 * A part of the members is stalled again and again, each for a drawn time, and packets get lost; some crash. Healthy members must not be
 * counted as failed by healthy ones.
 */
export function underTrouble(
  count: number,
  { stalled, lost, seconds, crashes }: { stalled: number; lost: number; seconds: number; crashes: number },
  seed = 1,
): Trouble {
  const estate = formed('trouble', count, 'shared', seed)
  const random = estate.world.streams.stream('measure')
  const ill = new Set(shuffled(random, estate.members).slice(0, Math.round(count * stalled)))
  const healthy = estate.members.filter((member) => !ill.has(member))
  if (lost > 0) estate.disturb({ lost })
  const stall = (member: SimMember) => {
    if (!member.isUp) return
    member.stall(random.int(STALL_MS_MIN, STALL_MS_MAX))
    estate.world.after(member.stalledUntilMs - estate.world.nowMs + random.int(PAUSE_MS_MIN, PAUSE_MS_MAX), () => stall(member))
  }
  for (const member of ill) estate.world.after(random.int(0, PAUSE_MS_MAX), () => stall(member))
  const told = tracesOf(estate, healthy)
  const beganMs = estate.world.nowMs
  const mostMs: number[] = []
  const crashed = new Set<string>()
  const every = (seconds * 1_000) / (crashes + 1)
  for (let at = 0; at <= crashes; at++) {
    estate.run(Math.max(0, beganMs + at * every - estate.world.nowMs))
    if (at === 0) continue
    const victim = pick(
      random,
      healthy.filter(({ isUp }) => isUp),
    )
    victim.crash('silently')
    crashed.add(victim.name)
    const crashedMs = estate.world.nowMs
    const rest = () => healthy.filter(({ isUp }) => isUp)
    const part = () => rest().filter(({ state }) => !isThereFor(state?.members.get(victim.name)?.status)).length / rest().length
    mostMs.push(sinceUntil(estate, crashedMs, () => part() >= MOST))
  }
  estate.run(Math.max(0, beganMs + seconds * 1_000 - estate.world.nowMs))
  const healthyNames = new Set(healthy.map(({ name }) => name).filter((name) => !crashed.has(name)))
  const entries = told()
  const falseOf = (what: TraceEntry['what']) => {
    const found = entries.filter((entry) => entry.what === what && healthyNames.has(entry.member))
    return new Set(found.map(({ member, incarnation }) => `${member} ${incarnation}`)).size
  }
  return {
    falselyFailed: falseOf('failed'),
    falseAccusations: falseOf('accused'),
    minutes: (estate.world.nowMs - beganMs) / 60_000,
    mostMs,
  }
}

/** So many join one of so many others at once. Until all know all, in ms; and what that cost for each member. */
export function joinAtOnce(formedCount: number, joining: number): { allMs: number; messages: number; bytes: number } {
  const estate = formed('join', formedCount, 'weighed')
  const before = total(estate)
  const seeds = estate.members.slice(0, 3).map(({ address }) => address)
  for (let at = 0; at < joining; at++) estate.addNew()
  const beganMs = estate.world.nowMs
  estate.run(5)
  for (const member of estate.members.slice(formedCount)) member.join(seeds)
  const all = formedCount + joining
  const allMs = sinceUntil(estate, beganMs, () => estate.members.every(({ state }) => state?.ring.length === all), 50)
  const after = total(estate)
  return { allMs, messages: (after.messages - before.messages) / all, bytes: (after.bytes - before.bytes) / all }
}

/** Half of them cannot reach the other half for so long. Until both halves know, and after it until all know all, in ms. */
export function halfSplit(count: number, forMs: number): { splitMs: number; healedMs: number } {
  const estate = formed('split', count, 'shared')
  const names = estate.members.map(({ name }) => name)
  const halves = [names.slice(0, count / 2), names.slice(count / 2)]
  estate.network.partition(halves)
  const beganMs = estate.world.nowMs
  const splitMs = sinceUntil(estate, beganMs, () => estate.members.every(({ state }) => state?.ring.length === count / 2), 50)
  estate.run(Math.max(0, forMs - (estate.world.nowMs - beganMs)))
  estate.network.partition([])
  const healedAtMs = estate.world.nowMs
  return { splitMs, healedMs: sinceUntil(estate, healedAtMs, () => estate.members.every(({ state }) => state?.ring.length === count), 50) }
}

function formed(what: string, count: number, messages: 'weighed' | 'shared', seed = 1): MemberEstate {
  const estate = new MemberEstate({ world: `${what} ${seed}`, count, messages, isFormed: true })
  estate.start()
  estate.run(SETTLE_MS)
  return estate
}

/** All that these members note from now on; each keeps its newest only. The answer gives what there is. */
function tracesOf(estate: MemberEstate, members: readonly SimMember[]): () => readonly TraceEntry[] {
  const entries: TraceEntry[] = []
  const seen = new Map(members.map((member) => [member, member.state?.trace.count ?? 0]))
  const look = () => {
    for (const member of members) {
      const { trace } = member.state ?? {}
      const before = seen.get(member) ?? 0
      if (!member.isUp || trace === undefined || trace.count === before) continue
      assert((trace.entries[0]?.number ?? 0) <= before + 1, 'no entry is forgotten before it was seen')
      entries.push(...trace.entries.slice(before - trace.count))
      seen.set(member, trace.count)
    }
  }
  const lookAgain = () => {
    look()
    estate.world.after(LOOK_MS, lookAgain)
  }
  lookAgain()
  return () => {
    look()
    return entries
  }
}

function total(estate: MemberEstate): { messages: number; bytes: number } {
  const sum = { messages: 0, bytes: 0 }
  for (const { gossip } of estate.members) {
    sum.messages += gossip?.sent.messages ?? 0
    sum.bytes += gossip?.sent.bytes ?? 0
  }
  return sum
}

function sinceUntil(estate: MemberEstate, beganMs: number, isSo: () => boolean, stepMs = 10): number {
  const took = estate.until(isSo, WITHIN_MS, stepMs)
  return took === undefined ? Number.POSITIVE_INFINITY : estate.world.nowMs - beganMs
}

function knownPart(estate: MemberEstate, name: string, status: string): number {
  return partOf(estate, ({ state }) => state?.members.get(name)?.status === status)
}

function partOf(estate: MemberEstate, isSo: (member: SimMember) => boolean): number {
  const up = estate.up()
  return up.filter(isSo).length / up.length
}

function isThereFor(status: string | undefined): boolean {
  return status === 'alive' || status === 'leaving'
}

function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const left = [...items]
  return items.map(() => left.splice(random.int(0, left.length - 1), 1)[0] as T)
}

const STALL_MS_MIN = 500
const STALL_MS_MAX = 20_000
const PAUSE_MS_MIN = 100
const PAUSE_MS_MAX = 5_000
const LOOK_MS = 100
