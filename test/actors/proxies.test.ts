import test from 'ava'
import fc from 'fast-check'
import type { ManagedProxyConfig, ManagedProxyDefinition, ServiceDefinition } from '../../actors/definitions.ts'
import { feedsRef } from '../../actors/feeds/protocol.ts'
import { leafRef } from '../../actors/leaf/protocol.ts'
import { proxies } from '../../actors/proxies/index.ts'
import { planOf } from '../../actors/proxies/plan.ts'
import { assignPort } from '../../actors/proxies/ports.ts'
import type { ProxyArgs, ProxyStatus } from '../../actors/proxy/protocol.ts'
import { isRefused, refuse } from '../../src/kernel/refusal.ts'
import { granted, refused } from '../kit/asking.ts'
import { proxySettings } from '../kit/proxies.ts'
import { tryActor } from '../kit/try-actor.ts'

const SETTINGS = proxySettings()

function definition(name: string, config: Partial<ManagedProxyConfig> = {}, more: Partial<ManagedProxyDefinition> = {}): ServiceDefinition {
  return {
    id: `${name}-1`,
    name,
    kind: '',
    tags: [],
    address: '',
    taggedAddresses: {},
    meta: {},
    port: 8_080,
    socketPath: '',
    enableTagOverride: false,
    weights: { passing: 1, warning: 1 },
    token: '',
    checks: [],
    connect: { native: false, proxy: { execMode: 'daemon', command: [], config: { upstreams: [], opaque: {}, ...config }, ...more } },
  }
}

const upstream = (fields: object): ManagedProxyConfig['upstreams'][number] => ({
  destinationType: 'service',
  destinationName: 'db',
  destinationNamespace: '',
  datacenter: '',
  localBindAddress: '',
  localBindPort: 9_191,
  localBindSocketPath: '',
  localBindSocketMode: '',
  config: {},
  meshGateway: { mode: '' },
  ...fields,
})

function statusOf(port: number, more: Partial<ProxyStatus> = {}): ProxyStatus {
  return {
    phase: 'listening',
    why: '',
    refused: '',
    address: '0.0.0.0',
    port,
    upstreams: [],
    inboundOpen: 0,
    accepted: 0,
    refusedConnections: 0,
    closedByIntentions: 0,
    refusals: [],
    pairs: [],
    rootsIndex: 1,
    bundle: ['root'],
    leafSerial: '01',
    leafKeyId: 'key',
    leafIssuedMs: 0,
    leafRenewAtMs: 700,
    leafWhy: '',
    leafValidUntilMs: 1_000,
    intentionIndex: 0,
    enforcedMs: 0,
    closedConnections: 0,
    ...more,
  }
}

function tryProxies(records: { kind: string; key: string; record: unknown }[] = [], enabled = true) {
  const a = tryActor(proxies, { args: { enabled, settings: SETTINGS, feeds: feedsRef, leaf: leafRef } })
  a.outcome('store', { records })
  const starts = () =>
    a.effects().flatMap((effect) => (effect.did === 'start' ? [{ key: effect.key, port: (effect.args as ProxyArgs).inbound?.port }] : []))
  return { a, starts }
}

test('the reference defaults hold where the definition says nothing', (t) => {
  const plan = granted(planOf(definition('web', { upstreams: [upstream({})] }), SETTINGS))
  t.deepEqual(plan, {
    service: 'web',
    token: '',
    inbound: {
      address: '0.0.0.0',
      port: 0,
      handshakeMs: 10_000,
      localHost: '127.0.0.1',
      localPort: 8_080,
      localSocketPath: '',
      connectWithinMs: 1_000,
    },
    upstreams: [{ service: 'db', address: '127.0.0.1', port: 9_191, connectWithinMs: 10_000 }],
  })
})

