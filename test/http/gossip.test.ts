import test from 'ava'
import type { Member, MembershipHealth, TraceEntry } from '../../actors/membership/protocol.ts'
import { placeOf } from '../../actors/membership/ring.ts'
import type { EdgeContext } from '../../src/http/context.ts'
import { asked, requested, run, settings } from '../kit/http.ts'

const member = (name: string, more: Partial<Member> = {}): Member => ({
  name,
  id: `00000000-0000-4000-8000-00000000000${name.slice(1)}`,
  peer: `p-${name}`,
  address: '10.0.0.1',
  port: 8301,
  tags: { role: 'consul' },
  incarnation: 7,
  status: 'alive',
  statusLtime: 1,
  isSelf: false,
  ...more,
})
const HEALTH: MembershipHealth = {
  score: 1,
  connections: 2,
  watched: ['n2'],
  rates: { messagesOut: 1.234, bytesOut: 100, messagesIn: 1, bytesIn: 90.06 },
  totals: { messagesOut: 12, bytesOut: 1_000, messagesIn: 10, bytesIn: 900 },
  spread: { rumours: 3, medianMs: 40, mostMs: 90, stepsMax: 4 },
}
const ENTRY: TraceEntry = {
  number: 3,
  atMs: Date.UTC(2026, 10, 23, 7),
  what: 'accused',
  member: 'n2',
  incarnation: 7,
  by: 'n3',
  via: ['n3', 'n4'],
  why: 'no answer',
}

test('with wan it is about the servers of all datacenters, of whom a client does not know', async (t) => {
  const [lan, wan] = [[member('n1')], [member('n1', { name: 'n1.dc1', isSelf: true }), member('n2', { name: 'n2.dc2' })]]
  const trace = { 'membership/traced': [], 'wan-membership/traced': [ENTRY] }
  const answers = { facts: { server: true }, 'membership/members': lan, 'wan-membership/members': wan, health: HEALTH, ...trace }
  const shown = (await run('GET', '/v1/tribune/gossip?wan', answers)) as { json: { Node: string; Members: { Name: string }[] } }
  t.is(shown.json.Node, 'n1.dc1')
  t.deepEqual(shown.json.Members.map(({ Name }) => Name).sort(), ['n1.dc1', 'n2.dc2'])
  t.like(await run('GET', '/v1/tribune/gossip/trace?wan', answers), { json: [{ Member: 'n2' }] })
  for (const path of ['gossip?wan', 'gossip/trace?wan']) {
    const text = 'wan: only servers know the servers of all datacenters'
    t.deepEqual(await run('GET', `/v1/tribune/${path}`, { ...answers, facts: { server: false } }), { status: 400, text })
  }
})

test('/v1/tribune/gossip shows the members in the order of the ring, and how gossip is here', async (t) => {
  const members = [member('n1', { isSelf: true }), member('n2', { status: 'suspect' }), member('n3')]
  const reply = await run('GET', '/v1/tribune/gossip', { members, health: HEALTH })
  const places = members.map(({ id }) => placeOf(id)).sort((a, b) => a - b)
  t.like(reply, {
    headers: { 'X-Consul-Index': '2' },
    json: {
      Node: 'n1',
      HealthScore: 1,
      Connections: 2,
      Rates: { MessagesOut: 1.2, BytesOut: 100, MessagesIn: 1, BytesIn: 90.1 },
      Totals: { MessagesOut: 12, BytesOut: 1_000, MessagesIn: 10, BytesIn: 900 },
      Spread: { Rumours: 3, MedianMs: 40, P99Ms: 90, StepsMax: 4 },
    },
  })
  const { json } = reply as { json: { Members: { Name: string; Place: number; Status: string; IsWatched: boolean; IsSelf: boolean }[] } }
  t.deepEqual(
    json.Members.map(({ Place }) => Place),
    places,
  )
  t.like(
    json.Members.find(({ Name }) => Name === 'n2'),
    { Status: 'suspect', IsWatched: true, IsSelf: false },
  )
})

test('/v1/tribune/gossip of an agent that does not gossip has no members and no figures', async (t) => {
  const health = { ...HEALTH, rates: undefined, totals: undefined, spread: undefined }
  t.like(await run('GET', '/v1/tribune/gossip', { members: [], health }), {
    json: { Members: [], Rates: null, Totals: null, Spread: null },
  })
})

test('whoever does not wait is answered at once, also where nothing was ever known', async (t) => {
  const { route, request } = requested('GET', '/v1/tribune/gossip')
  if (!('run' in route)) throw new Error('it runs')
  const awaited = (_to: unknown, _name: string, _request: unknown, wanted: (value: unknown, index: number) => boolean) =>
    Promise.resolve(wanted([], 0) ? { value: [], index: 0 } : undefined)
  const context = { settings, awaited, asked: () => Promise.resolve(HEALTH) } as unknown as EdgeContext
  t.like(await route.run(request, context), { headers: { 'X-Consul-Index': '1' }, json: { Members: [] } })
})

test('/v1/tribune/gossip and its trace wait for an index, and say what is wrong with one', async (t) => {
  for (const path of ['/v1/tribune/gossip', '/v1/tribune/gossip/trace']) {
    t.like(await run('GET', `${path}?index=2`, { health: HEALTH, members: [], traced: [] }), { status: 503 })
    t.like(await run('GET', `${path}?index=x`, {}), { status: 400, text: 'Invalid index' })
    t.like(await run('GET', `${path}?wait=x`, {}), { status: 400, text: 'Invalid wait time' })
  }
})

test('/v1/tribune/gossip/trace shows who said what of whom, and over whom it came', async (t) => {
  t.deepEqual(await run('GET', '/v1/tribune/gossip/trace?member=n2', { traced: [ENTRY] }), {
    headers: { 'X-Consul-Index': '2' },
    json: [
      {
        Number: 3,
        At: '2026-11-23T07:00:00Z',
        What: 'accused',
        Member: 'n2',
        Incarnation: 7,
        By: 'n3',
        Via: ['n3', 'n4'],
        Why: 'no answer',
      },
    ],
  })
})

test('PUT /v1/tribune/gossip/record asks for a recording and answers its lines', (t) => {
  t.like(asked('PUT', '/v1/tribune/gossip/record'), { name: 'record', request: { forMs: 60_000 }, withinMs: 75_000 })
  t.like(asked('PUT', '/v1/tribune/gossip/record?for=5s'), { name: 'record', request: { forMs: 5_000 } })
  t.like(asked('PUT', '/v1/tribune/gossip/record?for=10000h'), { request: { forMs: 36_000_000_000 }, withinMs: 615_000 })
  t.like(asked('PUT', '/v1/tribune/gossip/record?wan'), { to: { actor: 'wan-membership' }, name: 'record' })
  t.deepEqual(asked('PUT', '/v1/tribune/gossip/record?for=5'), { status: 400, text: 'for: time: missing unit in duration "5"' })
  const { route, request } = requested('PUT', '/v1/tribune/gossip/record')
  const answer = { lines: ['{"a":1}', '{"b":2}'], ended: 'time' }
  const reply = 'reply' in route ? route.reply(answer as never, request, settings) : undefined
  t.deepEqual(reply, { headers: { 'X-Tribune-Ended': 'time' }, text: '{"a":1}\n{"b":2}\n', type: 'application/x-ndjson' })
})
