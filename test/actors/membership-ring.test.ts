import test from 'ava'
import fc from 'fast-check'
import { sumsOf } from '../../actors/membership/compare.ts'
import { readMessage, readRumours, SUMS } from '../../actors/membership/messages.ts'
import { LAN_PACE, WAN_PACE } from '../../actors/membership/pace.ts'
import type { MemberRecord } from '../../actors/membership/protocol.ts'
import { EACH_SIDE, farOf, insert, neighboursOf, placeOf, remove, ringOf } from '../../actors/membership/ring.ts'
import { accusersNeeded, suspectMs } from '../../actors/membership/suspicion.ts'
import { isNewer } from '../../actors/membership/table.ts'
import { isRefused } from '../../src/kernel/refusal.ts'

const record = (name: string, more: Partial<MemberRecord> = {}): MemberRecord => {
  const id = `00000000-0000-4000-8000-${name.padStart(12, '0')}`
  return {
    name,
    id,
    peer: `p-${name}`,
    address: '10.0.0.1',
    port: 8301,
    tags: {},
    incarnation: 1,
    status: 'alive',
    ltime: 0,
    place: placeOf(id),
    ...more,
  }
}
const byName = (records: readonly MemberRecord[]) => new Map(records.map((one) => [one.name, one]))
const names = fc.uniqueArray(
  fc.integer({ min: 0, max: 9_999 }).map((number) => String(number)),
  { minLength: 1, maxLength: 40 },
)

test('a ring that grew and shrank one by one is the one that is made at once', (t) => {
  fc.assert(
    fc.property(names, names, (first, second) => {
      const known = byName([...first, ...second].map((name) => record(name)))
      const ring = ringOf(first.map((name) => record(name)))
      for (const name of second) insert(ring, record(name), known)
      for (const name of second) insert(ring, record(name), known)
      t.deepEqual(ring, ringOf([...known.values()]))
      for (const name of second) remove(ring, record(name), known)
      t.deepEqual(ring, ringOf(first.filter((name) => !second.includes(name)).map((name) => record(name))))
    }),
  )
})

test('watching goes both ways, and everybody is watched by four others, or by all', (t) => {
  fc.assert(
    fc.property(names, (all) => {
      const records = all.map((name) => record(name))
      const known = byName(records)
      const ring = ringOf(records)
      for (const one of records) {
        const neighbours = neighboursOf(ring, one, known, () => false)
        t.is(neighbours.size, Math.min(2 * EACH_SIDE, records.length - 1))
        for (const name of neighbours) t.true(neighboursOf(ring, known.get(name) as MemberRecord, known, () => false).has(one.name))
      }
    }),
  )
})

test('who is suspected is watched on, and those behind it as well', (t) => {
  const records = Array.from({ length: 20 }, (_, at) => record(String(at)))
  const ring = ringOf(records)
  const known = byName(records)
  const one = known.get(ring[0] as string) as MemberRecord
  const suspect = ring[1] as string
  const neighbours = neighboursOf(ring, one, known, (name) => name === suspect)
  t.deepEqual([...neighbours].sort(), [ring[1], ring[2], ring[3], ring[18], ring[19]].sort())
})

test('members elsewhere are the same for whoever has the same ring, and never oneself', (t) => {
  const records = Array.from({ length: 50 }, (_, at) => record(String(at)))
  const known = byName(records)
  const ring = ringOf(records)
  for (const one of records) {
    const far = farOf(ring, one, known)
    t.deepEqual(far, farOf(ringOf([...records].reverse()), one, known))
    t.false(far.includes(one.name))
  }
})

test('sums are equal for the same members in any order, and differ where anything differs', (t) => {
  const status = fc.constantFrom('alive' as const, 'leaving' as const, 'failed' as const, 'left' as const)
  const member = fc.record({ incarnation: fc.integer({ min: 0, max: 2 ** 42 }), status })
  fc.assert(
    fc.property(names, fc.array(member, { minLength: 40, maxLength: 40 }), fc.nat(), member, (all, states, which, other) => {
      const records = all.map((name, at) => record(name, states[at]))
      t.deepEqual(sumsOf(records), sumsOf([...records].reverse()))
      const at = which % records.length
      const changed = records.with(at, { ...(records[at] as MemberRecord), ...other })
      const isSame = records[at]?.incarnation === other.incarnation && records[at]?.status === other.status
      const parts = sumsOf(records).flatMap((sum, part) => (sum === sumsOf(changed)[part] ? [] : [part]))
      t.deepEqual(parts, isSame ? [] : [(records[at] as MemberRecord).place % SUMS])
    }),
  )
})