test('proxy_defaults hold where the service says nothing else', (t) => {
  const defaults: ManagedProxyConfig = { upstreams: [], opaque: {}, bindAddress: '10.0.0.1', handshakeTimeoutMs: 1_234 }
  const plan = granted(planOf(definition('web', { bindAddress: '10.0.0.2', localServiceAddress: '[::1]:99' }), { ...SETTINGS, defaults }))
  t.like(plan.inbound, { address: '10.0.0.2', handshakeMs: 1_234, localHost: '::1', localPort: 99 })
})

test('what this version cannot do is refused with the key that asks for it', (t) => {
  const why = (given: ServiceDefinition, settings = SETTINGS) => refused(planOf(given, settings)).why
  t.regex(why(definition('web', {}, { execMode: 'script' })), /^connect\.proxy\.exec_mode: /)
  t.regex(why(definition('web', {}, { command: ['envoy'] })), /^connect\.proxy\.command: .*"envoy"/)
  t.regex(why(definition('web'), { ...SETTINGS, command: ['envoy'] }), /^connect\.proxy\.command: /)
  t.regex(why(definition('web', { localServiceAddress: 'nowhere' })), /local_service_address: "nowhere"/)
  t.regex(why({ ...definition('web'), port: 0 }), /^port: /)
  t.regex(why(definition('web', { upstreams: [upstream({ datacenter: 'dc9' })] })), /upstreams\[0\]\.destination_datacenter: "dc9"/)
  t.regex(why(definition('web', { upstreams: [upstream({ localBindPort: 0 })] })), /upstreams\[0\]\.local_bind_port/)
})

test('what an upstream cannot be is refused with its key', (t) => {
  const why = (...upstreams: object[]) => refused(planOf(definition('web', { upstreams: upstreams.map(upstream) }), SETTINGS)).why
  const path = { localBindPort: 0, localBindSocketPath: '/run/db.sock' }
  t.regex(why({ meshGateway: { mode: 'remote' } }), /upstreams\[0\]\.mesh_gateway\.mode: "remote" leads to other datacenters/)
  t.regex(why({ meshGateway: { mode: 'zz' } }), /mesh_gateway\.mode: "zz" is unknown/)
  t.regex(why({ ...path, localBindPort: 1 }), /local_bind_socket_path: cannot be set together with local_bind_port/)
  t.regex(why({ ...path, localBindSocketPath: 'db.sock' }), /local_bind_socket_path: "db.sock" must begin with a slash/)
  t.regex(why({ ...path, localBindSocketPath: `/${'x'.repeat(107)}` }), /must have 107 characters at most/)
  t.regex(why({ ...path, localBindSocketMode: 'rw' }), /local_bind_socket_mode: "rw" is not a file mode like "0660"/)
  t.regex(why({}, { destinationName: 'geo' }), /upstreams: "127\.0\.0\.1:9191" is specified twice/)
})

test('limits, waiting and upstreams of other kinds are in the plan, and only where they are asked for', (t) => {
  const config = { maxInboundConnections: 9, maxInboundConnectionsPerSecond: 8, sendProxyProtocol: 'v2', drainMs: 7 } as const
  const upstreams = [
    upstream({
      destinationType: 'prepared_query',
      destinationName: 'near',
      connectionsMax: 2,
      ejection: { failuresMax: 3, intervalMs: 4 },
    }),
    upstream({ localBindPort: 0, localBindSocketPath: '/run/db.sock', localBindSocketMode: '0660' }),
  ]
  const plan = granted(planOf(definition('web', { ...config, upstreams }), SETTINGS))
  t.like(plan, { drainMs: 7, inbound: { connectionsMax: 9, perSecondMax: 8, sendProxy: 'v2' } })
  t.deepEqual(plan.upstreams, [
    {
      service: 'near',
      query: true,
      address: '127.0.0.1',
      port: 9_191,
      connectWithinMs: 10_000,
      connectionsMax: 2,
      ejection: { failuresMax: 3, intervalMs: 4 },
    },
    { service: 'db', address: '', port: 0, socketPath: '/run/db.sock', socketMode: 0o660, connectWithinMs: 10_000 },
  ])
  const none = granted(planOf(definition('web', { maxInboundConnections: 0, sendProxyProtocol: '', drainMs: 0 }), SETTINGS))
  t.deepEqual(Object.keys(none), ['service', 'token', 'inbound', 'upstreams'])
})

