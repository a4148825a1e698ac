import test from 'ava'
import { router } from '../../actors/router/index.ts'
import type { LinksRequest } from '../../src/kernel/link-ports.ts'
import { isRefused, refuse } from '../../src/kernel/refusal.ts'
import { tryActor } from '../kit/try-actor.ts'

function member(name: string, more: object = {}) {
  const tags = { role: name.startsWith('s') ? 'consul' : 'node', dc: 'dc1' }
  const place = { id: name, peer: `p-${name}`, address: '10.0.0.1', port: 8301, incarnation: 1, statusLtime: 1 }
  return { name, ...place, tags, status: 'alive', isSelf: name === 'c1', ...more }
}

function tried(server = false, seed = 1) {
  const a = tryActor(router, { args: { enabled: true, server, datacenter: 'dc1' }, seed })
  const links = () => a.acts('links') as LinksRequest[]
  return {
    ...a,
    links,
    know: (...members: object[]) => a.value('members', [member('c1'), ...members]),
    /** Whom it wants to use, each since it was asked last. */
    wanted: () => links().flatMap((request) => (request.do === 'use' ? [request.node] : [])),
    settle: (result: object) => a.outcome('links', result as never, ({ do: what }: LinksRequest) => what === 'use'),
    lose: (node: string) =>
      a.event('links', { did: 'lost', node, why: 'for the test' }, ({ do: what }: LinksRequest) => what === 'members'),
    used: () => {
      const { result } = a.call('show', null)
      return result === undefined || isRefused(result) ? undefined : result.used
    },
  }
}

test('links are for members that are there, on a server too, which uses no other one', (t) => {
  const a = tried(true)
  a.know(member('s1'), member('s2', { status: 'failed' }), member('c2', { status: 'suspect' }), member('c3', { status: 'left' }))
  t.deepEqual(a.links(), [
    {
      do: 'members',
      members: ['s1', 'c2'].map((node) => ({ node, peer: `p-${node}`, host: '10.0.0.1', port: 8301 })),
    },
  ])
  t.deepEqual(a.timers(), [])
})

test('a client uses one of the servers of its datacenter and keeps to it', (t) => {
  const a = tried()
  a.know(member('c2'), member('s9', { tags: { role: 'consul', dc: 'dc2' } }))
  t.deepEqual(a.wanted(), [])
  a.know(member('c2'), member('s1'))
  t.deepEqual(a.wanted(), ['s1'])
  t.is(a.used(), '')
  a.settle({})
  t.is(a.used(), 's1')
  a.know(member('c2'), member('s1'), member('s2'))
  a.know(member('c2'), member('s1', { status: 'suspect' }), member('s2'))
  t.deepEqual(a.wanted(), [])
})

test('one that cannot be used is followed by the next one; after all of them there is a pause that grows', (t) => {
  const a = tried()
  a.know(member('s1'), member('s2'))
  const first = a.wanted()
  a.settle(refuse('gone', 'no way'))
  const second = a.wanted()
  t.deepEqual([...first, ...second].sort(), ['s1', 's2'])
  a.settle(refuse('gone', 'no way'))
  for (const pauseMs of [500, 1_000, 2_000]) {
    a.know(member('s1'), member('s2'))
    a.wait(pauseMs - 1)
    t.deepEqual(a.wanted(), [])
    a.wait(1)
    t.is(a.wanted().length, 1)
    a.settle(refuse('gone', 'no way'))
    t.is(a.wanted().length, 1)
    a.settle(refuse('gone', 'no way'))
  }
  a.know(member('s1'), member('s2'), member('s3'))
  t.is(a.wanted().length, 1)
})

test('a server that is lost, or leaves, is followed by another one at once', (t) => {
  const a = tried()
  a.know(member('s1'), member('s2'))
  const [used = ''] = a.wanted()
  const other = used === 's1' ? 's2' : 's1'
  a.settle({})
  a.lose(other)
  t.deepEqual(a.wanted(), [])
  a.lose(used)
  t.is(a.used(), '')
  t.deepEqual(a.wanted(), [other])
  a.settle({})
  a.know(member(used), member(other, { status: 'leaving' }))
  t.deepEqual(a.wanted(), [used])
  t.is(a.used(), other)
  a.settle({})
  t.is(a.used(), used)
})

test('servers that came later get their share, after two to three minutes', (t) => {
  const moves = (seed: number, ...more: object[]) => {
    const a = tried(false, seed)
    a.know(member('s1'), ...more)
    a.settle({})
    a.know(member('s1'), member('s2'), member('s3'), ...more)
    a.wanted()
    a.wait(119_000)
    t.deepEqual(a.wanted(), [])
    a.wait(61_000)
    return a.wanted().length
  }
  const counts = Array.from({ length: 20 }, (_, seed) => moves(seed))
  t.deepEqual([...new Set(counts)].sort(), [0, 1])
  const a = tried()
  a.know(member('s1'))
  a.settle({})
  a.wait(600_000)
  t.deepEqual(a.wanted(), [], 'nothing has changed')
})

test('followers hear of each change of the server; refused links are told', (t) => {
  const a = tried()
  const feed = a.subscribe('used', null)
  a.know(member('s1'))
  a.settle({})
  a.lose('s1')
  t.deepEqual(
    feed.values.map(({ used }) => used),
    ['', 's1', ''],
  )
  a.event('links', { did: 'refused', who: 'p-x', why: 'it is no member', times: 2 }, ({ do: what }: LinksRequest) => what === 'members')
  t.true(a.effects().some((effect) => effect.did === 'print' && effect.line === 'A link was refused'))
  a.leave(feed as never)
  a.settle({})
  t.is(feed.values.length, 3)
})
