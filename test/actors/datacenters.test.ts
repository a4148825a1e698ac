import test from 'ava'
import { datacenters } from '../../actors/datacenters/index.ts'
import type { LinksRequest } from '../../src/kernel/link-ports.ts'
import { isRefused, refuse } from '../../src/kernel/refusal.ts'
import { type Effect, tryActor } from '../kit/try-actor.ts'

const ARGS = { enabled: true, node: 'a1', datacenter: 'dc1', address: '10.0.0.1', port: 8302 }

/** A server by its name among all: `a1.dc1`. */
function server(name: string, more: object = {}) {
  const dc = name.slice(name.indexOf('.') + 1)
  const place = { id: name, peer: `p-${name}`, address: '10.0.0.9', port: 8302, incarnation: 1, statusLtime: 1 }
  return { name, ...place, tags: { role: 'consul', dc }, status: 'alive', isSelf: name === 'a1.dc1', ...more }
}

/** A member of this datacenter. */
function neighbour(name: string, tags: object = {}, more: object = {}) {
  return {
    ...server(`${name}.dc1`),
    name,
    tags: { role: 'consul', dc: 'dc1', wan_join_port: '8302', ...tags },
    isSelf: name === 'a1',
    ...more,
  }
}

function tried(args = ARGS) {
  const a = tryActor(datacenters, { args })
  const seen: Effect[] = []
  /** All that it has wished for. */
  const all = () => {
    seen.push(...a.effects())
    return seen
  }
  const links = () => all().flatMap((one) => (one.did === 'act' && one.device === 'links-wan' ? [one.request as LinksRequest] : []))
  return {
    ...a,
    all,
    links,
    know: (...members: object[]) => a.value('members', [server('a1.dc1'), ...members]),
    wanted: () => links().flatMap((request) => (request.do === 'use' ? [`${request.datacenter} ${request.node}`] : [])),
    settle: (result: object) => a.outcome('links-wan', result as never, ({ do: what }: LinksRequest) => what === 'use'),
    nobody: () => links().filter((request) => request.do === 'use-none'),
    joins: () => all().flatMap((effect) => (effect.did === 'call' && effect.name === 'join' ? [effect.request] : [])),
    shown() {
      const { result } = a.call('show', null)
      return result === undefined || isRefused(result) ? [] : result.datacenters
    },
  }
}

test('a server that does not take part in the gossip of all knows itself', (t) => {
  const a = tried({ ...ARGS, enabled: false })
  const own = { node: 'a1', name: 'a1.dc1', address: '10.0.0.1', port: 8302, status: 'alive' as const }
  t.deepEqual(a.shown(), [{ name: 'dc1', servers: [own] }])
  t.deepEqual(
    a.all().filter(({ did }) => did !== 'answer'),
    [],
  )
})

test('datacenters are known by their servers, also those of which none is there, until all have left', (t) => {
  const a = tried()
  const feed = a.subscribe('all', null)
  a.know(server('b1.dc2', { status: 'failed' }), server('c1.dc3', { status: 'left' }), server('x', { tags: { role: 'node' } }))
  t.deepEqual(
    a.shown().map(({ name, servers }) => [name, servers.map((one) => `${one.node} ${one.status}`)]),
    [
      ['dc1', ['a1 alive']],
      ['dc2', ['b1 failed']],
    ],
  )
  t.deepEqual(feed.values.at(-1), { datacenters: a.shown() })
  t.deepEqual(a.nobody(), [
    { do: 'use-none', datacenter: 'dc2', why: 'Remote DC has no server currently reachable' },
    { do: 'use-none', datacenter: 'dc3', why: '' },
  ])
  a.know(server('b1.dc2', { status: 'left' }))
  t.deepEqual(a.nobody().at(-1), { do: 'use-none', datacenter: 'dc2', why: '' })
})