test('no two services get the same port, and each keeps its own', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 20 }),
      fc.uniqueArray(fc.integer({ min: 20_000, max: 20_003 })),
      (ids, foreign) => {
        const book = { min: 20_000, max: 20_003, kept: new Map<string, number>(), foreign: new Set(foreign) }
        const given = new Map<string, number>()
        for (const id of ids) {
          const port = assignPort(book, id)
          if (port === undefined) {
            t.is(given.size + foreign.length, 4)
            continue
          }
          t.true(given.get(id) === undefined || given.get(id) === port)
          given.set(id, port)
          t.false(foreign.includes(port))
        }
        t.is(new Set(given.values()).size, given.size)
      },
    ),
  )
})

test('each service that asks for one gets a sidecar, announced when it listens and remembered with its port', (t) => {
  const { a, starts } = tryProxies([{ kind: 'proxy-port', key: 'web-1', record: { port: 20_002 } }])
  a.value('services', [definition('db'), definition('web'), definition('fixed', { bindPort: 7_000 })])
  t.deepEqual(starts(), [
    { key: 'db-1', port: 20_000 },
    { key: 'web-1', port: 20_002 },
    { key: 'fixed-1', port: 7_000 },
  ])
  a.value('status/db-1', statusOf(20_000))
  a.value('status/fixed-1', statusOf(7_000))
  const effects = a.effects()
  t.deepEqual(
    effects.filter(({ did }) => did === 'call'),
    [
      {
        did: 'call',
        to: 'local',
        name: 'proxyListening',
        request: { serviceId: 'db-1', address: '0.0.0.0', port: 20_000 },
        withinMs: 10_000,
      },
      {
        did: 'call',
        to: 'local',
        name: 'proxyListening',
        request: { serviceId: 'fixed-1', address: '0.0.0.0', port: 7_000 },
        withinMs: 10_000,
      },
    ],
  )
  t.deepEqual(
    effects.flatMap((effect) => (effect.did === 'act' ? [effect.request] : [])),
    [{ do: 'save', kind: 'proxy-port', key: 'db-1', record: { port: 20_000 } }],
  )
})

test('it is announced again after every list of services, because the agent may have lost its memory', (t) => {
  const { a, starts } = tryProxies()
  a.value('services', [definition('db')])
  a.value('status/db-1', statusOf(20_000))
  a.answer('proxyListening', null)
  a.effects()
  a.value('status/db-1', statusOf(20_000, { accepted: 3 }))
  t.deepEqual(a.pending(), [])
  a.value('services', [definition('db')])
  t.deepEqual(starts(), [])
  t.is(a.pending().length, 1)
})

test('a change that matters starts it anew on the same port, another does not', (t) => {
  const { a, starts } = tryProxies()
  a.value('services', [definition('db')])
  starts()
  a.value('services', [{ ...definition('db'), tags: ['new'] }])
  t.deepEqual(starts(), [])
  a.value('services', [{ ...definition('db'), port: 9_999 }])
  t.deepEqual(starts(), [{ key: 'db-1', port: 20_000 }])
})

