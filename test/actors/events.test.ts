import test from 'ava'
import fc from 'fast-check'
import { events } from '../../actors/events/index.ts'
import { type EventFire, eventIndex, type UserEvent } from '../../actors/events/protocol.ts'
import { sizeFault } from '../../actors/events/size.ts'
import { EVENT_TOPIC, packEvent, readEvent } from '../../actors/events/travel.ts'
import type { Told } from '../../actors/membership/protocol.ts'
import { BODY_BYTES_MAX, weightOf } from '../../actors/membership/told.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { tryActor } from '../kit/try-actor.ts'

const ID = '69750493-0000-4000-8000-000000000001'

function fire(given: Partial<EventFire> = {}): EventFire & { token: string } {
  return { name: 'deploy', payload: Buffer.alloc(0), nodeFilter: '', serviceFilter: '', tagFilter: '', token: '', ...given }
}

/** Two agents are as far from each other as members are: what one tells, each hears. */
function tried(node = 'n1') {
  const a = tryActor(events, { args: undefined, node })
  let told: Told[] = []
  const hear = (...more: Told[]) => {
    told = [...told, ...more].slice(-256)
    a.value('told', told, told.length)
  }
  hear()
  const feed = a.subscribe('recent', { name: '', token: '' })
  const send = (given: Partial<EventFire> = {}) => {
    const fired = a.call('fire', fire(given))
    const asked = a.pending().find((one) => one.did === 'call' && one.name === 'tell') as { request: { body: object } } | undefined
    if (asked === undefined) return fired.result
    a.answer('tell', { lamportTime: told.length + 1 })
    hear(toldOf(asked.request.body, node))
    return fired.result
  }
  return { a, feed, send, hear, names: () => feed.values.at(-1)?.events.map(({ name }) => name) ?? [] }
}

let count = 0
function toldOf(body: object, from = 'n2'): Told {
  return { id: `t${++count}`, topic: EVENT_TOPIC, from, lamportTime: count, body }
}

test('an event reaches whoever follows, and whoever comes later', (t) => {
  const { a, feed, names, send } = tried()
  t.deepEqual(feed.values, [{ events: [], index: 1n }])
  const fired = send({ payload: Buffer.from('x') })
  if (!fired || isRefused(fired)) return t.fail()
  t.like(feed.values.at(-1)?.events, [{ id: fired.id, name: 'deploy', version: 1, lamportTime: 2 }])
  t.is(feed.values.at(-1)?.index, eventIndex([fired]))
  send({ name: 'other' })
  t.deepEqual(names(), ['deploy', 'other'])
  t.is(feed.values.at(-1)?.events[1]?.lamportTime, 3)
  const one = a.subscribe('recent', { name: 'deploy', token: '' })
  t.is(one.values[0]?.events.length, 1)
  send({ name: 'other' })
  t.is(one.values.length, 1, 'another name is not told')
  a.leave(feed as never)
  send()
  t.is(names().length, 3)
})

test('the index of the newest event is its id, both halves laid over each other', (t) => {
  t.is(eventIndex([{ id: '00000000-0000-0001-0000-000000000003' }]), 2n)
  t.is(eventIndex([{ id: 'ffffffff-ffff-ffff-0000-000000000000' }]), 2n ** 64n - 1n)
  t.is(eventIndex([]), 1n)
})

test('only the newest are kept', (t) => {
  const { names, send } = tried()
  for (let i = 0; i < 300; i++) send({ name: `e${i}` })
  t.is(names().length, 256)
  t.is(names()[0], 'e44')
})

test('an event that is for other nodes is passed over, and one that asks to run a command is handed on', (t) => {
  const { a, names, send } = tried()
  send({ name: 'mine', nodeFilter: '^n[0-9]$' })
  send({ name: 'theirs', nodeFilter: 'x' })
  a.effects()
  const handedOn = () => a.effects().filter(({ did }) => did === 'cast') as { to: string; name: string; request: object }[]
  const payload = Buffer.from('{}')
  send({ name: '_rexec', payload })
  t.like(handedOn(), [{ to: 'remote-exec', name: 'asked', request: { payload } }])
  send({ name: '_rexec', nodeFilter: 'x' })
  send({ name: '_rexec', serviceFilter: 'web' })
  a.answer('list', { services: [], checks: [] })
  t.deepEqual(handedOn(), [])
  t.deepEqual(names(), ['mine'])
})

test('a filter on services looks at ids and tags of what runs here', (t) => {
  const { a, names, send } = tried()
  const list = { services: [{ definition: { id: 'web-1', name: 'web', tags: ['v1'] }, origin: 'api' }], checks: [] }
  for (const [name, serviceFilter, tagFilter] of [
    ['id', '^web-', ''],
    ['tag', 'web', 'v.'],
    ['other tag', 'web', 'v2'],
    ['other id', '^web$', ''],
  ] as const) {
    send({ name, serviceFilter, tagFilter })
    a.answer('list', list)
  }
  t.deepEqual(names(), ['id', 'tag'])
  send({ serviceFilter: 'web' })
  a.wait(5_000)
  t.deepEqual(names(), ['id', 'tag'], 'nobody said what runs here')
})

test('what is wrong is refused in the words of Consul', (t) => {
  const { names, send } = tried()
  const wrong: [Partial<EventFire>, string][] = [
    [{ name: '' }, 'User event missing name'],
    [{ tagFilter: 'x' }, 'Cannot provide tag filter without service filter'],
    [{ nodeFilter: '(' }, 'Invalid node filter: error parsing regexp: missing closing ): `(`'],
    [{ serviceFilter: '*' }, 'Invalid service filter: error parsing regexp: missing argument to repetition operator: `*`'],
    [{ serviceFilter: 'x', tagFilter: '[' }, 'Invalid tag filter: error parsing regexp: missing closing ]: `[`'],
    [{ payload: Buffer.alloc(600) }, 'user event exceeds configured limit of 512 bytes before encoding'],
  ]
  for (const [given, why] of wrong) t.deepEqual(send(given), { refused: 'conflict', why })
  t.deepEqual(names(), [])
})

