import test from 'ava'
import { membership } from '../../actors/membership/index.ts'
import { PROTOCOL_VERSION, type Rumour } from '../../actors/membership/messages.ts'
import type { MemberRecord } from '../../actors/membership/protocol.ts'
import { placeOf } from '../../actors/membership/ring.ts'
import {
  accuse,
  argsOf,
  connect,
  hear,
  isListen,
  listening,
  NOW_MS,
  n2,
  n3,
  n4,
  others,
  record,
  type Sent,
  say,
  sent,
  statusOf,
  type Tried,
} from '../kit/membership.ts'
import { tryActor } from '../kit/try-actor.ts'

test('an agent alone is a member, whose port and peer are what it listens with', (t) => {
  const a = listening()
  const feed = a.subscribe('members', null)
  t.like(feed.values[0]?.[0], { name: 'n1', peer: 'p-n1', port: 8301, status: 'alive', isSelf: true, incarnation: NOW_MS })
})

test('an agent that does not gossip asks nothing of the network, and joins nobody', (t) => {
  const a = tryActor(membership, { args: { ...argsOf('n1'), enabled: false } })
  t.deepEqual(a.acts('gossip'), [])
  t.like(a.call('join', { addresses: [{ host: '10.0.0.2', port: 8301 }] }).result, { refused: 'invalid' })
})

const STRANGE: [what: string, me: MemberRecord, more: object, why: RegExp][] = [
  ['another datacenter', n2, { datacenter: 'dc2' }, /Member 'n2' part of wrong datacenter 'dc2', not 'dc1'/],
  ['another version of the protocol', n2, { version: 9 }, /Member 'n2' \(10\.0\.0\.2:8301\) speaks version 9 of the protocol, not 1/],
  ['a key of somebody else', { ...n2, peer: 'p-n9' }, {}, /does not have the key of which it speaks/],
  [
    'a name that is taken',
    { ...record('n3', { id: record('n9').id, address: '10.0.0.9' }), peer: 'p-n2' },
    {},
    /^Member 'n3' at 10\.0\.0\.9:8301 has the name of the one at 10\.0\.0\.3:8301$/,
  ],
  [
    'a node id that is taken',
    { ...record('n8', { id: n3.id }), peer: 'p-n2' },
    {},
    /^Member 'n8' \(10\.0\.0\.8:8301\) has conflicting node ID '.*' with member 'n3' \(10\.0\.0\.3:8301\)$/,
  ],
]

for (const [what, me, more, why] of STRANGE) {
  test(`whoever comes with ${what} is told why it cannot be a member, and has the time to hear it`, (t) => {
    const a = listening([n3])
    a.event('gossip', { did: 'connected', peer: 'p-n2', address: { host: '10.0.0.2', port: 8301 } }, isListen)
    a.effects()
    hear(a, { peer: 'p-n2' }, { do: 'hello', version: PROTOCOL_VERSION, datacenter: 'dc1', me, ...more })
    const effects = a.effects() as { did: string; request?: { do: string; message?: { do: string; why: string }; why?: string } }[]
    const acts = effects.flatMap(({ did, request }) => (did === 'act' && request ? [request] : []))
    t.regex(acts[0]?.message?.why ?? '', why)
    const isOver = () => a.acts('gossip').some((one) => (one as { do: string }).do === 'hang-up')
    a.wait(1_500)
    hear(a, { peer: 'p-n2' }, { do: 'hello', version: PROTOCOL_VERSION, datacenter: 'dc1', me: n2 })
    t.false(isOver())
    a.wait(1_000)
    t.true(isOver())
    t.is(statusOf(a, 'n2'), undefined)
  })
}

test('one that comes back under its name with another id is the same member, if it is at the same address or the old one has failed', (t) => {
  const a = listening([n2, record('n3', { status: 'failed' })])
  connect(a, { ...record('n2', { id: record('n9').id, incarnation: 2 }), peer: 'p-new2' })
  t.is(a.state.members.get('n2')?.peer, 'p-new2')
  connect(a, { ...record('n3', { id: record('n8').id, address: '10.0.0.33' }), peer: 'p-new3' })
  t.like(a.state.members.get('n3'), { peer: 'p-new3', status: 'alive' })
})

