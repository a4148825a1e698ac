import test from 'ava'
import { origin } from '../../actors/coordinates/tables.ts'
import type { LocalCheck, LocalService } from '../../actors/local/protocol.ts'
import { instance, registration } from '../kit/catalog.ts'
import { asked, requested, run, settings } from '../kit/http.ts'
import { localArgs, service } from '../kit/local.ts'
import { emptyTables } from '../kit/tables.ts'

const web: LocalService = { definition: service({ id: 'web1', name: 'web', tags: ['v1'], meta: { ver: '1' }, port: 8080 }), origin: 'api' }
const up: LocalCheck = {
  checkId: 'service:web1',
  name: 'up',
  notes: '',
  status: 'passing',
  output: '',
  serviceId: 'web1',
  serviceName: 'web',
  serviceTags: ['v1'],
  type: 'ttl',
  intervalMs: 0,
  timeoutMs: 0,
  standalone: false,
}
const WEB =
  '{"ID":"web1","Service":"web","Tags":["v1"],"Meta":{"ver":"1"},"Port":8080,"Address":"","Weights":{"Passing":1,"Warning":1},"EnableTagOverride":false,"Datacenter":"dc1"}'
const UP =
  '{"Node":"n1","CheckID":"service:web1","Name":"up","Status":"passing","Notes":"","Output":"","ServiceID":"web1","ServiceName":"web","ServiceTags":["v1"],"Type":"ttl","Interval":"","Timeout":"","ExposedPort":0,"Definition":{},"CreateIndex":0,"ModifyIndex":0}'
const text = async (reply: Promise<object>) => JSON.stringify(((await reply) as { json: unknown }).json)

test('services and checks are maps by id, shown byte for byte as Consul shows them', async (t) => {
  const list = { services: [web], checks: [up] }
  t.is(await text(run('GET', '/v1/agent/services', { list })), `{"web1":${WEB}}`)
  t.is(await text(run('GET', '/v1/agent/checks', { list })), `{"service:web1":${UP}}`)
  const own = { ...up, intervalMs: 90_000, timeoutMs: 0, standalone: true }
  t.true(
    (await text(run('GET', '/v1/agent/checks', { list: { services: [], checks: [own] } }))).includes('"Interval":"1m30s","Timeout":"0s"'),
  )
})

test('one service has a hash of its content, and a reader who knows it waits for another', async (t) => {
  const found = { service: web, checks: [up] }
  const first = (await run('GET', '/v1/agent/service/web1', { service: found })) as {
    json: { ContentHash: string }
    headers: Record<string, string>
  }
  const hash = first.json.ContentHash
  t.regex(hash, /^[1-9a-f][0-9a-f]{0,15}$/)
  t.is(first.headers['X-Consul-Contenthash'], hash)
  const changed = { ...web, definition: { ...web.definition, port: 81 } }
  t.like(await run('GET', `/v1/agent/service/web1?hash=${hash}`, { service: found, serviceChanges: changed }), { json: { Port: 81 } })
  t.like(await run('GET', '/v1/agent/service/web1?hash=other', { service: found }), { json: { Port: 8080 } })
  t.deepEqual(await run('GET', '/v1/agent/service/no', { service: { service: null, checks: [] } }), {
    status: 404,
    text: 'unknown service ID: no',
  })
})

test('a reader whose time is over gets what holds', async (t) => {
  const found = { service: web, checks: [up] }
  const { json } = (await run('GET', '/v1/agent/service/web1', { service: found })) as { json: { ContentHash: string } }
  t.like(await run('GET', `/v1/agent/service/web1?hash=${json.ContentHash}&wait=1s`, { service: found }), { json: { Port: 8080 } })
})

test('the configuration of a managed proxy is found under the id of its own service, with what it was given', async (t) => {
  const config = { upstreams: [], bindPort: 25_076, opaque: { bind_port: 25_076, upstreams: [{ destination_name: 'db' }] } }
  const proxy = { execMode: 'daemon', command: [], config }
  const managed = { ...web, definition: { ...web.definition, connect: { native: false, proxy } } }
  const answers = { service: { service: managed, checks: [] }, facts: { debugConfig: { BindAddr: '0.0.0.0' } } }
  const asked = (query: string, more = {}) => run('GET', `/v1/agent/connect/proxy/web1-proxy${query}`, { ...answers, ...more })
  const first = (await asked('')) as { json: { ContentHash: string }; headers: object }
  const { ContentHash: hash, ...rest } = first.json
  t.deepEqual(first.headers, { 'X-Consul-Contenthash': hash })
  t.deepEqual(rest, {
    ProxyServiceID: 'web1-proxy',
    TargetServiceID: 'web1',
    TargetServiceName: 'web',
    ExecMode: 'daemon',
    Command: ['tribune', 'connect', 'proxy'],
    Config: { bind_address: '0.0.0.0', local_service_address: '127.0.0.1:8080', ...config.opaque },
  } as object)
  const moved = { ...managed, definition: { ...managed.definition, port: 81 } }
  t.like(await asked(`?hash=${hash}`, { serviceChanges: moved }), { json: { Config: { local_service_address: '127.0.0.1:81' } } })
  t.like(await asked(`?hash=${hash}&wait=1s`), { json: { ContentHash: hash } })
  t.like(await asked('?hash=other'), { json: { ContentHash: hash } })
  const unknown = { status: 404, text: 'unknown proxy service ID: web1-proxy' }
  t.deepEqual(await asked('', { service: { service: web, checks: [] } }), unknown)
  t.deepEqual(await asked(`?hash=${hash}`, { serviceChanges: null }), unknown)
  t.like(await run('GET', '/v1/agent/connect/proxy/nope', {}), { status: 404, text: 'unknown proxy service ID: nope' })
})

