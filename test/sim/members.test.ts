import test from 'ava'
import { roundTripSeconds } from '../../actors/coordinates/distance.ts'
import type { Coordinate } from '../../actors/coordinates/tables.ts'
import { membershipRef, type Told, wanMembershipRef } from '../../actors/membership/protocol.ts'
import { MemberEstate } from '../../sim/members/estate.ts'
import { atRest, detection, halfSplit, joinAtOnce, spread, underTrouble } from '../../sim/members/measure.ts'

function formed(count: number, seed = 'members'): MemberEstate {
  const estate = new MemberEstate({ world: seed, count, messages: 'packed', isFormed: true })
  estate.start()
  estate.run(5_000)
  return estate
}

test('members at rest say little, and keep to few connections', (t) => {
  const { messages, bytes, connections, connectionsMax } = atRest(60, 20)
  t.true(messages < 6, `${messages} messages a second`)
  t.true(bytes < 400, `${bytes} bytes a second`)
  t.true(connections < 10 && connectionsMax <= 20, `${connections}, at most ${connectionsMax}`)
})

test('a crash is known to all within five seconds, whether the machine or only the process is gone', (t) => {
  for (const how of ['silently', 'aloud'] as const) {
    const { allMs } = detection(50, 5, how)
    for (const tookMs of allMs) t.true(tookMs < 5_000, `${tookMs} ms`)
  }
})

test('members that stall and packets that get lost make nobody count a healthy member as failed', (t) => {
  const { falselyFailed, mostMs } = underTrouble(50, { stalled: 0.2, lost: 0.3, seconds: 60, crashes: 2 })
  t.is(falselyFailed, 0)
  for (const tookMs of mostMs) t.true(tookMs < 10_000, `${tookMs} ms`)
})

test('a change, a hundred newcomers and the end of a split are known to all soon', (t) => {
  t.true(Math.max(...spread(50, 3).allMs) < 500)
  t.true(joinAtOnce(1, 100).allMs < 5_000)
  const { splitMs, healedMs } = halfSplit(50, 30_000)
  t.true(splitMs < 30_000, `${splitMs} ms`)
  t.true(healedMs < 20_000, `${healedMs} ms`)
})

test('members that were started again are found again by what they have kept', (t) => {
  const estate = new MemberEstate({ world: 'again', count: 3, messages: 'packed', isFormed: false })
  estate.start()
  estate.run(100)
  for (const member of estate.members.slice(1)) member.join([estate.members[0]!.address])
  estate.run(40_000)
  for (const member of estate.members) member.crash('silently')
  estate.run(1_000)
  estate.start()
  const tookMs = estate.until(() => estate.members.every(({ state }) => state?.ring.length === 3), 30_000)
  t.not(tookMs, undefined)
})

test('whoever has left is not looked for, and whoever is told something tells it on', (t) => {
  const estate = formed(10)
  const [first, second] = estate.members as [MemberEstate['members'][0], MemberEstate['members'][0]]
  const told: Told[][] = []
  estate.members[7]!.follow(membershipRef, 'told', { topic: 'user' }, (value) => told.push(value as Told[]))
  second.ask(membershipRef, 'tell', { topic: 'user', body: { word: 'hello' } }, 1_000, () => undefined)
  first.leave()
  estate.run(3_000)
  t.false(first.isUp)
  for (const { state } of estate.up()) t.is(state?.members.get(first.name)?.status, 'left')
  t.deepEqual(
    told.at(-1)?.map(({ from, body }) => ({ from, body })),
    [{ from: second.name, body: { word: 'hello' } }],
  )
})

test('servers of two datacenters find each other, are calm in trouble, and know of a crash within half a minute', (t) => {
  const isFar = (from: string, to: string) => Number(from.slice(1)) <= 5 !== Number(to.slice(1)) <= 5
  const delayMs = (from: string, to: string) => (isFar(from, to) ? 80 : 0.3)
  const estate = new MemberEstate({ world: 'wan', count: 10, messages: 'packed', isFormed: false, wan: true, delayMs })
  estate.start()
  estate.run(100)
  for (const member of estate.members.slice(1)) member.join([estate.members[0]!.address])
  t.not(
    estate.until(() => estate.members.every(({ state }) => state?.ring.length === 10), 5_000),
    undefined,
  )
  t.deepEqual([...(estate.members[0]?.state?.members.keys() ?? [])].sort().slice(0, 3), ['m1.dc1', 'm10.dc2', 'm2.dc1'])
  estate.run(200_000)
  let places: { name: string; coordinate: Coordinate }[] = []
  estate.members[0]?.ask(wanMembershipRef, 'places', null, 1_000, (result) => {
    if (Array.isArray(result)) places = result
  })
  estate.run(1_000)
  const at = (name: string) => places.find((one) => one.name === name)?.coordinate as Coordinate
  const near = roundTripSeconds(at('m1.dc1'), at('m2.dc1'))
  const far = roundTripSeconds(at('m1.dc1'), at('m7.dc2'))
  t.true(far > 0.1 && far > near * 4, `${near} s, ${far} s`)
  const hasFailed = (name: string) => estate.up().some(({ state }) => state?.members.get(name)?.status === 'failed')
  estate.disturb({ lost: 0.3 })
  for (let round = 0; round < 12; round++) {
    for (const at of [round % 10, (round + 3) % 10]) estate.members[at]?.stall(3_000)
    estate.run(5_000)
    for (const { args } of estate.members) t.false(hasFailed(args.name))
  }
  estate.disturb(undefined)
  estate.run(10_000)
  estate.members[9]?.crash('silently')
  const tookMs = estate.until(() => estate.up().every(({ state }) => state?.members.get('m10.dc2')?.status === 'failed'), 60_000) ?? 60_000
  t.true(tookMs > 8_000 && tookMs < 30_000, `${tookMs} ms`)
})

test('networks with different keys do not meet, and say why', (t) => {
  const estate = new MemberEstate({ world: 'keys', count: 2, messages: 'packed', isFormed: false })
  const [first, second] = estate.members as [MemberEstate['members'][0], MemberEstate['members'][0]]
  for (const [at, { args }] of [first, second].entries()) args.keys.push(Buffer.alloc(32, at + 1).toString('base64'))
  estate.start()
  estate.run(100)
  let why = ''
  second.join([first.address], (result) => {
    why = 'failed' in result ? (result.failed[0]?.why ?? '') : ''
  })
  estate.run(15_000)
  t.regex(why, /"encrypt" differs/)
})