test('a peer may introduce itself before its connection is told of; one that is gone by then has not', (t) => {
  const a = listening()
  const hello = { do: 'hello', version: PROTOCOL_VERSION, datacenter: 'dc1' }
  const connected = (host: string, { peer }: MemberRecord) =>
    a.event('gossip', { did: 'connected', peer, address: { host, port: 40_000 } }, isListen)
  hear(a, n2, { ...hello, me: n2 })
  t.is(statusOf(a, 'n2'), undefined)
  connected(n2.address, n2)
  t.is(statusOf(a, 'n2'), 'alive')
  hear(a, n3, { ...hello, me: n3 })
  a.event('gossip', { did: 'disconnected', peer: n3.peer, why: 'reset' }, isListen)
  connected(n3.address, n3)
  t.is(statusOf(a, 'n3'), undefined)
})

test('what a peer that has not introduced itself says counts for nothing', (t) => {
  const a = listening([n2])
  a.event('gossip', { did: 'connected', peer: 'p-x', address: { host: '10.0.0.7', port: 1 } }, isListen)
  sent(a)
  say(a, { peer: 'p-x' }, { is: 'member', member: n3 })
  hear(a, { peer: 'p-x' }, { do: 'ping', seq: 1 })
  t.is(statusOf(a, 'n3'), undefined)
  t.deepEqual(sent(a), [])
  t.is(a.counters.get('membership.strangers'), 2)
})

test('garbage of a member is counted and changes nothing', (t) => {
  const a = listening()
  connect(a, n2)
  sent(a)
  const bad = [
    {},
    { do: 'x' },
    { do: 'ping' },
    { do: 'news', rumours: [{ is: 'member', via: [], member: { name: 'n3' } }] },
    { do: 'compare', sums: [1] },
  ]
  for (const message of bad) hear(a, n2, message)
  t.is(a.counters.get('membership.garbage'), bad.length)
  t.deepEqual(sent(a), [])
  t.is(a.state.members.size, 2)
})

test('news goes on to all who are connected but to whom it came from, once', (t) => {
  const a = listening()
  for (const other of [n2, n3, n4]) connect(a, other)
  a.wait(20)
  sent(a)
  const rumour = { is: 'member', member: record('n9'), via: ['n9', 'n2'] }
  hear(a, n2, { do: 'news', rumours: [rumour] })
  hear(a, n3, { do: 'news', rumours: [rumour] })
  a.wait(20)
  const out = sent(a).filter((one) => one.do === 'news') as (Sent & { rumours: Rumour[] })[]
  t.deepEqual(
    out.map(({ to }) => to),
    [n3.peer, n4.peer],
  )
  t.deepEqual(out[0]?.rumours[0]?.via, ['n9', 'n2', 'n1'])
})

test('a neighbour that is silent is asked, then asked by others, then accused before those who watch it', (t) => {
  const a = listening([...others])
  for (const other of others) connect(a, other)
  a.wait(250)
  const [silent, ...rest] = [...a.state.watches.keys()]
  const alive = others.filter(({ name }) => rest.includes(name))
  let probes = 0
  for (let ms = 0; ms < 3_500 && !a.state.suspicions.has(silent as string); ms += 250) {
    a.wait(250)
    for (const one of sent(a)) if (one.do === 'probe') probes++
    for (const other of alive) hear(a, other, { do: 'ack', seq: 0 })
  }
  t.is(probes, 3)
  const suspicion = a.state.suspicions.get(silent as string)
  t.deepEqual([...(suspicion?.accusers ?? [])], ['n1'])
  t.is(suspicion?.loudMs, undefined)
  hear(a, { peer: `p-${silent}` }, { do: 'ack', seq: 0 })
  t.false(a.state.suspicions.has(silent as string))
  t.deepEqual(
    a.state.trace.entries.slice(-2).map(({ what, member, by }) => ({ what, member, by })),
    [
      { what: 'accused', member: silent, by: 'n1' },
      { what: 'withdrawn', member: silent, by: 'n1' },
    ],
  )
})

test('whoever hears of nobody accuses nobody at first: it is rather its own fault', (t) => {
  const a = listening([...others])
  for (const other of others) connect(a, other)
  a.wait(4_500)
  t.is(a.state.suspicions.size, 0)
  t.true(a.state.health.score > 0)
  t.true(a.state.trace.entries.some(({ what }) => what === 'silent'))
})

