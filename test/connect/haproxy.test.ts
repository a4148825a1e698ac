import test from 'ava'
import fc from 'fast-check'
import type { ConnectInstance } from '../../actors/feeds/protocol.ts'
import { decide } from '../../actors/intentions/decide.ts'
import { accessKey, accessOf, mapText, verdictOf } from '../../src/connect-haproxy/access.ts'
import { configurationOf, frontendsOf, planFault, type Slot, weightOf } from '../../src/connect-haproxy/configuration.ts'
import { admittedIn, sessionsIn } from '../../src/connect-haproxy/control.ts'
import { placed, slotCommands } from '../../src/connect-haproxy/slots.ts'
import type { ProxyPlan } from '../../src/connect-proxy/translate.ts'
import { refused } from '../kit/asking.ts'

const PATHS = {
  lua: '/d/mesh.lua',
  leaf: '/d/leaf.pem',
  roots: '/d/roots.pem',
  access: '/d/access.map',
  control: '/d/c.sock',
  alive: '/d/a.sock',
}
const IDENTITY = { trustDomain: 'td.consul', datacenter: 'dc1' }
const inbound = {
  address: '0.0.0.0',
  port: 21_000,
  handshakeMs: 10_000,
  localHost: '127.0.0.1',
  localPort: 8_080,
  localSocketPath: '',
  connectWithinMs: 1_000,
}
const upstream = { service: 'db', address: '127.0.0.1', port: 9_191, connectWithinMs: 5_000 }
const plan: ProxyPlan = { service: 'web', inbound, upstreams: [upstream] }
const instance = (port: number, more: Partial<ConnectInstance> = {}): ConnectInstance => ({
  node: 'n1',
  id: `db-${port}`,
  address: '10.0.0.1',
  port,
  service: 'db',
  datacenter: 'dc1',
  weight: 1,
  ...more,
})

function lines(given: Partial<ProxyPlan>, slots: Slot[][] = [[]]): string[] {
  const text = configurationOf({ plan: { ...plan, ...given }, identity: IDENTITY, paths: PATHS, slots })
  return text.split('\n').map((line) => line.trim())
}

test('the public side asks for a certificate, judges it and gives nothing to anybody else', (t) => {
  const found = lines({})
  const admitted = found.indexOf('tcp-request content lua.mesh_admit')
  t.true(admitted > 0)
  t.is(found[admitted + 1], 'tcp-request content reject unless { var(sess.mesh_verdict) -m str allow }')
  t.true(found.includes('bind 0.0.0.0:21000 ssl crt /d/leaf.pem ca-file /d/roots.pem verify required'))
  t.true(found.includes('ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets'), 'no handshake outlives a certificate')
  t.true(found.includes('tune.ssl.cachesize 0'))
  t.true(found.includes('server application 127.0.0.1:8080'))
})

test('an upstream lets nothing through before it knows the server', (t) => {
  const found = lines({}, [
    [
      { name: 's1', instance: instance(1, { address: 'fe80::1', weight: 300 }) },
      { name: 's2', instance: undefined },
    ],
  ])
  t.true(found.includes('filter lua.mesh_identity spiffe://td.consul/ns/default/dc/dc1/svc/db'))
  const tls = 'ssl crt /d/leaf.pem ca-file /d/roots.pem verify required no-ssl-reuse'
  t.true(found.includes(`server s1 [fe80::1]:1 ${tls} weight 256`))
  t.true(found.includes(`server s2 127.0.0.1:1 ${tls} disabled`))
  t.deepEqual(frontendsOf(plan), ['public', 'upstream_1'])
  t.deepEqual(frontendsOf({ ...plan, inbound: null }), ['upstream_1'])
})

test('limits, sockets and the PROXY protocol are what HAProxy calls them', (t) => {
  const found = lines({
    inbound: { ...inbound, address: '::', localSocketPath: '/run/app.sock', connectionsMax: 5, perSecondMax: 7, sendProxy: 'v2' },
    upstreams: [{ ...upstream, socketPath: '/run/db.sock', socketMode: 0o660, connectionsMax: 3 }],
  })
  for (const line of [
    'bind [::]:21000 ssl crt /d/leaf.pem ca-file /d/roots.pem verify required',
    'tcp-request connection reject if { fe_conn gt 5 }',
    'tcp-request connection reject if { fe_sess_rate gt 7 }',
    'server application unix@/run/app.sock send-proxy-v2',
    'bind unix@/run/db.sock mode 660',
    'tcp-request connection reject if { fe_conn gt 3 }',
  ]) {
    t.true(found.includes(line), line)
  }
})

test('names of services do not become configuration', (t) => {
  const service = 'db\n  bind :1\n#'
  const found = lines({ service, upstreams: [{ ...upstream, service }] })
  t.false(found.some((line) => line.startsWith('bind :1')))
  t.is(found.filter((line) => line.startsWith('bind ')).length, 2)
})