test('the same change of two members in one part does not cancel out', (t) => {
  const records = Array.from({ length: 400 }, (_, at) => record(String(at)))
  const first = records[0] as MemberRecord
  for (const second of records.slice(1).filter(({ place }) => place % SUMS === first.place % SUMS)) {
    const changed = records.map((one) => (one === first || one === second ? { ...one, status: 'failed' as const } : one))
    t.notDeepEqual(sumsOf(records), sumsOf(changed))
  }
})

test('of two records of a member one is newer, or they say the same', (t) => {
  const said = fc.record({
    incarnation: fc.nat(3),
    status: fc.constantFrom('alive' as const, 'leaving' as const, 'failed' as const, 'left' as const),
  })
  fc.assert(
    fc.property(said, said, (one, other) => {
      const isEqual = one.incarnation === other.incarnation && one.status === other.status
      const [a, b] = [record('a', one), record('a', other)]
      t.is(Number(isNewer(a, b)) + Number(isNewer(b, a)), isEqual ? 0 : 1)
    }),
  )
})

test('the time until a verdict falls with each accuser, between its bounds; with fewer members fewer are needed', (t) => {
  for (const others of [1, 2, 3, 10, 1_000]) {
    for (let accusers = 1; accusers < 5; accusers++) {
      const forMs = suspectMs(accusers, others, LAN_PACE)
      t.true(forMs >= 1_000 && forMs <= 8_000)
      t.true(suspectMs(accusers + 1, others, LAN_PACE) <= forMs)
    }
  }
  t.is(suspectMs(3, 1_000, LAN_PACE), 1_000)
  t.is(suspectMs(1, 1_000, LAN_PACE), 8_000)
  for (const [accusers, others] of [
    [1, 1],
    [1, 9],
    [3, 9],
  ] as const)
    t.true(suspectMs(accusers, others, WAN_PACE) > suspectMs(accusers, others, LAN_PACE))
  t.deepEqual(
    [1, 2, 3, 100].map((others) => accusersNeeded(others)),
    [1, 2, 2, 2],
  )
})

test('whatever a peer sends is a message or refused by its field', (t) => {
  fc.assert(
    fc.property(fc.object(), (message) => {
      const read = readMessage(message)
      t.true(isRefused(read) ? read.why !== '' : 'do' in read)
      const rumours = readRumours(message)
      t.true(isRefused(rumours) || Array.isArray(rumours))
    }),
  )
  const me = record('1')
  const WRONG: [message: object, why: RegExp][] = [
    [{ do: 'hello', version: 1, datacenter: 'dc1', me: { ...me, place: 1 } }, /place: does not belong to the id/],
    [{ do: 'hello', version: 1, datacenter: 'dc1', me: { ...me, id: 'x' } }, /id: must be a UUID/],
    [{ do: 'hello', version: 1, datacenter: 'dc1', me: { ...me, tags: { a: 1 } } }, /tags\.a: must be a text/],
    [{ do: 'hello', version: 1, datacenter: 'dc1', me: { ...me, port: 70_000 } }, /port: must be a port/],
    [{ do: 'hello', version: 1, datacenter: 'dc1', me: { ...me, incarnation: -1 } }, /incarnation: must be a whole number/],
    [{ do: 'hello', version: 1, datacenter: 'dc1', me: { ...me, status: 'suspect' } }, /status: unknown/],
    [{ do: 'records', records: [], isLast: true, differing: [64] }, /differing: must be numbers of parts/],
    [{ do: 'records', records: Array(65).fill(me), isLast: true, differing: [] }, /records: must be a list of at most 64/],
    [{ do: 'news', rumours: [{ is: 'accused', via: [], name: 'a', incarnation: 1, by: 'b', number: 1, accusers: [] }] }, /isLoud/],
    [
      { do: 'news', rumours: [{ is: 'told', via: [], told: { id: 'a', topic: 't', from: 'b', lamportTime: 1 } }] },
      /body: must be an object/,
    ],
    [{ do: 'probe', seq: 1, name: '', withinMs: 1 }, /name: must be a name/],
  ]
  for (const [message, why] of WRONG) {
    const read = readMessage(message)
    t.regex(isRefused(read) ? read.why : '', why)
  }
})