test('an agent that was late accuses nobody, and postpones verdicts', (t) => {
  const a = listening([...others])
  for (const other of others) connect(a, other)
  a.wait(250)
  say(a, n2, accuse('n3', 'n2'), accuse('n3', 'n4'), accuse('n3', 'n5'))
  a.setClock(20_000)
  a.wait(250)
  t.is(statusOf(a, 'n3'), 'alive')
  t.true(a.state.health.score >= 8)
  t.is(a.state.suspicions.size, 1)
})

test('accusations of several shorten the time until the verdict; what one says twice counts once', (t) => {
  const untilFailed = (...by: string[]) => {
    const a = listening([...others])
    for (const other of others) if (other !== n3) connect(a, other)
    say(a, n2, ...by.map((name) => accuse('n3', name)))
    const startMs = a.nowMs
    while (statusOf(a, 'n3') === 'alive' && a.nowMs - startMs < 30_000) {
      a.wait(250)
      for (const other of others) if (other !== n3) hear(a, other, { do: 'ack', seq: 0 })
    }
    return a.nowMs - startMs
  }
  const alone = untilFailed('n2', 'n2', 'n2')
  const three = untilFailed('n2', 'n4', 'n5')
  t.true(three >= 2_000 && three <= 2_500, String(three))
  t.true(alone > three)
})

test('a verdict of others is believed with enough accusers, and is one accusation without', (t) => {
  const a = listening([...others])
  connect(a, n2)
  say(a, n2, { is: 'failed', name: 'n3', incarnation: 1, by: 'n2', accusers: [] })
  t.is(statusOf(a, 'n3'), 'alive')
  t.is(a.state.suspicions.get('n3')?.accusers.size, 1)
  say(a, n2, { is: 'failed', name: 'n3', incarnation: 1, by: 'n2', accusers: ['n2', 'n9'] })
  t.is(statusOf(a, 'n3'), 'alive', 'an accuser that nobody knows does not count')
  say(a, n2, { is: 'failed', name: 'n3', incarnation: 1, by: 'n2', accusers: ['n2', 'n4'] })
  t.is(statusOf(a, 'n3'), 'alive', 'it had no time to refute that')
  a.wait(500)
  say(a, n2, { is: 'failed', name: 'n3', incarnation: 1, by: 'n2', accusers: ['n2', 'n4'] })
  t.is(statusOf(a, 'n3'), 'failed')
})

test('a record that says failed of a member that is there is a doubt, not a verdict', (t) => {
  const a = listening([...others])
  connect(a, n2)
  say(a, n2, { is: 'member', member: { ...n3, incarnation: 2, status: 'failed' } })
  t.is(statusOf(a, 'n3'), 'alive')
})

test('that somebody goes is believed when it says so itself; others only make doubt of it', (t) => {
  const a = listening([...others])
  connect(a, n2)
  for (const status of ['leaving', 'left'] as const) say(a, n2, { is: 'member', member: { ...n3, status } })
  hear(a, n2, { do: 'records', records: [{ ...n4, status: 'left' }], isLast: true, differing: [] })
  t.deepEqual([statusOf(a, 'n3'), statusOf(a, 'n4')], ['alive', 'alive'])
  t.deepEqual([...a.state.suspicions.keys()], ['n4'])
  say(a, n2, { is: 'member', member: { ...n3, status: 'leaving' }, via: ['n3', 'n2'] })
  say(a, n2, { is: 'member', member: { ...n3, status: 'left' } })
  t.is(statusOf(a, 'n3'), 'left')
})

test('whoever invents accusers speaks against itself alone', (t) => {
  const a = listening([...others])
  connect(a, n2)
  for (let incarnation = 1; incarnation <= 5; incarnation++) {
    say(a, n2, { is: 'failed', name: 'n3', incarnation, by: 'n2', accusers: ['n2', 'n4', 'n5'] })
    say(a, n2, accuse('n3', 'n2', { incarnation, accusers: ['n4', 'n5'] }))
    t.is(statusOf(a, 'n3'), 'alive')
    say(a, n2, { is: 'member', member: { ...n3, incarnation: incarnation + 1 } })
  }
  say(a, n2, accuse('n3', 'n2', { incarnation: 6 }))
  t.is(a.state.suspicions.size, 0, 'it is not heard any more')
  say(a, n2, accuse('n3', 'n4', { incarnation: 6 }))
  t.is(a.state.suspicions.size, 1, 'those whom it has named are')
})