test('what HAProxy cannot do is refused by its name', (t) => {
  const why = (given: Partial<ProxyPlan>) => refused(planFault({ ...plan, ...given })).why
  t.is(planFault(plan), undefined)
  t.regex(why({ upstreams: [{ ...upstream, query: true }] }), /^Proxy\.Upstreams\[0\]\.DestinationType: /)
  t.regex(
    why({ upstreams: [upstream, { ...upstream, ejection: { intervalMs: 1, failuresMax: 1 } }] }),
    /^Proxy\.Upstreams\[1\]\.Config\.passive_health_check: /,
  )
  t.regex(why({ upstreams: [{ ...upstream, socketPath: '/a b' }] }), /^Proxy\.Upstreams\[0\]\.LocalBindSocketPath: /)
  t.regex(why({ inbound: { ...inbound, localSocketPath: '/a\nb' } }), /^Proxy\.LocalServiceSocketPath: /)
  t.regex(why({ inbound: { ...inbound, localHost: 'a b' } }), /^Address: /)
  t.regex(why({ drainMs: 5 }), /^Proxy\.Config\.drain_ms: /)
})

test('the map says what the intentions say, for every name', (t) => {
  const name = fc.constantFrom('a', 'b', 'c', '*')
  const rule = fc.record({
    source: name,
    destination: fc.constantFrom('web', '*'),
    action: fc.constantFrom('allow' as const, 'deny' as const),
  })
  const rules = fc.uniqueArray(rule, { selector: ({ source, destination }) => `${source} ${destination}` })
  const property = fc.property(rules, fc.boolean(), fc.constantFrom('a', 'b', 'c', 'd'), (given, defaultAllow, source) => {
    const list = given.map((one) => ({ id: '', ...one }))
    const access = accessOf({ list, defaultAllow }, 'web')
    t.is(verdictOf(access, accessKey(source)) === 'allow', decide(list, source, 'web', defaultAllow).allowed)
  })
  t.notThrows(() => fc.assert(property))
})

test('keys of the map are one word, and no two names have the same', (t) => {
  t.is(accessKey('web-1.a_b'), '=web-1.a_b')
  t.is(accessKey('w€b %'), '=w%E2%82%ACb%20%25')
  t.is(
    mapText(
      new Map([
        ['*', 'deny'],
        [accessKey('a b'), 'allow'],
      ]),
    ),
    '* deny\n=a%20b allow\n',
  )
  const property = fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (one, other) => {
    t.regex(accessKey(one), /^=[\w.%-]*$/)
    t.is(accessKey(one) === accessKey(other), one === other)
  })
  t.notThrows(() => fc.assert(property))
})

test('instances keep their places, and there are more once they are needed', (t) => {
  const first = placed([], [instance(1), instance(2)])
  t.is(first.length, 8)
  const portsIn = (slots: Slot[]) => slots.map((slot) => slot.instance?.port)
  t.deepEqual(portsIn(first).slice(0, 3), [1, 2, undefined])
  const next = placed(first, [instance(3), instance(2)])
  t.deepEqual(portsIn(next).slice(0, 3), [3, 2, undefined])
  t.deepEqual(portsIn(placed(next, [])).filter(Boolean), [])
  const many = Array.from({ length: 9 }, (_, port) => instance(port + 1))
  t.is(placed(next, many).length, 18)
  t.deepEqual(
    portsIn(placed(next, many))
      .filter((port) => port !== undefined)
      .sort(),
    many.map(({ port }) => port),
  )
})

test('a place changes by as few commands as it takes', (t) => {
  const slot = (given?: ConnectInstance): Slot => ({ name: 's1', instance: given })
  const commands = (before: Slot | undefined, now: Slot) => slotCommands('upstream_1', before, now, weightOf)
  t.deepEqual(commands(slot(), slot(instance(1))), [
    'set server upstream_1/s1 addr 10.0.0.1 port 1',
    'set server upstream_1/s1 weight 1',
    'set server upstream_1/s1 state ready',
  ])
  t.deepEqual(commands(slot(instance(1)), slot(instance(1))), [])
  t.deepEqual(commands(slot(instance(1)), slot(instance(1, { weight: 5 }))), ['set server upstream_1/s1 weight 5'])
  t.deepEqual(commands(slot(instance(1)), slot(instance(2))), ['set server upstream_1/s1 addr 10.0.0.1 port 2'])
  t.deepEqual(commands(slot(instance(1)), slot()), ['set server upstream_1/s1 state maint'])
  t.deepEqual(commands(undefined, slot()), [])
})

test('answers of the runtime interface are read', (t) => {
  const text = `0x7f0: proto=? ts=00 epoch=0 age=42s
0x7f1: proto=tcpv4 src=127.0.0.1:41266 fe=public be=public srv=application ts=00 age=2s
0x7f2: proto=unix_stream src=unix:1 fe=GLOBAL be=<NONE> srv=<none>`
  t.deepEqual(sessionsIn(text), [
    { id: '0x7f1', from: '127.0.0.1:41266', frontend: 'public' },
    { id: '0x7f2', from: 'unix:1', frontend: 'GLOBAL' },
  ])
  t.deepEqual(
    [...admittedIn('127.0.0.1:1 =a\n127.0.0.1:2 =b\n')],
    [
      ['127.0.0.1:1', '=a'],
      ['127.0.0.1:2', '=b'],
    ],
  )
  t.deepEqual([...admittedIn('')], [])
})
