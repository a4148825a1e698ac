import test from 'ava'
import { events } from '../../actors/events/index.ts'
import { type EventFire, eventIndex, type UserEvent } from '../../actors/events/protocol.ts'
import { sizeFault } from '../../actors/events/size.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { tryActor } from '../kit/try-actor.ts'

function fire(given: Partial<EventFire> = {}): EventFire & { token: string } {
  return { name: 'deploy', payload: Buffer.alloc(0), nodeFilter: '', serviceFilter: '', tagFilter: '', token: '', ...given }
}

function tried() {
  const a = tryActor(events, { args: undefined, node: 'n1' })
  const feed = a.subscribe('recent', { name: '', token: '' })
  return { a, feed, names: () => feed.values.at(-1)?.events.map(({ name }) => name) ?? [] }
}

test('an event reaches whoever follows, and whoever comes later', (t) => {
  const { a, feed, names } = tried()
  t.deepEqual(feed.values, [{ events: [], index: 1n }])
  const fired = a.call('fire', fire({ payload: Buffer.from('x') })).result
  if (!fired || isRefused(fired)) return t.fail()
  t.like(feed.values.at(-1)?.events, [{ id: fired.id, name: 'deploy', version: 1, lamportTime: 2 }])
  t.is(feed.values.at(-1)?.index, eventIndex([fired]))
  a.call('fire', fire({ name: 'other' }))
  t.deepEqual(names(), ['deploy', 'other'])
  t.is(feed.values.at(-1)?.events[1]?.lamportTime, 3)
  const one = a.subscribe('recent', { name: 'deploy', token: '' })
  t.is(one.values[0]?.events.length, 1)
  a.call('fire', fire({ name: 'other' }))
  t.is(one.values.length, 1, 'another name is not told')
  a.leave(feed as never)
  a.call('fire', fire())
  t.is(names().length, 3)
})

test('the index of the newest event is its id, both halves laid over each other', (t) => {
  t.is(eventIndex([{ id: '00000000-0000-0001-0000-000000000003' }]), 2n)
  t.is(eventIndex([{ id: 'ffffffff-ffff-ffff-0000-000000000000' }]), 2n ** 64n - 1n)
  t.is(eventIndex([]), 1n)
})

test('only the newest are kept', (t) => {
  const { a, names } = tried()
  for (let i = 0; i < 300; i++) a.call('fire', fire({ name: `e${i}` }))
  t.is(names().length, 256)
  t.is(names()[0], 'e44')
})

test('an event that is for other nodes is passed over, and one that asks to run a command is handed on', (t) => {
  const { a, names } = tried()
  a.call('fire', fire({ name: 'mine', nodeFilter: '^n[0-9]$' }))
  a.call('fire', fire({ name: 'theirs', nodeFilter: 'x' }))
  a.effects()
  const handedOn = () => a.effects().filter(({ did }) => did === 'cast') as { to: string; name: string; request: object }[]
  const payload = Buffer.from('{}')
  a.call('fire', fire({ name: '_rexec', payload }))
  t.like(handedOn(), [{ to: 'remote-exec', name: 'asked', request: { payload } }])
  a.call('fire', fire({ name: '_rexec', nodeFilter: 'x' }))
  a.call('fire', fire({ name: '_rexec', serviceFilter: 'web' }))
  a.answer('list', { services: [], checks: [] })
  t.deepEqual(handedOn(), [])
  t.deepEqual(names(), ['mine'])
})

test('a filter on services looks at ids and tags of what runs here', (t) => {
  const { a, names } = tried()
  const list = { services: [{ definition: { id: 'web-1', name: 'web', tags: ['v1'] }, origin: 'api' }], checks: [] }
  for (const [name, serviceFilter, tagFilter] of [
    ['id', '^web-', ''],
    ['tag', 'web', 'v.'],
    ['other tag', 'web', 'v2'],
    ['other id', '^web$', ''],
  ] as const) {
    a.call('fire', fire({ name, serviceFilter, tagFilter }))
    a.answer('list', list)
  }
  t.deepEqual(names(), ['id', 'tag'])
  a.call('fire', fire({ serviceFilter: 'web' }))
  a.wait(5_000)
  t.deepEqual(names(), ['id', 'tag'], 'nobody said what runs here')
})

test('what is wrong is refused in the words of Consul', (t) => {
  const { a, names } = tried()
  const wrong: [Partial<EventFire>, string][] = [
    [{ name: '' }, 'User event missing name'],
    [{ tagFilter: 'x' }, 'Cannot provide tag filter without service filter'],
    [{ nodeFilter: '(' }, 'Invalid node filter: error parsing regexp: missing closing ): `(`'],
    [{ serviceFilter: '*' }, 'Invalid service filter: error parsing regexp: missing argument to repetition operator: `*`'],
    [{ serviceFilter: 'x', tagFilter: '[' }, 'Invalid tag filter: error parsing regexp: missing closing ]: `[`'],
    [{ payload: Buffer.alloc(600) }, 'user event exceeds configured limit of 512 bytes before encoding'],
  ]
  for (const [given, why] of wrong) t.deepEqual(a.call('fire', fire(given)).result, { refused: 'conflict', why })
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
