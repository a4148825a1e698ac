import type { MemberRecord } from '../../actors/membership/protocol.ts'
import { isThere } from '../../actors/membership/ring.ts'
import type { AnyActor } from '../../src/kernel/instance.ts'
import { perRun } from '../per-run.ts'
import type { Run } from '../run.ts'
import { MemberEstate } from './estate.ts'
import type { SimMember } from './member.ts'

/** The members of a run, if it has any: they are on a network of their own, beside its agents. */
export const membersOf = perRun((run: Run) => new Members(run))

/** Whoever was well and reached everybody for so long can have been counted as failed by nobody since. */
const WELL_MS = 20_000
/** Everybody knows the same so long after the last trouble: a lost verdict is repaired when members compare, which they do each minute. */
export const AGREED_WITHIN_MS = 150_000

type Group = { estate: MemberEstate; foundedMs: number; endsMs: number }

/** One group of members at a time: it is founded, has its trouble, must come to agree, and ends. */
export class Members {
  readonly #run: Run
  #group: Group | undefined
  #groups = 0
  /** Since when each member runs without a pause, in the world's time. */
  readonly #wellSinceMs = new Map<string, number>()
  /** Until when the network of all is disturbed. */
  #disturbedUntilMs = 0
  #division: readonly string[] = []
  /** When the last trouble was over. */
  #calmSinceMs = 0
  /** What each member showed of each other when it was looked at last. */
  readonly #shown = new Map<string, Map<string, MemberRecord>>()

  constructor(run: Run) {
    this.#run = run
  }

  /** Founds a group, unless there is one: the first member, and all others join it. */
  found(count: number, forMs: number): void {
    if (this.#group !== undefined) return
    const { world, mutations } = this.#run
    const prefix = `${String.fromCharCode(97 + (this.#groups++ % 26))}`
    const estate = new MemberEstate({
      world,
      count,
      messages: 'packed',
      isFormed: false,
      prefix,
      wrap: (definition: AnyActor) => mutations.wrapActor(definition),
      sent: (member, message) => world.trace.add(world.nowMs, `${member} ${JSON.stringify(message)}`),
      printed: (line) => this.#run.printed.push(line),
    })
    this.#group = { estate, foundedMs: world.nowMs, endsMs: world.nowMs + forMs }
    this.#wellSinceMs.clear()
    this.#shown.clear()
    this.#calmSinceMs = world.nowMs
    for (const member of estate.members) this.#start(member)
    this.#run.reach('members founded')
    this.#run.endAfter(forMs, () => this.#quieten())
  }

  /** The nth member of the group, counted around. */
  member(at: number): SimMember | undefined {
    const members = this.#group?.estate.members
    return members?.[at % members.length]
  }

  get estate(): MemberEstate | undefined {
    return this.#group?.estate
  }

  crash(member: SimMember, forMs: number, how: 'aloud' | 'silently'): void {
    if (!member.isUp) return
    const { estate } = this.#group as Group
    member.crash(how)
    this.#troubled(member)
    this.#endAfter(forMs, () => estate === this.estate && !member.isUp && this.#start(member))
  }

  stall(member: SimMember, forMs: number): void {
    if (!member.isUp) return
    member.stall(forMs)
    this.#troubled(member, forMs)
  }

  /** Goes by itself, and comes back after a while or never. */
  leave(member: SimMember, backAfterMs: number | undefined): void {
    if (!member.isUp || member.isLeaving || (this.estate?.up().length ?? 0) < 3) return
    const { estate } = this.#group as Group
    member.leave()
    this.#troubled(member)
    this.#run.reach('member left')
    if (backAfterMs !== undefined) this.#endAfter(backAfterMs, () => estate === this.estate && !member.isUp && this.#start(member))
  }

  /** Somebody new. */
  add(): void {
    const { estate } = this
    if (estate === undefined || estate.members.length >= MEMBERS_MAX) return
    const member = estate.addNew()
    this.#started(member)
  }

  split(at: number, forMs: number): void {
    const { estate } = this
    if (estate === undefined || this.#division.length > 0) return
    const names = estate.members.map(({ name }) => name)
    const first = names.slice(0, 1 + (at % (names.length - 1)))
    this.#division = first
    estate.network.partition([first, names.filter((name) => !first.includes(name))])
    this.#disturbed(forMs)
    this.#run.reach('members split')
    this.#endAfter(forMs, () => {
      this.#division = []
      if (estate === this.estate) estate.network.partition([])
    })
  }

  lose(lost: number, forMs: number): void {
    const { estate } = this
    if (estate === undefined) return
    estate.disturb({ lost })
    this.#disturbed(forMs)
    this.#endAfter(forMs, () => estate === this.estate && estate.disturb(undefined))
  }

  /** The counterexample that is found first, or undefined: looks at what has changed since the last time. */
  look(): { healthy?: string; back?: string; left?: string } {
    const group = this.#group
    if (group === undefined) return {}
    const found: { healthy?: string; back?: string; left?: string } = {}
    for (const observer of group.estate.up()) {
      const shown = this.#shownBy(observer.name)
      for (const [name, record] of observer.state?.members ?? []) {
        const before = shown.get(name)
        if (before === record) continue
        shown.set(name, record)
        this.#judge(observer, name, record, before, found)
      }
    }
    return found
  }

