import test from 'ava'
import type { Refused } from '../../actors/decisions/protocol.ts'
import type { ProxyArgs } from '../../actors/proxy/protocol.ts'
import { ARGS, doing, from, instance, rule, tryProxy, WEB } from '../kit/proxy.ts'

const CACHE = { service: 'cache', address: '127.0.0.1', port: 9_191, connectWithinMs: 5_000 }
const GEO = { service: 'geo', address: '127.0.0.1', port: 9_192, connectWithinMs: 5_000 }
const INBOUND = ARGS.inbound!
const dialled = (connection: number, listener = 1) => ({ did: 'accepted', listener, connection, from: '127.0.0.1:4000' }) as const
const ended = (connection: number) => ({ did: 'closed', connection, why: '', receivedBytes: 0, sentBytes: 0, openMs: 1 }) as const

test('new settings are taken over in place: what listens stays, what is gone closes, what is new opens', (t) => {
  const { a, ready, accept, event, mesh } = tryProxy()
  ready()
  accept(7)
  a.value('instances/cache', [instance('1')])
  event('upstream', dialled(8))
  event('upstream', { did: 'connected', connection: 8 })
  mesh()
  const next: ProxyArgs = { ...ARGS, inbound: { ...INBOUND, connectionsMax: 5, perSecondMax: 9, handshakeMs: 50 }, upstreams: [CACHE, GEO] }
  t.true(a.startAgain(next))
  t.deepEqual(mesh(), [
    { do: 'limit', listener: 2, handshakeMs: 50, connectionsMax: 5, perSecondMax: 9 },
    { do: 'listen', owner: 'db-1', side: 'upstream', address: '127.0.0.1', port: 9_192, handshakeMs: 10_000, connectionsMax: 0 },
  ])
  t.true(a.subscriptions().includes('instances/geo'))
  a.outcome('mesh', { listener: 3, port: 9_192 })
  t.true(a.startAgain({ ...next, upstreams: [GEO] }))
  t.deepEqual(mesh(), [
    { do: 'unlisten', listener: 1 },
    { do: 'close', connection: 8, why: 'the upstream was removed' },
  ])
  t.false(a.subscriptions().includes('instances/cache'))
  t.true(a.startAgain({ ...next, upstreams: [GEO], inbound: { ...INBOUND, port: 20_001 } }))
  const moved = mesh()
  t.deepEqual(moved[0], { do: 'unlisten', listener: 2 })
  t.like(moved[1], { do: 'listen', side: 'public', port: 20_001 })
  t.is(a.subscribe('status', null).values[0]?.inboundOpen, 1, 'who was connected still is')
})

test('another service behind the same port leaves the listener, and the old connections for a while', (t) => {
  const { a, ready, event, mesh } = tryProxy({ drainMs: 3_000 })
  ready()
  a.value('instances/cache', [instance('1')])
  event('upstream', dialled(8))
  event('upstream', { did: 'connected', connection: 8 })
  mesh()
  t.true(a.startAgain({ ...ARGS, drainMs: 3_000, upstreams: [{ ...CACHE, service: 'geo' }] }))
  t.deepEqual(mesh(), [])
  a.value('instances/geo', [{ ...instance('4'), service: 'geo' }])
  event('upstream', dialled(9))
  t.like(mesh()[0], { do: 'connect', connection: 9, host: '10.0.0.4', identity: 'spiffe://td.consul/ns/default/dc/dc1/svc/geo' })
  t.like(a.subscribe('status', null).values[0]?.upstreams[0], { service: 'geo', open: 1, phase: 'listening' })
  a.wait(3_000)
  t.deepEqual(mesh(), [{ do: 'close', connection: 8, why: 'the upstream is geo now' }])
})

test('a port that comes back while it is being closed or opened ends up open once', (t) => {
  const { a, mesh } = tryProxy()
  t.true(a.startAgain({ ...ARGS, upstreams: [] }))
  t.true(a.startAgain(ARGS))
  mesh()
  a.outcome('mesh', { listener: 1, port: 9_191 }, from('upstream'))
  a.outcome('mesh', { listener: 2, port: 9_191 }, from('upstream'))
  t.deepEqual(mesh(), [{ do: 'unlisten', listener: 1 }], 'the one that was asked for by the upstream that is gone')
})

test('told to end, it waits for its connections as long as it may; a deny closes them at once', (t) => {
  const { a, ready, accept, event, mesh } = tryProxy({ drainMs: 20_000 })
  ready()
  accept(7)
  accept(8, { ...WEB, uri: WEB.uri.replace('/web', '/api') })
  accept(9, { ...WEB, uri: WEB.uri.replace('/web', '/api') })
  mesh()
  const end = a.call('shutDown', null)
  t.deepEqual(mesh(), [
    { do: 'unlisten', listener: 2 },
    { do: 'unlisten', listener: 1 },
  ])
  event('public', ended(8))
  a.value('intentions', { list: [rule('web', 'deny')], defaultAllow: true }, 6)
  t.deepEqual(
    mesh().map((request) => request.do),
    ['close'],
  )
  event('public', ended(7))
  t.deepEqual(mesh(), [])
  a.wait(20_000)
  t.deepEqual(mesh().at(-1), { do: 'forget', owner: 'db-1' })
  a.outcome('mesh', {}, doing('forget'))
  t.is(end.result, null)
})