test('the limit is what Consul packs, to a byte', (t) => {
  const event = (payloadBytes: number): UserEvent => ({
    ...fire({ payload: Buffer.alloc(payloadBytes) }),
    id: '0'.repeat(36),
    version: 1,
    lamportTime: 2,
  })
  const longest = Array.from({ length: 512 }, (_, bytes) => bytes).findLast((bytes) => sizeFault(event(bytes)) === undefined) ?? 0
  t.is(longest, 403)
  t.is(sizeFault(event(longest + 1)), 'encoded user event exceeds configured limit of 512 bytes after encoding')
})

test('what another member told is for this agent too, once, and its time counts', (t) => {
  const { a, feed, hear, send } = tried('n2')
  const event: UserEvent = { ...fire({ payload: Buffer.from('x') }), id: ID, version: 1, lamportTime: 7 }
  hear(toldOf(packEvent(event), 'n1'))
  hear()
  t.is(feed.values.at(-1)?.events.length, 1)
  t.like(feed.values.at(-1)?.events[0], { id: ID, name: 'deploy', lamportTime: 7, payload: Buffer.from('x') })
  send()
  t.is(feed.values.at(-1)?.events[1]?.lamportTime, 8)
  a.effects()
  hear(toldOf({ id: ID }))
  t.like(a.effects(), [{ did: 'print', level: 'warn', facts: { from: 'n2', error: 'name: must be a name' } }])
})

test('what is fired before it is known what was told earlier waits for that, and comes after it', (t) => {
  const a = tryActor(events, { args: undefined, node: 'n1' })
  const fired = a.call('fire', fire({ name: 'restart' }))
  t.deepEqual(
    a.pending().filter(({ did }) => did === 'call'),
    [],
  )
  const before: UserEvent = { ...fire(), id: ID, version: 1, lamportTime: 7 }
  a.value('told', [toldOf(packEvent(before), 'n1')], 1)
  a.answer('tell', { lamportTime: 2 })
  t.false(isRefused(fired.result))
  const feed = a.subscribe('recent', { name: '', token: '' })
  t.deepEqual(
    feed.values.at(-1)?.events.map(({ name, lamportTime }) => [name, lamportTime]),
    [
      ['deploy', 7],
      ['restart', 8],
    ],
  )
})

test('a job that was asked for before this actor began anew is not run again', (t) => {
  const a = tryActor(events, { args: undefined })
  const job = { ...fire({ name: '_rexec', payload: Buffer.from('{}') }), id: ID, version: 1, lamportTime: 2 }
  const first = toldOf(packEvent(job))
  a.value('told', [first])
  t.deepEqual(
    a.effects().filter(({ did }) => did === 'cast'),
    [],
  )
  const second = toldOf(packEvent({ ...job, id: '69750493-0000-4000-8000-000000000002' }))
  a.value('told', [first, second])
  t.is(a.effects().filter(({ did }) => did === 'cast').length, 1)
})

test('who fired an event sees it at once, whenever the members are heard to be told of it, and once', (t) => {
  const { a, hear, names, feed } = tried()
  const fired = ['first', 'second'].map((name) => a.call('fire', fire({ name })))
  const bodies = a.effects().flatMap((one) => (one.did === 'call' && one.name === 'tell' ? [one.request as { body: object }] : []))
  a.answer('tell', { lamportTime: 1 })
  t.false(isRefused(fired[0]?.result ?? { refused: 'late', why: '' }))
  t.deepEqual(names(), ['first'])
  hear(...bodies.map(({ body }) => toldOf(body, 'n1')))
  t.deepEqual(names(), ['first', 'second'])
  a.answer('tell', { lamportTime: 2 })
  t.is(fired[1]?.result && !isRefused(fired[1].result) && fired[1].result.id, feed.values.at(-1)?.events[1]?.id)
  t.deepEqual(names(), ['first', 'second'])
})

test('an event that members tell of again, because they forgot that they did, is the same event', (t) => {
  const { hear, names } = tried()
  const body = packEvent({ ...fire(), id: ID, version: 1, lamportTime: 7 })
  hear(toldOf(body))
  hear(toldOf(body))
  t.deepEqual(names(), ['deploy'])
})

test('whoever fires hears when the members cannot be told', (t) => {
  const { a, names } = tried()
  const fired = a.call('fire', fire())
  a.answer('tell', { refused: 'gone', why: 'membership is being built anew' })
  t.like(fired.result, { refused: 'gone' })
  t.deepEqual(names(), [])
})

test('every event that is short enough for Consul travels, whatever is in it', (t) => {
  const text = fc.string({ maxLength: 300, unit: 'binary' })
  const arbitrary = fc.record({
    name: fc.string({ minLength: 1, maxLength: 200, unit: 'binary' }),
    payload: fc.uint8Array({ maxLength: 420 }),
    nodeFilter: text,
    serviceFilter: text,
    tagFilter: text,
  })
  fc.assert(
    fc.property(arbitrary, (given) => {
      const event: UserEvent = { ...given, id: ID, version: 1, lamportTime: 2 }
      fc.pre(sizeFault(event) === undefined)
      t.deepEqual(readEvent(packEvent(event)), event)
      return weightOf(packEvent(event)) <= BODY_BYTES_MAX
    }),
  )
})
