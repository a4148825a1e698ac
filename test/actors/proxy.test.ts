import test from 'ava'
import type { Refused } from '../../actors/decisions/protocol.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import { ARGS, BUNDLE, doing, from, instance, LEAF, rule, tryProxy, WEB } from '../kit/proxy.ts'

test('it drops what an earlier life left, and opens its public side only when it can judge', (t) => {
  const { a, mesh } = tryProxy()
  t.deepEqual(
    mesh().map((request) => request.do),
    ['forget', 'listen'],
  )
  a.value('leaf', LEAF, 10)
  t.deepEqual(mesh(), [])
  a.value('roots', BUNDLE)
  t.deepEqual(mesh(), [{ do: 'identify', owner: 'db-1', certPem: 'cert', keyPem: 'key', rootsPem: ['root'] }])
  a.outcome('mesh', {}, doing('identify'))
  t.deepEqual(mesh(), [])
  a.value('intentions', { list: [], defaultAllow: true }, 5)
  t.deepEqual(mesh(), [
    { do: 'listen', owner: 'db-1', side: 'public', address: '0.0.0.0', port: 20_000, handshakeMs: 10_000, connectionsMax: 0 },
  ])
})

test('started again with the same arguments it stays as it is, unless it is on its way out', (t) => {
  const { a, ready, mesh } = tryProxy()
  ready()
  t.true(a.startAgain(structuredClone(ARGS)))
  t.deepEqual(mesh(), [])
  t.false(a.startAgain({ ...ARGS, service: 'other' }))
  t.false(a.startAgain({ ...ARGS, inbound: null }))
  a.call('shutDown', null)
  t.false(a.startAgain(ARGS))
})

test('a supervised one that nobody asks for its state any more gives up its sockets', (t) => {
  const { a, ready, mesh } = tryProxy({ supervised: true })
  ready()
  const before = a.subscribe('status', null)
  a.leave(before as never)
  a.wait(59_000)
  const again = a.subscribe('status', null)
  a.wait(120_000)
  t.deepEqual(mesh(), [])
  a.leave(again as never)
  a.wait(60_000)
  t.deepEqual(mesh(), [{ do: 'forget', owner: 'db-1' }])
  t.false(a.startAgain({ ...ARGS, supervised: true }))
})

test('who is allowed is spliced to the application', (t) => {
  const { a, ready, accept, mesh } = tryProxy()
  ready([rule('web', 'allow')])
  accept(7)
  t.deepEqual(mesh(), [{ do: 'connect', connection: 7, host: '127.0.0.1', port: 5_432, withinMs: 1_000 }])
  t.like(a.subscribe('status', null).values[0], { phase: 'listening', inboundOpen: 1, accepted: 1, leafSerial: '0a', intentionIndex: 5 })
})

test('a refusal is one line that names source, destination, rule and serial number', (t) => {
  const { a, ready, accept } = tryProxy()
  ready([rule('web', 'deny')])
  accept(7)
  const why = 'default/web => default/db (Precedence: 9, Action: DENY)'
  t.deepEqual(a.effects(), [
    {
      did: 'print',
      level: 'warn',
      line: 'Refused a connection',
      facts: { source: 'web', destination: 'db', rule: why, serial: '0f', from: '10.0.0.7:4000' },
    },
    { did: 'act', device: 'mesh', request: { do: 'close', connection: 7, why } },
  ])
})

test('identities of another trust domain, and those of no service, are refused', (t) => {
  const { ready, accept, mesh } = tryProxy()
  ready()
  accept(7, { uri: 'spiffe://other.consul/ns/default/dc/dc1/svc/web', serial: '01' })
  accept(8, { uri: 'spiffe://td.consul/agent/client/dc/dc1/id/n1', serial: '01' })
  accept(9, { uri: 'https://example.org', serial: '01' })
  t.deepEqual(mesh(), [
    { do: 'close', connection: 7, why: 'Identity from an external trust domain: other.consul' },
    { do: 'close', connection: 8, why: 'its identity is not that of a service' },
    { do: 'close', connection: 9, why: 'its identity is not that of a service' },
  ])
})

test('when intentions change, what is no longer allowed is closed in the same turn, and nothing else', (t) => {
  const { a, ready, accept, event } = tryProxy()
  ready()
  const status = a.subscribe('status', null)
  accept(7)
  accept(8, { ...WEB, uri: WEB.uri.replace('/web', '/api') })
  a.effects()
  a.value('intentions', { list: [rule('web', 'deny')], defaultAllow: true }, 6)
  const closes = a.effects().filter(({ did }) => did === 'act')
  t.deepEqual(closes, [
    { did: 'act', device: 'mesh', request: { do: 'close', connection: 7, why: 'default/web => default/db (Precedence: 9, Action: DENY)' } },
  ])
  t.like(status.values.at(-1), { intentionIndex: 5, closedByIntentions: 1 })
  a.value('intentions', { list: [rule('web', 'deny')], defaultAllow: true }, 7)
  t.deepEqual(
    a.effects().filter(({ did }) => did === 'act'),
    [],
    'it is told to close once',
  )
  a.wait(12)
  event('public', { did: 'closed', connection: 7, why: '', receivedBytes: 10, sentBytes: 20, openMs: 5 })
  t.like(status.values.at(-1), { intentionIndex: 7, enforcedMs: 12, closedConnections: 1 }, 'in force once it is closed')
  a.wait(1_000)
  t.like(
    status.values.at(-1)?.pairs.find(({ service }) => service === 'web'),
    { accepted: 1, open: 0, receivedBytes: 10, sentBytes: 20 },
  )
  t.is(status.values.at(-1)?.inboundOpen, 1)
})

