import type { MemberRecord } from '../../actors/membership/protocol.ts'
import type { MembershipState } from '../../actors/membership/state.ts'
import type { GossipEvent } from '../../src/kernel/ports.ts'
import { type Mutant, mutant, wrapHandler } from './mutant.ts'

export const neverRefutes: Mutant = mutant({
  name: 'never-refutes',
  about: 'a member that hears that it counts as failed says nothing',
  caughtBy: 'members-agree',
  runsMax: 10,
  scenario: 'gossip',
  mutations: wrapHandler('membership', 'event', (handler) => (state, request, turn, from) => {
    const { self } = state as MembershipState
    const { message } = request as Extract<GossipEvent, { did: 'message' }>
    const { rumours, records } = (message ?? {}) as { rumours?: { name?: string }[]; records?: { name: string }[] }
    const isOther = ({ name }: { name?: string }) => name !== self.name
    const heard = { ...message, ...(rumours && { rumours: rumours.filter(isOther) }), ...(records && { records: records.filter(isOther) }) }
    return handler(state, message ? { ...(request as object), message: heard } : request, turn, from)
  }),
})

export const accusesTheWell: Mutant = mutant({
  name: 'accuses-the-well',
  about: 'now and then a member counts a neighbour as failed without asking anybody',
  caughtBy: 'healthy-members-stay',
  runsMax: 10,
  scenario: 'gossip',
  mutations: wrapHandler('membership', 'beat', (handler) => {
    let beats = 0
    return (state, request, turn, from) => {
      const { watches, members } = state as MembershipState
      const record = members.get([...watches.keys()][0] ?? '')
      if (++beats % 120 === 0 && record) members.set(record.name, { ...record, status: 'failed' })
      return handler(state, request, turn, from)
    }
  }),
})

export const believesTheOlder: Mutant = mutant({
  name: 'believes-the-older',
  about: 'what was known of a member first takes the place of what is newer',
  caughtBy: 'incarnations-never-go-back',
  runsMax: 10,
  scenario: 'gossip',
  mutations: wrapHandler('membership', 'event', (handler) => {
    const first = new WeakMap<object, Map<string, MemberRecord>>()
    let events = 0
    return (state, request, turn, from) => {
      const { members, self } = state as MembershipState
      const known = first.get(members) ?? new Map<string, MemberRecord>()
      first.set(members, known)
      for (const [name, record] of members) if (!known.has(name)) known.set(name, record)
      if (++events % 500 === 0) for (const [name, record] of known) if (name !== self.name && members.has(name)) members.set(name, record)
      return handler(state, request, turn, from)
    }
  }),
})

export const leftComesBack: Mutant = mutant({
  name: 'left-comes-back',
  about: 'a member that has left counts as alive again after a while',
  caughtBy: 'left-stays-left',
  runsMax: 10,
  scenario: 'gossip',
  mutations: wrapHandler('membership', 'beat', (handler) => (state, request, turn, from) => {
    const { members, goneSinceMs, nowMs } = state as MembershipState
    for (const [name, sinceMs] of goneSinceMs) {
      const record = members.get(name)
      if (record?.status === 'left' && nowMs - sinceMs > 3_000) members.set(name, { ...record, status: 'alive' })
    }
    return handler(state, request, turn, from)
  }),
})