test('central settings hold for managed proxies where neither service nor agent say anything, and a change of them is followed', (t) => {
  const { a } = tryProxies()
  const set = (kind: string, name: string, content: object) => a.commit('config.set', { kind, name, content })
  const started = () => a.effects().flatMap((effect) => (effect.did === 'start' ? [effect.args as ProxyArgs] : []))
  const upstreams = [
    upstream({}),
    upstream({ destinationName: 'geo', localBindPort: 9_192 }),
    upstream({ destinationName: 'own', localBindPort: 9_193, connectTimeoutMs: 7 }),
  ]
  a.value('services', [definition('web', { upstreams })])
  t.is(started().length, 1)

  set('proxy-defaults', 'global', { Config: { local_connect_timeout_ms: '4000', handshake_timeout_ms: 'soon', protocol: 'http' } })
  const Defaults = { ConnectTimeoutMs: 500 }
  set('service-defaults', 'web', { UpstreamConfig: { Defaults, Overrides: [{ Name: 'geo', ConnectTimeoutMs: 600 }] } })
  const again = started().at(-1)
  t.like(again?.inbound, { connectWithinMs: 4_000, handshakeMs: 10_000, port: 20_000 })
  t.deepEqual(
    again?.upstreams.map(({ connectWithinMs }) => connectWithinMs),
    [500, 600, 7],
  )
  set('service-defaults', 'other', { Protocol: 'grpc' })
  t.deepEqual(started(), [])

  const Config = { max_inbound_connections: '9', max_inbound_connections_per_second: 4, send_proxy_protocol: 'v2', drain_ms: 5 }
  set('proxy-defaults', 'global', { Config })
  t.like(started().at(-1), { drainMs: 5, inbound: { connectionsMax: 9, perSecondMax: 4, sendProxy: 'v2' } })
  const PassiveHealthCheck = { Interval: 3e9, MaxFailures: 2 }
  const Limits = { MaxConnections: 6, MaxPendingRequests: 1 }
  set('service-defaults', 'web', { UpstreamConfig: { Defaults: { Limits }, Overrides: [{ Name: 'geo', PassiveHealthCheck }] } })
  t.like(started().at(-1)?.upstreams.slice(0, 2), [
    { service: 'db', connectionsMax: 6 },
    { service: 'geo', connectionsMax: 6, ejection: { failuresMax: 2, intervalMs: 3_000 } },
  ])
})

test('a service that leaves takes its sidecar along; one that comes back waits until that has ended', (t) => {
  const { a, starts } = tryProxies()
  a.value('services', [definition('db')])
  starts()
  a.value('services', [])
  t.like(
    a.effects().find(({ did }) => did === 'call'),
    { to: 'proxy/db-1', name: 'shutDown' },
  )
  a.value('services', [definition('db')])
  t.deepEqual(starts(), [])
  a.answer('shutDown', null)
  const effects = a.effects()
  t.true(effects.some((effect) => effect.did === 'stop' && effect.key === 'db-1'))
  t.true(effects.some((effect) => effect.did === 'start' && effect.key === 'db-1'))
})

test('a service that comes back while its sidecar waits for connections has it go on', (t) => {
  const { a, starts } = tryProxies()
  a.value('services', [definition('db', { drainMs: 60_000 })])
  a.value('status/db-1', statusOf(20_000))
  starts()
  a.value('services', [])
  t.like(
    a.pending().find((effect) => effect.did === 'call' && effect.name === 'shutDown'),
    { withinMs: 65_000 },
  )
  a.value('services', [definition('db', { drainMs: 60_000 })])
  t.deepEqual(starts(), [{ key: 'db-1', port: 20_000 }])
  a.answer('shutDown', refuse('conflict', 'it was started again'))
  t.false(a.effects().some(({ did }) => did === 'stop'))
})

test('an agent that ends waits for sidecars that wait for their connections, and starts none', (t) => {
  const { a, starts } = tryProxies()
  a.value('services', [definition('db', { drainMs: 60_000 }), definition('web')])
  starts()
  const drained = a.call('drain', null)
  t.is(drained.result, undefined)
  a.value('services', [definition('db', { drainMs: 60_000 }), definition('web'), definition('api')])
  t.deepEqual(starts(), [])
  a.answer('shutDown', null)
  t.is(drained.result, null)
  t.is(tryProxies().a.call('drain', null).result, null)
})