/** Member n2 accuses another one, which is silent, and says the verdict. */
function condemn(a: Tried, name: string, accuser: string): void {
  say(a, n2, accuse(name, 'n2'))
  a.wait(500)
  say(a, n2, { is: 'failed', name, incarnation: 1, by: 'n2', accusers: ['n2', accuser] })
}

test('a member that goes when it is accused has left', (t) => {
  const a = listening([n2, record('n3', { status: 'leaving' }), n4])
  connect(a, n2)
  condemn(a, 'n3', 'n4')
  t.is(statusOf(a, 'n3'), 'left')
})

test('whoever is accused itself says that it is there, with a higher incarnation', (t) => {
  const a = listening([...others])
  connect(a, n2)
  sent(a)
  for (const [what, incarnation] of [
    [accuse('n1', 'n2', { incarnation: NOW_MS }), NOW_MS + 1],
    [{ is: 'failed', name: 'n1', incarnation: NOW_MS + 5, by: 'n2', accusers: ['n2'] }, NOW_MS + 6],
    [{ is: 'disputed', name: 'n1', incarnation: NOW_MS + 6, by: 'n2' }, NOW_MS + 7],
    [{ is: 'member', member: { ...record('n1'), incarnation: NOW_MS + 7, status: 'left' } }, NOW_MS + 8],
  ] as const) {
    say(a, n2, what)
    t.is(a.state.self.incarnation, incarnation)
  }
  say(a, n2, accuse('n1', 'n2', { incarnation: 1 }), accuse('n1', 'n2', { incarnation: NOW_MS + 8, isLoud: false }))
  t.is(a.state.self.incarnation, NOW_MS + 8, 'what is old or still quiet needs no refutation')
})

test('whoever is described wrongly under its own incarnation says how it is', (t) => {
  const a = listening([...others])
  connect(a, n2)
  const { self } = a.state
  for (const wrong of [{ address: '10.9.9.9' }, { port: 1 }, { peer: 'p-n2' }, { tags: { role: 'consul' } }, { tags: {} }]) {
    const { incarnation } = a.state.self
    say(a, n2, { is: 'member', member: { ...a.state.self, ...wrong } })
    t.is(a.state.self.incarnation, incarnation + 1)
  }
  say(a, n2, { is: 'member', member: a.state.self }, { is: 'member', member: { ...self, port: 1 } })
  t.is(a.state.self.incarnation, self.incarnation + 5, 'what is so, or old, needs no answer')
})

test('a refutation ends the suspicion; whoever accuses again and again without reason is not heard for a while', (t) => {
  const a = listening([...others])
  connect(a, n2)
  for (let incarnation = 1; incarnation <= 5; incarnation++) {
    say(a, n2, accuse('n3', 'n2', { incarnation }))
    t.is(a.state.suspicions.size, 1)
    say(a, n2, { is: 'member', member: { ...n3, incarnation: incarnation + 1 } })
    t.is(a.state.suspicions.size, 0)
  }
  say(a, n2, accuse('n3', 'n2', { incarnation: 6 }), accuse('n4', 'n2'))
  t.is(a.state.suspicions.size, 0)
  say(a, n2, accuse('n4', 'n5'))
  t.is(a.state.suspicions.size, 1, 'others are')
})

test('records of failed members do not overrule what is known: the member gets the time to say that it is there', (t) => {
  const a = listening([...others])
  for (const other of [n2, n4]) connect(a, other)
  a.wait(20)
  sent(a)
  hear(a, n2, { do: 'records', records: [{ ...n3, status: 'failed' }], isLast: true, differing: [] })
  a.wait(20)
  t.is(statusOf(a, 'n3'), 'alive')
  t.deepEqual(
    sent(a).flatMap(({ to, rumours }) => (rumours as Rumour[] | undefined)?.map(({ is }) => `${is} to ${to}`) ?? []),
    [`disputed to ${n4.peer}`],
  )
})