test('the health of a service is a status, a reason and a body', async (t) => {
  const health = (check: Partial<LocalCheck>, query = '') =>
    run('GET', `/v1/agent/health/service/id/web1${query}`, { service: { service: web, checks: [{ ...up, ...check }] } })
  t.like(await health({}), {
    status: 200,
    headers: { 'X-Consul-Reason': 'passing' },
    json: { AggregatedStatus: 'passing', Service: { ID: 'web1' } },
  })
  t.like(await health({ status: 'warning' }), { status: 429 })
  t.like(await health({ status: 'critical' }), { status: 503, json: { AggregatedStatus: 'critical' } })
  t.like(await health({ status: 'critical', type: 'maintenance' }, '?format=text'), { status: 503, text: 'maintenance' })
  t.deepEqual(await run('GET', '/v1/agent/health/service/id/no', { service: { service: null, checks: [] } }), {
    status: 404,
    headers: { 'X-Consul-Reason': 'ServiceId no not found' },
    json: { AggregatedStatus: 'critical', Service: null, Checks: null },
  })
  const list = { services: [web], checks: [up, { ...up, checkId: 'disk', serviceId: '', status: 'warning' as const }] }
  t.like(await run('GET', '/v1/agent/health/service/name/web', { list }), { status: 429, json: [{ AggregatedStatus: 'warning' }] })
  t.like(await run('GET', '/v1/agent/health/service/name/web', { list }, { accept: 'text/plain' }), { text: 'warning' })
  t.like(await run('GET', '/v1/agent/health/service/name/no', { list }), { status: 404, json: [] })
})

test('a registration becomes a question to the local registrations', (t) => {
  t.like(asked('PUT', '/v1/agent/service/register?replace-existing-checks', { Name: 'web', Port: 80, Check: { TTL: '10s' } }), {
    to: { actor: 'local' },
    name: 'registerService',
    request: {
      service: { id: 'web', name: 'web', checks: [{ id: 'service:web', type: 'ttl', ttlMs: 10_000 }] },
      replaceExistingChecks: true,
    },
  })
  t.like(asked('PUT', '/v1/agent/service/deregister/a%2Fb'), { name: 'deregisterService', request: { serviceId: 'a/b' } })
  t.like(asked('PUT', '/v1/agent/check/register', { Name: 'c', TCP: 'x:1', Interval: '5s' }), {
    name: 'registerCheck',
    request: { check: { id: 'c', type: 'tcp', intervalMs: 5_000 } },
  })
  t.like(asked('PUT', '/v1/agent/check/warn/c?note=hm'), { name: 'ttlUpdate', request: { checkId: 'c', status: 'warning', output: 'hm' } })
  t.like(asked('PUT', '/v1/agent/check/update/c', { Status: 'critical', Output: 'o' }), { request: { status: 'critical', output: 'o' } })
  t.like(asked('PUT', '/v1/agent/maintenance?enable=true&reason=r'), { name: 'nodeMaintenance', request: { enable: true, reason: 'r' } })
})

test('wrong requests are answered with the words that Consul has for them', (t) => {
  const answers = (method: string, url: string, body: unknown = '') => asked(method, url, body) as { status: number; text: string }
  t.deepEqual(answers('PUT', '/v1/agent/service/register'), { status: 400, text: 'Request decode failed: EOF' })
  t.deepEqual(answers('PUT', '/v1/agent/service/register', {}), { status: 400, text: 'Missing service name' })
  t.is(answers('PUT', '/v1/agent/check/register', { Name: 'c' }).text, 'Invalid check: TTL must be > 0 for TTL checks')
  t.deepEqual(answers('PUT', '/v1/agent/check/update/c', { Status: 'foo' }), { status: 400, text: "Invalid check status: 'foo'" })
  t.is(answers('PUT', '/v1/agent/service/maintenance/?enable=true').text, 'Missing service ID')
  t.is(answers('PUT', '/v1/agent/service/maintenance/x').text, 'Missing value for enable')
  t.is(answers('PUT', '/v1/agent/service/maintenance/x?enable').text, 'Invalid value for enable: ""')
  t.is(answers('PUT', '/v1/agent/maintenance?enable=x').text, 'Invalid value for enable: "x"')
})

