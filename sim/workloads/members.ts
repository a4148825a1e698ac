import { membershipRef } from '../../actors/membership/protocol.ts'
import { ms, oneOf, part, whole } from '../fields.ts'
import { defineWorkload } from '../kind.ts'
import { membersOf } from '../members/group.ts'

const member = whole(0, 11)

export const membersFound = defineWorkload({
  name: 'members.found',
  about: 'so many machines become members of one cluster; they have the events below, and a network of their own',
  perMinute: 1.5,
  oncePerRun: true,
  marks: [{ name: 'members founded', events: 1 }],
  fields: { count: whole(2, 12), forMs: ms(20_000, 90_000) },
  apply: (run, { count, forMs }) => membersOf(run).found(count, forMs),
})

export const memberCrash = defineWorkload({
  name: 'members.crash',
  about: 'a member stops at once and is started again after a while',
  perMinute: 4,
  oncePerRun: true,
  marks: [{ name: 'member counted as failed', events: 20 }],
  fields: { member, forMs: ms(100, 30_000), how: oneOf('aloud', 'silently') },
  apply(run, { member: at, forMs, how }) {
    const members = membersOf(run)
    const found = members.member(at)
    if (found) members.crash(found, forMs, how)
  },
})

export const memberStalls = defineWorkload({
  name: 'members.stall',
  about: 'a member does nothing for a while, and its machine goes on',
  perMinute: 8,
  oncePerRun: true,
  fields: { member, forMs: ms(100, 20_000) },
  apply(run, { member: at, forMs }) {
    const members = membersOf(run)
    const found = members.member(at)
    if (found) members.stall(found, forMs)
  },
})

export const memberLeaves = defineWorkload({
  name: 'members.leave',
  about: 'a member leaves and perhaps comes back',
  perMinute: 2,
  oncePerRun: true,
  marks: [{ name: 'member left', events: 10 }],
  fields: { member, backAfterMs: ms(2_000, 20_000), comes: oneOf('back', 'never back') },
  apply(run, { member: at, backAfterMs, comes }) {
    const members = membersOf(run)
    const found = members.member(at)
    if (found) members.leave(found, comes === 'back' ? backAfterMs : undefined)
  },
})

export const membersJoin = defineWorkload({
  name: 'members.join',
  about: 'somebody new joins the members',
  perMinute: 1,
  oncePerRun: true,
  fields: {},
  apply: (run) => membersOf(run).add(),
})

export const memberTells = defineWorkload({
  name: 'members.tell',
  about: 'a member tells all something, and has other tags',
  perMinute: 6,
  oncePerRun: true,
  fields: { member, number: whole(0, 1e9) },
  apply(run, { member: at, number }) {
    const found = membersOf(run).member(at)
    if (!found?.isUp) return
    const ignore = () => undefined
    found.ask(membershipRef, 'tell', { topic: 'sim', body: { number } }, 1_000, ignore)
    found.ask(membershipRef, 'tag', { tags: { number: String(number) } }, 1_000, ignore)
  },
})

export const membersSplit = defineWorkload({
  name: 'members.split',
  about: 'some members do not reach the others',
  perMinute: 1,
  oncePerRun: true,
  marks: [{ name: 'members split', events: 15 }],
  fields: { at: whole(0, 11), forMs: ms(500, 40_000) },
  apply: (run, { at, forMs }) => membersOf(run).split(at, forMs),
})

export const membersLosePackets = defineWorkload({
  name: 'members.lose-packets',
  about: 'packets between members get lost',
  perMinute: 1,
  oncePerRun: true,
  fields: { lost: part(0.02, 0.4), forMs: ms(500, 30_000) },
  apply: (run, { lost, forMs }) => membersOf(run).lose(lost, forMs),
})