test('a member that counts as failed here and speaks is told so', (t) => {
  const a = listening([n2, { ...n3, status: 'failed' }])
  connect(a, n3)
  t.like(sent(a).at(-1), { to: n3.peer, rumours: [{ is: 'disputed', name: 'n3', incarnation: 1 }] })
})

test('leaving is said in two steps, then all connections end, and joining again begins a new life', (t) => {
  const a = listening([n2, n3])
  connect(a, n2)
  sent(a)
  const left = a.call('leave', null)
  const again = a.call('leave', null)
  t.is(a.state.self.status, 'leaving')
  a.wait(500)
  t.is(a.state.self.status, 'left')
  a.wait(500)
  t.is(left.result, null)
  t.is(again.result, null)
  t.like(a.acts('store').at(-1), { record: { hasLeft: true } })
  t.true(a.acts('gossip').some((request) => (request as { do: string }).do === 'hang-up'))
  a.call('join', { addresses: [{ host: n2.address, port: 8301 }] })
  t.like(a.state.self, { status: 'alive', incarnation: NOW_MS + 1 })
})

test('an agent alone leaves at once', (t) => {
  t.is(listening().call('leave', null).result, null)
})

test('whom an agent has met is kept within seconds, also by one that knew nobody when it began', (t) => {
  const a = listening()
  a.wait(5_000)
  t.deepEqual(
    a.acts('store').filter((act) => (act as { do: string }).do === 'save'),
    [],
  )
  connect(a, n2)
  a.wait(2_000)
  t.like(a.acts('store').at(-1), { do: 'save', record: { addresses: [{ host: n2.address, port: 8301 }], hasLeft: false } })
  connect(a, n3)
  a.wait(2_000)
  t.is((a.acts('store').at(-1) as { record: { addresses: object[] } }).record.addresses.length, 2)
})

test('what becomes of members is counted under the names that Serf has for it', (t) => {
  const a = listening()
  for (const other of [n2, n3, n4]) connect(a, other)
  condemn(a, 'n3', 'n4')
  say(a, n2, { is: 'member', member: { ...n3, incarnation: 2 } })
  say(a, n4, { is: 'member', member: { ...n4, incarnation: 2, status: 'left' }, via: ['n4'] })
  const counted = ['join', 'failed', 'flap', 'left'].map((what) => a.counters.get(`serf.member.${what}`))
  t.deepEqual(counted, [5, 1, 1, 1], 'the first one to join is the agent itself')
})

test('failed members can be made to leave and be forgotten; those that are alive stay', (t) => {
  const a = listening([n2, { ...n3, status: 'failed' }, { ...n4, status: 'failed' }])
  t.like(a.call('forceLeave', { name: 'nobody', prune: false }).result, { refused: 'missing' })
  t.is(a.call('forceLeave', { name: 'n2', prune: true }).result, null)
  t.is(statusOf(a, 'n2'), 'alive')
  a.call('forceLeave', { name: 'n3', prune: false })
  t.is(statusOf(a, 'n3'), 'left')
  a.call('forceLeave', { name: 'n4', prune: true })
  t.is(statusOf(a, 'n4'), undefined)
  connect(a, n2)
  say(a, n2, { is: 'member', member: { ...n4, status: 'failed' } })
  t.is(statusOf(a, 'n4'), undefined, 'nobody brings it back')
  say(a, n2, { is: 'member', member: { ...n4, incarnation: 2 } })
  t.is(statusOf(a, 'n4'), 'alive', 'but itself')
})

test('failed members are forgotten after 72 hours, those that have left after 24', (t) => {
  const a = listening([n2, n3])
  connect(a, n2)
  condemn(a, 'n3', 'n1')
  say(a, n2, { is: 'member', member: record('n9', { status: 'left' }) })
  const { goneSinceMs } = a.state
  t.deepEqual([...goneSinceMs.keys()], ['n3', 'n9'])
  for (const name of goneSinceMs.keys()) goneSinceMs.set(name, a.state.nowMs - 24 * 3_600_000)
  a.wait(11_000)
  t.deepEqual([statusOf(a, 'n3'), statusOf(a, 'n9')], ['failed', undefined])
  goneSinceMs.set('n3', a.state.nowMs - 72 * 3_600_000)
  a.wait(11_000)
  t.is(statusOf(a, 'n3'), undefined)
})