test('the agent tells who it is, in a version that clients accept', async (t) => {
  const { facts } = localArgs()
  t.like(await run('GET', '/v1/agent/members', { facts }), {
    json: [
      { Name: 'n1', Addr: '10.0.0.1', Port: 8301, Tags: { role: 'consul', port: '8300', build: '1.10.12:' }, Status: 1, DelegateCur: 4 },
    ],
  })
  const alone = (await run('GET', '/v1/agent/members?wan=1', { facts })) as { json: { Tags: object }[] }
  t.like(alone, { json: [{ Name: 'n1.dc1', Port: 8302, Tags: { role: 'consul', dc: 'dc1' } }] })
  t.false('wan_join_port' in (alone.json[0]?.Tags ?? {}))
})

test('members are shown with the numbers that Serf has for how they are', async (t) => {
  const { facts } = localArgs()
  const members = (['alive', 'suspect', 'leaving', 'left', 'failed'] as const).map((status, n) => ({
    ...{ name: `n${n}`, id: '', peer: 'p', address: `10.0.0.${n}`, port: 8301, tags: { role: 'node' } },
    ...{ incarnation: 1, status, statusLtime: 1, isSelf: n === 0 },
  }))
  const { json } = (await run('GET', '/v1/agent/members?segment=_all', { facts, members })) as { json: object[] }
  t.like(json, [
    { Name: 'n0', Addr: '10.0.0.0', Port: 8301, Tags: { role: 'node' }, Status: 1 },
    { Status: 1 },
    { Status: 2 },
    { Status: 3 },
    { Status: 4 },
  ])
})

test('a server shows those of all datacenters, a client none', async (t) => {
  const { facts } = localArgs()
  const known = ['n1.dc1', 'n1.dc2'].map((name) => ({
    ...{ name, id: '', peer: 'p', address: '10.0.0.1', port: 8302, tags: { role: 'consul' } },
    ...{ incarnation: 1, status: 'alive', statusLtime: 1, isSelf: false },
  }))
  const shown = await run('GET', '/v1/agent/members?wan=1', { facts, 'wan-membership/members': known, 'membership/members': [] })
  t.like(shown, { json: [{ Name: 'n1.dc1' }, { Name: 'n1.dc2', Port: 8302 }] })
  t.deepEqual(await run('GET', '/v1/agent/members?wan=1', { facts: { ...facts, server: false } }), { json: null })
})

test('the agent tells its statistics as texts, and no place in the network when it keeps none', async (t) => {
  const answers: Record<string, unknown> = {
    facts: localArgs().facts,
    list: { services: [web], checks: [up] },
    whereabouts: { coordinate: origin(), members: 1 },
    health: { score: 2 },
    'wan-membership/health': { score: 1 },
    show: { datacenters: [{}, {}] },
  }
  const tables = emptyTables()
  const host = { ports: { tables }, stats: () => [{}, {}] }
  const members = (['alive', 'suspect', 'left', 'failed', 'failed'] as const).map((status) => ({ status, tags: {} }))
  const { route, request } = requested('GET', '/v1/agent/self')
  const self = async (coordinates: boolean) => {
    const context = {
      host,
      settings: { ...settings, coordinates },
      asked: async ({ actor }: { actor: string }, name: string) => answers[`${actor}/${name}`] ?? answers[name],
      awaited: async ({ actor }: { actor: string }) => ({ value: actor === 'membership' ? members : members.slice(1, 4), index: 1 }),
    }
    return 'run' in route ? await route.run(request, context as never) : undefined
  }
  const serf = { members: '5', failed: '2', left: '1', health_score: '2', encrypted: 'false' }
  t.like(await self(true), {
    json: {
      Config: { NodeName: 'n1', Server: true },
      Coord: { Error: 1.5 },
      Stats: {
        agent: { services: '1', check_ttls: '1' },
        raft: { state: 'Leader', term: '2' },
        serf_lan: serf,
        serf_wan: { ...serf, members: '3', failed: '1', health_score: '1' },
      },
    },
  })
  const other = '00000000-0000-4000-8000-000000000002'
  const node = registration({ node: 'n2', id: other, address: '10.0.0.2', service: instance({ name: 'consul', port: 8300 }) })
  tables.apply([
    { kind: 'catalog.register', atMs: 0, request: node },
    { kind: 'servers.lead', atMs: 0, request: { id: other } },
  ])
  const consul = { leader: 'false', leader_addr: '10.0.0.2:8300', bootstrap: 'false' }
  t.like(await self(true), { json: { Stats: { consul, raft: { state: 'Follower' } } } })
  t.like(await self(false), { json: { Coord: null, Stats: { runtime: { goroutines: '2', os: process.platform } } } })
})