test('its last connection ends it before its time is over', (t) => {
  const { a, ready, accept, event, mesh } = tryProxy({ drainMs: 20_000 })
  ready()
  accept(7)
  const end = a.call('shutDown', null)
  mesh()
  event('public', ended(7))
  t.deepEqual(mesh(), [{ do: 'forget', owner: 'db-1' }])
  a.outcome('mesh', {}, doing('forget'))
  t.is(end.result, null)
})

test('started again while it waits for its connections, it goes on', (t) => {
  const { a, ready, accept, event, mesh } = tryProxy({ drainMs: 20_000 })
  ready()
  accept(7)
  const end = a.call('shutDown', null)
  mesh()
  t.true(a.startAgain({ ...ARGS, drainMs: 20_000 }))
  t.like(end.result, { refused: 'conflict' })
  t.deepEqual(
    mesh().map((request) => request.do),
    ['listen', 'listen'],
  )
  event('public', ended(7))
  a.wait(30_000)
  t.deepEqual(mesh(), [])
})

test('an upstream of a prepared query goes to whom the query names, and says when there is no such query', (t) => {
  const { a, ready, event, mesh } = tryProxy({ upstreams: [{ ...CACHE, service: 'near', query: true }] })
  t.like(
    a.effects().find((effect) => effect.did === 'subscribe' && effect.feed === 'query'),
    { to: 'feeds', request: { query: 'near' } },
  )
  ready()
  a.value('query/near', { instances: [], why: 'there is no prepared query "near"' })
  event('upstream', dialled(7))
  t.deepEqual(mesh(), [{ do: 'close', connection: 7, why: 'there is no prepared query "near"' }])
  a.value('query/near', { instances: [instance('5')], why: '' })
  event('upstream', dialled(8))
  t.like(mesh()[0], { do: 'connect', host: '10.0.0.5', identity: 'spiffe://td.consul/ns/default/dc/dc1/svc/cache' })
  event('upstream', { did: 'connected', connection: 8, tookMs: 3 })
  t.like(a.subscribe('status', null).values[0], {
    upstreams: [{ service: 'near', query: true, instances: 1 }],
    refusals: [{ side: 'outbound', kind: 'no-instance', count: 1 }],
  })
  t.deepEqual(a.measured.get('proxy.db-1.upstream.connect_time;src=db;dst=prepared_query:near'), [3])
})

test('an upstream on a path listens there', (t) => {
  const { mesh } = tryProxy({ upstreams: [{ ...CACHE, address: '', port: 0, socketPath: '/run/cache.sock', socketMode: 0o660 }] })
  t.like(mesh()[1], { do: 'listen', side: 'upstream', socketPath: '/run/cache.sock', socketMode: 0o660 })
})

test('above its limit an upstream takes no more connections, and says so loudly once in a while', (t) => {
  const { a, ready, event, mesh } = tryProxy({ upstreams: [{ ...CACHE, connectionsMax: 1 }], recorded: true })
  ready()
  a.value('instances/cache', [instance('1')])
  event('upstream', dialled(7))
  mesh()
  const levels = [8, 9].map((connection) => {
    event('upstream', dialled(connection))
    const effects = a.effects()
    t.deepEqual(effects.at(-1), {
      did: 'act',
      device: 'mesh',
      request: { do: 'close', connection, why: 'too many connections: 1 are open, which is the limit' },
    })
    t.like(effects.flatMap((effect) => (effect.did === 'cast' ? [effect.request as Refused] : []))[0], { side: 'outbound', kind: 'limit' })
    event('upstream', ended(connection))
    return effects.flatMap((effect) => (effect.did === 'print' ? [effect.level] : []))
  })
  t.deepEqual(levels, [['error'], ['debug']])
  event('upstream', ended(7))
  event('upstream', dialled(10))
  t.like(mesh()[0], { do: 'connect', connection: 10 })
  t.is(a.counters.get('proxy.db-1.upstream.refused;src=db;dst=cache;reason=limit'), 2)
})

test('who comes when there are too many is counted and recorded as such', (t) => {
  const { a, ready, event } = tryProxy({ inbound: { ...INBOUND, connectionsMax: 1, perSecondMax: 3 }, recorded: true })
  ready()
  const why = 'too many connections: 1 are open, which is the limit'
  for (let time = 0; time < 3; time++) event('public', { did: 'handshake-failed', listener: 2, from: '10.0.0.7:1', why })
  const effects = a.effects()
  t.deepEqual(
    effects.flatMap((effect) => (effect.did === 'print' ? [`${effect.level} ${effect.line}`] : [])),
    ['warn Refused a connection', 'debug Refused a connection', 'debug Refused a connection'],
  )
  t.like(a.subscribe('status', null).values[0], { refusedConnections: 3, refusals: [{ side: 'inbound', kind: 'limit', count: 3 }] })
})