  /** Why those that run do not all know the same yet; undefined if they do, or if there are none. */
  disagreement(): string | undefined {
    const { estate } = this
    if (estate === undefined) return undefined
    const up = estate.up().filter(({ isLeaving }) => !isLeaving)
    for (const observer of up) {
      const { members } = observer.state ?? { members: new Map<string, MemberRecord>() }
      for (const { name } of up) {
        const status = members.get(name)?.status ?? 'unknown'
        if (status !== 'alive') return `${name} is ${status} for ${observer.name}`
      }
      for (const record of members.values()) {
        if (isThere(record) && !estate.get(record.name)?.isUp)
          return `${record.name}, which does not run, is ${record.status} for ${observer.name}`
      }
    }
    return undefined
  }

  /** Ends the group if its time has come and it agrees. Answers why it does not in time. */
  endIfDue(): string | undefined {
    const group = this.#group
    const { nowMs } = this.#run.world
    if (group === undefined || nowMs < group.endsMs) return undefined
    const why = this.disagreement()
    if (why === undefined) {
      for (const member of group.estate.up()) member.crash('aloud')
      this.#group = undefined
      this.#run.reach('members agreed')
      return undefined
    }
    const untilMs = Math.max(group.endsMs, this.#calmSinceMs) + AGREED_WITHIN_MS
    this.#run.restsByMs = Math.max(this.#run.restsByMs, untilMs + 1_000)
    return nowMs > untilMs ? why : undefined
  }

  #judge(
    observer: SimMember,
    name: string,
    record: MemberRecord,
    before: MemberRecord | undefined,
    found: { healthy?: string; back?: string; left?: string },
  ): void {
    const { nowMs } = this.#run.world
    const who = `${observer.name} shows ${name} as ${record.status} with incarnation ${record.incarnation}`
    if (before !== undefined && before.id === record.id && record.incarnation < before.incarnation) {
      found.back ??= `${who} after ${before.incarnation}`
    }
    if (before?.status === 'left' && isThere(record) && record.incarnation <= before.incarnation) {
      found.left ??= `${who}, but it has left with incarnation ${before.incarnation}`
    }
    if (record.status !== 'failed' || before?.status === 'failed') return
    this.#run.reach('member counted as failed')
    if (this.#isWell(observer.name, nowMs) && this.#isWell(name, nowMs)) {
      found.healthy ??= `${who}, but both are well and reach everybody since ${Math.round(nowMs - WELL_MS)} ms at least`
    }
  }

  #isWell(name: string, nowMs: number): boolean {
    if (nowMs < this.#disturbedUntilMs + WELL_MS) return false
    const sinceMs = this.#wellSinceMs.get(name)
    return sinceMs !== undefined && nowMs - sinceMs >= WELL_MS && this.estate?.get(name)?.isUp === true
  }

  #start(member: SimMember): void {
    member.start()
    this.#started(member)
  }

  /** It is there again, and joins the others. */
  #started(member: SimMember): void {
    const { world } = this.#run
    const { estate } = this
    this.#troubled(member)
    // It begins with what others tell it, which may be older than what it knew.
    this.#shown.delete(member.name)
    const join = () => {
      if (estate === undefined || estate !== this.estate || !member.isUp || member.isLeaving) return
      const others = estate.up().filter((other) => other !== member)
      member.join(others.slice(0, SEEDS).map(({ address }) => address))
      // As whoever retries to join does, until it is not alone.
      world.after(REJOIN_MS, () => (member.state?.ring.length ?? 0) <= 1 && join())
    }
    world.after(LISTENS_MS, join)
  }

  /** The time of the group is over: all trouble has ended, and everybody who is to run does. */
  #quieten(): void {
    const group = this.#group
    if (group === undefined) return
    group.endsMs = Math.min(group.endsMs, this.#run.world.nowMs)
    group.estate.network.healAll()
    group.estate.disturb(undefined)
    this.#calmSinceMs = Math.max(this.#calmSinceMs, this.#run.world.nowMs)
  }

  #troubled(member: SimMember, forMs = 0): void {
    const untilMs = this.#run.world.nowMs + forMs
    this.#wellSinceMs.set(member.name, Math.max(this.#wellSinceMs.get(member.name) ?? 0, untilMs))
    this.#calmSinceMs = Math.max(this.#calmSinceMs, untilMs)
  }

  #disturbed(forMs: number): void {
    const untilMs = this.#run.world.nowMs + forMs
    this.#disturbedUntilMs = Math.max(this.#disturbedUntilMs, untilMs)
    this.#calmSinceMs = Math.max(this.#calmSinceMs, untilMs)
  }

  #endAfter(forMs: number, end: () => unknown): void {
    this.#run.endAfter(forMs, () => {
      end()
    })
  }

  #shownBy(name: string): Map<string, MemberRecord> {
    let shown = this.#shown.get(name)
    if (shown === undefined) this.#shown.set(name, (shown = new Map()))
    return shown
  }
}

const MEMBERS_MAX = 5_000
const SEEDS = 3
const LISTENS_MS = 50
const REJOIN_MS = 5_000
