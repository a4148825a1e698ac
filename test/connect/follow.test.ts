import test from 'ava'
import type { HttpClient, HttpParams } from '../../src/cli/http.ts'
import { follow } from '../../src/connect-proxy/follow.ts'
import { instancesOf, intentionsOf, planOfRegistration } from '../../src/connect-proxy/translate.ts'
import { type Refusal, refuse } from '../../src/kernel/refusal.ts'
import { granted, refused } from '../kit/asking.ts'

type Answer = { index?: string; hash?: string; body: string } | Refusal

/** An agent with these answers; when they are used up it never answers again. */
function agentWith(answers: Answer[]) {
  const asked: HttpParams[] = []
  const ends = new AbortController()
  const http = {
    request: async (_method: string, _path: string, { params }: { params: HttpParams }) => {
      asked.push(params)
      const answer = answers.shift()
      if (!answer) {
        ends.abort()
        return refuse('gone', 'the client gave up')
      }
      if ('refused' in answer) return answer
      const headers = {
        ...(answer.index && { 'x-consul-index': answer.index }),
        ...(answer.hash && { 'x-consul-contenthash': answer.hash }),
      }
      return { status: 200, headers, body: Buffer.from(answer.body) }
    },
  } as unknown as HttpClient
  const failures: string[] = []
  return { following: { http, signal: ends.signal, failed: (_path: string, { why }: Refusal) => failures.push(why) }, asked, failures }
}

test('each answer is waited for from the index of the one before', async (t) => {
  const { following, asked } = agentWith([
    { index: '5', body: '"a"' },
    { index: '9', body: '"b"' },
  ])
  const taken: unknown[] = []
  await follow<string>(following, '/v1/x', { passing: '1' }, (body, index) => taken.push([body, index]))
  t.deepEqual(taken, [
    ['a', 5],
    ['b', 9],
  ])
  t.deepEqual(asked, [{ passing: '1' }, { passing: '1', index: '5', wait: '5m' }, { passing: '1', index: '9', wait: '5m' }])
})

test('an index that goes back begins anew', async (t) => {
  const { following, asked } = agentWith([
    { index: '50', body: '1' },
    { index: '3', body: '2' },
    { index: '4', body: '3' },
  ])
  await follow(following, '/v1/x', {}, () => undefined)
  t.deepEqual(
    asked.map(({ index }) => index),
    [undefined, '50', undefined, '4'],
  )
})

test('services of an agent are waited for by the hash of their content', async (t) => {
  const { following, asked } = agentWith([{ hash: 'abc', body: '{}' }])
  await follow(following, '/v1/x', {}, () => undefined, 'hash')
  t.deepEqual(asked[1], { hash: 'abc', wait: '5m' })
})

test('a failure is told of once, and asked about again without an index', async (t) => {
  const { following, asked, failures } = agentWith([
    { index: '5', body: '1' },
    refuse('gone', 'connection refused'),
    { index: '6', body: 'nonsense' },
    { index: '7', body: '2' },
  ])
  const taken: unknown[] = []
  await follow(following, '/v1/x', {}, (body) => taken.push(body))
  t.deepEqual(taken, [1, 2])
  t.is(failures.length, 2)
  t.is(failures[0], 'connection refused')
  t.regex(failures[1] ?? '', /did not answer with JSON/)
  t.deepEqual(
    asked.map(({ index }) => index),
    [undefined, '5', undefined, undefined, '7'],
  )
})

test('an answer of another shape is a failure, not a crash', async (t) => {
  const { following, failures } = agentWith([{ index: '5', body: 'null' }])
  await follow<{ a: { b: number } }>(following, '/v1/x', {}, (body) => void body.a.b)
  t.regex(failures[0] ?? '', /^\/v1\/x answered in an unknown shape: /)
})

test('intentions of an agent are rules, those with permissions deny, and the header has the default', (t) => {
  const list = [
    { ID: 'i', SourceName: 'web', DestinationName: 'db', Action: 'allow' },
    { SourceName: 'api', DestinationName: 'db' },
  ]
  t.deepEqual(intentionsOf(list, { 'x-consul-default-acl-policy': 'deny' }), {
    list: [
      { id: 'i', source: 'web', destination: 'db', action: 'allow' },
      { id: '', source: 'api', destination: 'db', action: 'deny' },
    ],
    defaultAllow: false,
  })
  t.deepEqual(intentionsOf(null, {}), { list: [], defaultAllow: true })
})