test('links are for members that are there; one server of each other datacenter is used and kept', (t) => {
  const a = tried()
  a.know(server('a2.dc1'), server('b1.dc2'), server('c1.dc3'), server('c2.dc3', { status: 'failed' }))
  t.like(a.links()[0], { do: 'members', members: ['a2.dc1', 'b1.dc2', 'c1.dc3'].map((node) => ({ node, peer: `p-${node}` })) })
  t.deepEqual(a.wanted(), ['dc2 b1.dc2', 'dc3 c1.dc3'])
  a.settle({})
  a.settle({})
  a.know(server('a2.dc1'), server('b1.dc2', { status: 'suspect' }), server('b2.dc2'), server('c1.dc3'))
  t.is(a.wanted().length, 2)
})

test('a server that fails is followed by the next one; after all of them there is a pause, and the reason of the last one is said', (t) => {
  const a = tried()
  a.know(server('b1.dc2'), server('b2.dc2'))
  const [first = ''] = a.wanted()
  a.settle(refuse('gone', 'connection refused'))
  const [, second = ''] = a.wanted()
  t.not(first, second)
  a.settle(refuse('gone', 'i/o timeout'))
  t.deepEqual(a.nobody(), [{ do: 'use-none', datacenter: 'dc2', why: 'i/o timeout' }])
  t.is(a.wanted().length, 2)
  a.wait(500)
  t.is(a.wanted().length, 3)
  a.settle({})
  const used = a.wanted().at(-1)?.split(' ')[1] ?? ''
  const isMembers = ({ do: what }: LinksRequest) => what === 'members'
  a.event('links-wan', { did: 'lost', node: used, datacenter: 'dc2', why: 'reset' }, isMembers)
  t.is(a.wanted().length, 4)
  a.event('links-wan', { did: 'lost', node: used, datacenter: 'dc2', why: 'reset' }, isMembers)
  t.is(a.wanted().length, 4)
  a.know(server('b1.dc2', { status: 'failed' }), server('b2.dc2', { status: 'failed' }))
  a.settle({})
  t.deepEqual(a.nobody().at(-1), { do: 'use-none', datacenter: 'dc2', why: 'Remote DC has no server currently reachable' })
})

test('servers of this datacenter that are missing among all are joined, and again after longer and longer', (t) => {
  const a = tried()
  a.know(server('a2.dc1'))
  a.value('neighbours', [
    neighbour('a1'),
    neighbour('a2'),
    neighbour('a3'),
    neighbour('c1', { role: 'node' }),
    neighbour('a4', { wan_join_port: '0' }),
  ])
  const joins = a.joins()
  t.deepEqual(joins, [{ addresses: [{ host: '10.0.0.9', port: 8302 }] }])
  a.value('neighbours', [neighbour('a1'), neighbour('a2'), neighbour('a3')])
  t.is(a.joins().length, 1)
  a.answer('join', { joined: 0, failed: [] })
  t.is(a.joins().length, 1)
  a.wait(2_000)
  t.is(a.joins().length, 2)
  a.answer('join', refuse('busy', 'this agent does not listen yet'))
  a.wait(2_000)
  t.is(a.joins().length, 2)
  a.wait(2_000)
  t.is(a.joins().length, 3)
  a.answer('join', { joined: 1, failed: [] })
  a.know(server('a2.dc1'), server('a3.dc1'))
  a.wait(60_000)
  t.is(a.joins().length, 3)
})

test('where servers are is told with them', (t) => {
  const a = tried()
  a.know(server('b1.dc2'))
  a.wait(10_000)
  const coordinate = { vec: [1, 0, 0, 0, 0, 0, 0, 0], error: 1, adjustment: 0, height: 0.1 }
  a.answer('places', [{ name: 'b1.dc2', coordinate }])
  t.like(a.shown()[1], { name: 'dc2', servers: [{ node: 'b1', coordinate }] })
  t.false('coordinate' in (a.shown()[0]?.servers[0] ?? {}))
})