test('a change of settings keeps what is known of the sidecar', (t) => {
  const { a } = tryProxies()
  a.value('services', [definition('db')])
  a.value(
    'status/db-1',
    statusOf(20_000, {
      accepted: 3,
      pairs: [{ side: 'from', service: 'web', accepted: 3, refused: 0, open: 2, receivedBytes: 0, sentBytes: 0 }],
    }),
  )
  a.value('services', [definition('db', { maxInboundConnections: 3 })])
  t.like(granted(a.call('list', { token: '' }).result ?? refuse('late', ''))[0], { phase: 'listening', status: { accepted: 3 } })
  t.like(granted(a.call('open', null).result ?? refuse('late', ''))[0], {
    serviceId: 'db-1',
    service: 'db',
    pairs: [{ service: 'web', open: 2 }],
  })
})

test('a port that somebody else has is passed over; a fixed one is waited for, with its option in the reason', (t) => {
  const { a, starts } = tryProxies()
  a.value('services', [definition('db'), definition('fixed', { bindPort: 7_000 })])
  starts()
  const taken = { phase: 'failed', refused: 'conflict', why: 'listen tcp: address already in use' } as const
  a.value('status/db-1', statusOf(20_000, taken))
  t.deepEqual(starts(), [{ key: 'db-1', port: 20_001 }])
  a.value('status/fixed-1', statusOf(7_000, taken))
  t.deepEqual(starts(), [])
  t.deepEqual(
    granted(a.call('list', { token: '' }).result ?? refuse('late', '')).map(({ serviceId, phase, why }) => ({ serviceId, phase, why })),
    [
      { serviceId: 'db-1', phase: 'waiting', why: '' },
      { serviceId: 'fixed-1', phase: 'failed', why: 'listen tcp: address already in use (connect.proxy.config.bind_port)' },
    ],
  )
  a.value('status/fixed-1', statusOf(7_000))
  t.like(granted(a.call('list', { token: '' }).result ?? refuse('late', ''))[1], { phase: 'listening', why: '' })
})

test('when every port is taken it says so, and looks again later', (t) => {
  const { a, starts } = tryProxies()
  a.value('services', [definition('a'), definition('b'), definition('c'), definition('d')])
  t.is(starts().length, 3)
  const list = granted(a.call('list', { token: '' }).result ?? refuse('late', ''))
  t.like(list[3], { phase: 'stopped', why: 'no port is left from ports.proxy_min_port 20000 to ports.proxy_max_port 20002' })
  a.value('services', [definition('b'), definition('c'), definition('d')])
  t.deepEqual(starts(), [{ key: 'd-1', port: 20_000 }])
})

test('a definition that cannot be carried out stops what ran for it, with the reason in the list', (t) => {
  const { a } = tryProxies()
  a.value('services', [definition('db')])
  a.value('services', [definition('db', {}, { command: ['envoy'] })])
  t.like(granted(a.call('list', { token: '' }).result ?? refuse('late', ''))[0], { phase: 'stopped' })
  t.true(a.pending().some((call) => 'name' in call && call.name === 'shutDown'))
})

test('while Connect is off nothing is started, and the list says why', (t) => {
  const { a, starts } = tryProxies([], false)
  a.value('services', [definition('db')])
  t.deepEqual(starts(), [])
  t.like(granted(a.call('list', { token: '' }).result ?? refuse('late', ''))[0], { phase: 'stopped', why: 'connect.enabled: must be true' })
})

test('a store that cannot be read is tried again before anything is started', (t) => {
  const a = tryActor(proxies, { args: { enabled: true, settings: SETTINGS, feeds: feedsRef, leaf: leafRef } })
  a.outcome('store', refuse('busy', 'disk full'))
  a.value('services', [definition('db')])
  t.false(a.effects().some(({ did }) => did === 'start'))
  a.wait(500)
  a.outcome('store', { records: [] })
  t.true(a.effects().some(({ did }) => did === 'start'))
})

test('refusals of plans are refusals, whatever the definition', (t) => {
  fc.assert(
    fc.property(fc.string(), fc.integer(), fc.string(), (address, port, name) => {
      const plan = planOf(
        definition('web', { localServiceAddress: address, upstreams: [upstream({ localBindPort: port, destinationName: name })] }),
        SETTINGS,
      )
      t.true(isRefused(plan) || (plan.upstreams[0]?.port ?? 0) > 0)
    }),
  )
})