test('instances are dialled at their own address, else at their node’s, and are who they stand for', (t) => {
  const node = { Node: 'n1', Address: '10.0.0.1', Datacenter: 'dc1' }
  const proxy = { ID: 'db-proxy', Service: 'db-proxy', Address: '', Port: 20_000, Proxy: { DestinationServiceName: 'db' } }
  const native = { ID: 'db2', Service: 'db', Address: '10.0.0.2', Port: 5_432, Weights: { Passing: 3 } }
  const found = instancesOf([
    { Node: node, Service: proxy },
    { Node: node, Service: native },
  ])
  t.like(found[0], { address: '10.0.0.1', port: 20_000, service: 'db', datacenter: 'dc1', weight: 1 })
  t.like(found[1], { address: '10.0.0.2', port: 5_432, service: 'db', weight: 3 })
})

test('a registered proxy says where to listen and what to reach', (t) => {
  const registered = {
    Address: '',
    Port: 21_000,
    Proxy: {
      DestinationServiceName: 'web',
      LocalServiceAddress: '127.0.0.1',
      LocalServicePort: 8_080,
      Config: { bind_port: 30_000 },
      Upstreams: [{ DestinationType: 'service', DestinationName: 'db', LocalBindPort: 9_191, Config: { connect_timeout_ms: 50 } }],
    },
  }
  t.like(granted(planOfRegistration(registered)), {
    service: 'web',
    inbound: { address: '0.0.0.0', port: 30_000, localPort: 8_080 },
    upstreams: [{ service: 'db', address: '127.0.0.1', port: 9_191, connectWithinMs: 50 }],
  })
  t.regex(refused(planOfRegistration({ Address: '', Port: 1 })).why, /it is not a proxy/)
  const query = {
    ...registered,
    Proxy: { ...registered.Proxy, Upstreams: [{ DestinationType: 'prepared_query', DestinationName: 'q', LocalBindPort: 1 }] },
  }
  t.like(granted(planOfRegistration(query)), { upstreams: [{ service: 'q', query: true, port: 1 }] })
  const why = (upstream: object, more: object = {}) =>
    refused(planOfRegistration({ ...registered, ...more, Proxy: { ...registered.Proxy, Upstreams: [{ LocalBindPort: 1, ...upstream }] } }))
      .why
  t.is(
    why({ DestinationType: 'mesh', DestinationName: 'q' }),
    'Proxy.Upstreams[0].DestinationType: "mesh" is neither service nor prepared_query',
  )
  t.regex(why({}), /^Proxy\.Upstreams\[0\]\.destination_name: /)
  t.regex(why({ DestinationName: 'q', Datacenter: 'dc2' }, { Datacenter: 'dc1' }), /^Proxy\.Upstreams\[0\]\.destination_datacenter: "dc2"/)
  t.regex(
    why({ DestinationName: 'q', Config: { limits: { max_pending_requests: 1 } } }),
    /^Proxy\.Upstreams\[0\]\.Config\.limits\.max_pending_requests cannot hold/,
  )
})

test('limits of a registered proxy and of its upstreams hold, in words of files and of central settings', (t) => {
  const plan = granted(
    planOfRegistration({
      Address: '',
      Port: 21_000,
      Proxy: {
        DestinationServiceName: 'web',
        LocalServiceSocketPath: '/run/web.sock',
        Config: { max_inbound_connections: 5, send_proxy_protocol: 'v2', drain_ms: '400' },
        Upstreams: [
          {
            DestinationName: 'db',
            LocalBindSocketPath: '/run/db.sock',
            LocalBindSocketMode: '0660',
            Config: { limits: { max_connections: 3 }, passive_health_check: { interval: '2s', max_failures: 4 } },
          },
          {
            DestinationName: 'geo',
            LocalBindPort: 9_192,
            Config: { limits: { MaxConnections: 7, MaxPendingRequests: 9 }, passive_health_check: { Interval: 1e9, MaxFailures: 2 } },
          },
        ],
      },
    }),
  )
  t.like(plan, { drainMs: 400, inbound: { localSocketPath: '/run/web.sock', connectionsMax: 5, sendProxy: 'v2' } })
  t.like(plan.upstreams[0], {
    socketPath: '/run/db.sock',
    socketMode: 0o660,
    connectionsMax: 3,
    ejection: { failuresMax: 4, intervalMs: 2_000 },
  })
  t.like(plan.upstreams[1], { connectionsMax: 7, ejection: { failuresMax: 2, intervalMs: 1_000 } })
})