test('an application that cannot be reached ends the connection', (t) => {
  const { ready, accept, event, mesh } = tryProxy()
  ready()
  accept(7)
  mesh()
  event('public', { did: 'dial-failed', connection: 7, why: 'connection refused' })
  t.deepEqual(mesh(), [{ do: 'close', connection: 7, why: 'connection refused' }])
})

test('an upstream connection tries each healthy instance once, then it is closed with the last reason', (t) => {
  const { a, ready, event, mesh } = tryProxy()
  ready()
  a.value('instances/cache', [instance('1'), instance('2'), instance('3')])
  event('upstream', { did: 'accepted', listener: 1, connection: 7, from: '127.0.0.1:4000' })
  const hosts: string[] = []
  for (let attempt = 0; attempt < 3; attempt++) {
    const [request] = mesh()
    t.like(request, {
      do: 'connect',
      connection: 7,
      port: 21_000,
      identity: 'spiffe://td.consul/ns/default/dc/dc1/svc/cache',
      withinMs: 5_000,
    })
    hosts.push(request?.do === 'connect' ? request.host : '')
    event('upstream', { did: 'dial-failed', connection: 7, why: `refused ${attempt}` })
  }
  t.deepEqual([...hosts].sort(), ['10.0.0.1', '10.0.0.2', '10.0.0.3'])
  t.deepEqual(mesh(), [{ do: 'close', connection: 7, why: 'none of 3 instances could be reached, last: refused 2' }])
})

test('an upstream without a healthy instance is refused at once', (t) => {
  const { a, ready, event, mesh } = tryProxy()
  ready()
  a.value('instances/cache', [])
  event('upstream', { did: 'accepted', listener: 1, connection: 7, from: '127.0.0.1:4000' })
  t.deepEqual(mesh(), [{ do: 'close', connection: 7, why: 'it has no healthy instance' }])
})

test('a connection that comes before the certificate waits for it, but no longer than it takes to connect', (t) => {
  const { a, event, mesh } = tryProxy()
  a.outcome('mesh', { listener: 1, port: 9_191 }, from('upstream'))
  a.value('instances/cache', [instance('1')])
  mesh()
  event('upstream', { did: 'accepted', listener: 1, connection: 7, from: '127.0.0.1:4000' })
  t.deepEqual(mesh(), [])
  a.value('leaf', LEAF, 10)
  a.value('roots', BUNDLE)
  a.outcome('mesh', {}, doing('identify'))
  t.true(mesh().some((request) => request.do === 'connect' && request.connection === 7))

  const late = tryProxy()
  late.a.outcome('mesh', { listener: 1, port: 9_191 }, from('upstream'))
  late.event('upstream', { did: 'accepted', listener: 1, connection: 7, from: '127.0.0.1:4000' })
  late.mesh()
  late.a.wait(5_000)
  t.deepEqual(late.mesh(), [{ do: 'close', connection: 7, why: 'this sidecar has no certificate yet' }])
})

test('all healthy instances get their share', (t) => {
  const { a, ready, event, mesh } = tryProxy()
  ready()
  a.value('instances/cache', [instance('1'), instance('2'), instance('3'), instance('4')])
  const counts = new Map<string, number>()
  for (let connection = 1; connection <= 400; connection++) {
    event('upstream', { did: 'accepted', listener: 1, connection, from: '127.0.0.1:4000' })
    for (const request of mesh()) if (request.do === 'connect') counts.set(request.host, (counts.get(request.host) ?? 0) + 1)
  }
  t.is(counts.size, 4)
  for (const count of counts.values()) t.true(count > 60 && count < 140, `${count} of 400`)
})

test('a port in use is reported with its option and tried again', (t) => {
  const { a } = tryProxy()
  const status = a.subscribe('status', null)
  a.effects()
  const why = 'listen tcp 127.0.0.1:9191: bind: address already in use'
  a.outcome('mesh', refuse('conflict', why), from('upstream'))
  t.like(
    a.effects().find(({ did }) => did === 'print'),
    { level: 'error', line: 'Cannot listen', facts: { error: why, option: 'upstreams[0].local_bind_port' } },
  )
  t.like(status.values.at(-1)?.upstreams[0], { phase: 'failed', why })
  a.wait(500)
  a.outcome('mesh', { listener: 3, port: 9_191 }, from('upstream'))
  t.like(status.values.at(-1)?.upstreams[0], { phase: 'listening', why: '' })
})