test('an instance that cannot be reached is left out, longer each time, unless it is the last one', (t) => {
  const ejection = { failuresMax: 2, intervalMs: 10_000 }
  const { a, ready, event, mesh } = tryProxy({ upstreams: [{ ...CACHE, ejection }] })
  ready()
  a.value('instances/cache', [instance('1'), instance('2')])
  let connection = 10
  /** Instances that are tried for one connection, until one can be reached that is not `bad`. */
  const tries = (bad: string[]): string[] => {
    event('upstream', dialled(++connection))
    const hosts: string[] = []
    for (let request = mesh()[0]; request?.do === 'connect'; request = mesh()[0]) {
      hosts.push(request.host)
      if (bad.includes(request.host)) event('upstream', { did: 'dial-failed', connection, why: 'refused' })
      else event('upstream', { did: 'connected', connection })
    }
    return hosts
  }
  const many = (bad: string[]) => new Set(Array.from({ length: 40 }, () => tries(bad)).flat())
  t.true(many(['10.0.0.1']).has('10.0.0.1'))
  t.deepEqual([...many(['10.0.0.1'])], ['10.0.0.2'], 'it is left out')
  t.deepEqual(a.subscribe('status', null).values[0]?.upstreams[0]?.ejected, ['n1 1 10.0.0.1 21000'])
  t.deepEqual(new Set(tries(['10.0.0.2', '10.0.0.1'])), new Set(['10.0.0.2', '10.0.0.1']), 'it is tried when nobody else is left')
  a.wait(30_000)
  t.true(many(['10.0.0.1']).has('10.0.0.1'))
  a.wait(30_000)
  t.deepEqual([...many(['10.0.0.1'])], ['10.0.0.2'], 'twice as long the second time')
  a.wait(30_000)
  t.true(many([]).has('10.0.0.1'), 'it is back')
  a.value('instances/cache', [instance('2')])
  t.deepEqual(a.subscribe('status', null).values[0]?.upstreams[0]?.ejected, [])
})

test('failures that are far apart, or with a success between them, leave nobody out', (t) => {
  const { a, ready, event, mesh } = tryProxy({ upstreams: [{ ...CACHE, ejection: { failuresMax: 2, intervalMs: 1_000 } }] })
  ready()
  a.value('instances/cache', [instance('1')])
  const dial = (connection: number, fails: boolean) => {
    event('upstream', dialled(connection))
    event('upstream', fails ? { did: 'dial-failed', connection, why: 'refused' } : { did: 'connected', connection })
    mesh()
  }
  const out = () => a.subscribe('status', null).values[0]?.upstreams[0]?.ejected
  dial(1, true)
  a.wait(1_001)
  dial(2, true)
  t.deepEqual(out(), [])
  dial(3, false)
  dial(4, true)
  t.deepEqual(out(), [])
  dial(5, true)
  t.is(out()?.length, 1)
})

test('the application hears who connects, if it is to', (t) => {
  const { ready, accept, mesh } = tryProxy({ inbound: { ...INBOUND, sendProxy: 'v2' } })
  ready()
  accept(7)
  const [request] = mesh()
  const greeting = request?.do === 'connect' ? Buffer.from(request.greeting ?? []) : Buffer.alloc(0)
  t.is(greeting.subarray(0, 12).toString('hex'), '0d0a0d0a000d0a515549540a')
  t.true(greeting.toString('latin1').endsWith(WEB.uri))
})

test('what connections carry is counted while they are open, and nothing twice', (t) => {
  const { a, ready, accept, event, mesh } = tryProxy()
  ready()
  t.deepEqual(a.timers(), [])
  accept(7)
  mesh()
  a.wait(10_000)
  t.deepEqual(mesh(), [{ do: 'traffic', owner: 'db-1' }])
  a.outcome('mesh', { traffic: [{ connection: 7, receivedBytes: 5, sentBytes: 50 }] }, doing('traffic'))
  const counted = (what: string) => a.counters.get(`proxy.db-1.inbound.${what};src=web;dst=db`)
  t.deepEqual([counted('rx_bytes'), counted('tx_bytes')], [5, 50])
  event('public', { ...ended(7), receivedBytes: 6, sentBytes: 70 })
  t.deepEqual([counted('rx_bytes'), counted('tx_bytes')], [6, 70])
  a.wait(10_000)
  t.deepEqual(
    mesh().filter(({ do: what }) => what === 'traffic'),
    [],
    'nobody is asked about nothing',
  )
  t.false(a.timers().includes('measure'))
  t.like(a.subscribe('status', null).values[0]?.pairs[0], { service: 'web', receivedBytes: 6, sentBytes: 70, open: 0 })
})

test('how long handshakes took is a sample', (t) => {
  const { a, ready, event } = tryProxy()
  ready()
  event('public', { did: 'accepted', listener: 2, connection: 7, from: '10.0.0.7:4000', peer: WEB, handshakeMs: 4 })
  t.deepEqual(a.measured.get('proxy.db-1.inbound.handshake_time;src=web;dst=db'), [4])
})