test('members of an earlier life are dialled, unless this agent has left', (t) => {
  const dialled = (hasLeft: boolean, rejoinsAfterLeave: boolean) => {
    const a = tryActor(membership, { args: { ...argsOf('n1'), rejoinsAfterLeave }, nowMs: NOW_MS })
    const stored = { kind: 'membership', key: 'known', record: { addresses: [{ host: '10.0.0.2', port: 8301 }], hasLeft } }
    a.outcome('gossip', { peer: 'p-n1', port: 8301 }, isListen)
    a.outcome('store', { records: [stored] })
    return a.acts('gossip').filter((request) => (request as { do: string }).do === 'dial').length
  }
  t.is(dialled(false, false), 1)
  t.is(dialled(true, false), 0)
  t.is(dialled(true, true), 1)
})

test('pings for others: the answer goes to whoever asked, or that there was none in time', (t) => {
  const a = listening([n2, n3])
  connect(a, n2)
  connect(a, n3)
  sent(a)
  hear(a, n2, { do: 'probe', seq: 7, name: 'n3', withinMs: 750 })
  const [own] = [...a.state.relays.keys()]
  hear(a, n3, { do: 'ack', seq: own as number })
  t.deepEqual(sent(a), [{ to: n2.peer, do: 'heard', seq: 7 }])
  hear(a, n2, { do: 'probe', seq: 8, name: 'n3', withinMs: 750 })
  a.wait(1_000)
  t.deepEqual(
    sent(a).filter((one) => one.do === 'unheard'),
    [{ to: n2.peer, do: 'unheard', seq: 8 }],
  )
})

test('connections that serve nothing end, and whoever does not introduce itself goes', (t) => {
  const many = Array.from({ length: 60 }, (_, at) => record(`n${at + 100}`))
  const a = listening(many)
  a.event('gossip', { did: 'connected', peer: 'p-x', address: { host: '10.0.0.7', port: 1 } }, isListen)
  for (const other of many.slice(0, 20)) connect(a, other)
  for (let ms = 0; ms < 14_000; ms += 500) {
    a.wait(500)
    for (const other of many) if (a.state.connections.has(other.peer)) hear(a, other, { do: 'ack', seq: 0 })
  }
  const hungUp = a
    .acts('gossip')
    .flatMap((request) => ((request as { do: string }).do === 'hang-up' ? [(request as { peer: string }).peer] : []))
  t.true(hungUp.includes('p-x'))
  t.true(hungUp.length > 10)
  for (const name of a.state.wanted) t.false(hungUp.includes(`p-${name}`))
})

test('the trace says who accused whom, over which way, and is bounded', (t) => {
  const a = listening([...others])
  connect(a, n2)
  hear(a, n2, { do: 'news', rumours: [{ ...accuse('n3', 'n4'), via: ['n4', 'n2'] }] })
  const found = a.call('trace', { member: 'n3' }).result
  t.like(found, [{ what: 'accused', member: 'n3', by: 'n4', via: ['n4', 'n2'], incarnation: 1 }])
  for (let at = 0; at < 400; at++)
    say(a, n2, { is: 'member', member: record('n9', { incarnation: at, status: at % 2 ? 'left' : 'alive' }), via: ['n9'] })
  t.is((a.call('trace', { member: '' }).result as unknown[]).length, 256)
})

test('two members with one name: the smaller id keeps it, and the other one is outside', (t) => {
  const taken = { ...record('n1', { address: '10.0.0.77' }), id: '00000000-0000-4000-8000-000000000000' }
  const rival = { ...taken, place: placeOf(taken.id), peer: 'p-rival' }
  const a = listening([n2])
  connect(a, n2)
  a.effects()
  say(a, n2, { is: 'member', member: rival })
  const prints = a.effects().filter(({ did }) => did === 'print') as { line: string }[]
  t.regex(prints[0]?.line ?? '', /two members have the name n1: 10\.0\.0\.1:8301 \(.*\) and 10\.0\.0\.77:8301/)
  t.not(a.state.outside, undefined)
})