test('a new leaf or root is put to use without touching what is open', (t) => {
  const { a, ready, accept, mesh } = tryProxy()
  ready()
  accept(7)
  mesh()
  a.value('leaf', { ...LEAF, serial: '0b', certPem: 'newer' }, 11)
  t.deepEqual(
    mesh().map((request) => request.do),
    ['identify'],
  )
  a.value('roots', { ...BUNDLE, rootsPem: ['root', 'newer root'] })
  t.deepEqual(
    mesh().map((request) => request.do),
    ['identify'],
  )
})

test('what is in force is told once it is: not what is still being put to use, nor what cannot be', (t) => {
  const { a, ready } = tryProxy()
  ready()
  const status = a.subscribe('status', null)
  const inForce = { leafSerial: '0a', leafKeyId: 'k', leafValidUntilMs: 9, bundle: ['r'], rootsIndex: 1 }
  t.like(status.values.at(-1), { ...inForce, leafRenewAtMs: 7, leafWhy: '' })
  a.value('leaf', { ...LEAF, renewAtMs: 8, renewalWhy: 'no authority' }, 11)
  t.like(status.values.at(-1), { ...inForce, leafRenewAtMs: 8, leafWhy: 'no authority' })
  t.deepEqual(a.acts('mesh').length, 0, 'the same certificate is not put to use twice')
  a.value('leaf', { ...LEAF, serial: '0b' }, 12)
  a.value('roots', { ...BUNDLE, rootIds: ['s', 'r'], rootsPem: ['root', 'newer root'] }, 2)
  a.outcome('mesh', refuse('invalid', 'the key does not fit'))
  t.like(status.values.at(-1), inForce)
  a.outcome('mesh', {})
  t.like(status.values.at(-1), { leafSerial: '0b', bundle: ['r', 's'], rootsIndex: 2 })
})

test('health checks that only look are not warned about, callers without a certificate are', (t) => {
  const { a, ready, event } = tryProxy()
  ready()
  const levelOf = (why: string) => {
    event('public', { did: 'handshake-failed', listener: 2, from: '127.0.0.1:1', why })
    return a.effects().flatMap((effect) => (effect.did === 'print' ? [effect.level] : []))
  }
  t.deepEqual(levelOf('the connection was closed during the TLS handshake'), ['debug'])
  t.deepEqual(levelOf('no client certificate was shown'), ['warn'])
})

test('told to end, it gives its sockets up and opens none again', (t) => {
  const { a, ready, accept, mesh } = tryProxy()
  ready()
  const end = a.call('shutDown', null)
  t.deepEqual(mesh(), [{ do: 'forget', owner: 'db-1' }])
  a.outcome('mesh', {}, doing('forget'))
  t.is(end.result, null)
  accept(7)
  a.value('leaf', LEAF, 11)
  t.deepEqual(mesh(), [])
})

test('each refused connection leaves a record, where they are kept; somebody who only looked leaves none', (t) => {
  const { a, ready, accept, event } = tryProxy({ recorded: true })
  ready([rule('web', 'deny')])
  accept(1)
  accept(2, { uri: 'spiffe://other.consul/ns/default/dc/dc1/svc/web', serial: '01' })
  accept(3, { uri: 'https://example.org', serial: '01' })
  const failed = (why: string) => event('public', { did: 'handshake-failed', listener: 2, from: '10.0.0.9:1', why, serial: '02' })
  failed('the connection was closed during the TLS handshake')
  failed('the certificate has expired')
  accept(4, { ...WEB, uri: WEB.uri.replace('web', 'api') })
  a.event('mesh', { did: 'dial-failed', connection: 4, why: 'dial tcp 127.0.0.1:5432: connect: connection refused' }, from('public'))
  a.value('instances/cache', [])
  event('upstream', { did: 'accepted', listener: 1, connection: 5, from: '127.0.0.1:1' })
  const told = a.effects().flatMap((effect) => (effect.did === 'cast' && effect.to === 'decisions' ? [effect.request as Refused] : []))
  t.deepEqual(
    told.map(({ side, kind, source, destination, serial, cause }) => [side, kind, source, destination, serial, cause]),
    [
      ['inbound', 'intention', 'web', 'db', '0f', 'default/web => default/db (Precedence: 9, Action: DENY)'],
      ['inbound', 'identity', 'web', 'db', '01', 'Identity from an external trust domain: other.consul'],
      ['inbound', 'identity', '', 'db', '01', 'its identity is not that of a service'],
      ['inbound', 'handshake', '', 'db', '02', 'the certificate has expired'],
      ['inbound', 'application', 'api', 'db', '0f', 'dial tcp 127.0.0.1:5432: connect: connection refused'],
      ['outbound', 'no-instance', 'db', 'cache', '0a', 'it has no healthy instance'],
    ],
  )
})
