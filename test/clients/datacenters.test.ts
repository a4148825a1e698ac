import test from 'ava'
import { catalog } from '../../actors/catalog/index.ts'
import { applyGroup } from '../../actors/commands.ts'
import { coordinates } from '../../actors/coordinates/index.ts'
import type { Datacenter, DatacentersProtocol } from '../../actors/datacenters/protocol.ts'
import type { EventsProtocol } from '../../actors/events/protocol.ts'
import { exchange } from '../../actors/exchange/index.ts'
import { exchangeRef } from '../../actors/exchange/protocol.ts'
import { kv } from '../../actors/kv/index.ts'
import { ledger } from '../../actors/ledger.ts'
import type { MemberStatus } from '../../actors/membership/protocol.ts'
import { type ApiAnswer, type ApiRequest, createApi } from '../../src/http/api.ts'
import { unreachedReply } from '../../src/http/forward.ts'
import { routes } from '../../src/http/routes/index.ts'
import { defineActor } from '../../src/kernel/actor.ts'
import type { Host } from '../../src/kernel/host.ts'
import { LATER } from '../../src/kernel/protocol.ts'
import { localLog } from '../../src/local-log.ts'
import { ownApi } from '../../src/own-api.ts'
import { type Asking, apiRequest } from '../kit/api-request.ts'
import { check, instance, registration } from '../kit/catalog.ts'
import { apiConfig } from '../kit/http.ts'
import { linkedHosts } from '../kit/linked-hosts.ts'
import { preparedQuery } from '../kit/queries.ts'
import { emptyTables } from '../kit/tables.ts'

const QUERY_ID = '963d373b-0000-4000-8000-00000000000a'

test('a request for another datacenter is answered there, headers and index too', (t) => {
  const { ask } = world()
  t.is(text(ask('n1', 'PUT', '/v1/kv/a?dc=dc2', { body: 'far' })), '200 true')
  t.is(text(ask('n1', 'PUT', '/v1/kv/b', { body: 'near' })), '200 true')
  t.is(text(ask('n1', 'GET', '/v1/kv/a?raw&dc=dc2')), '200 far')
  t.is(text(ask('n1', 'GET', '/v1/kv/a?raw&dc=DC2')), '200 far')
  t.is(text(ask('d1', 'GET', '/v1/kv/a?raw')), '200 far')
  t.is(ask('n1', 'GET', '/v1/kv/a').status, 404)
  t.is(ask('n1', 'GET', '/v1/kv/b?dc=dc2').status, 404)
  t.is(text(ask('n1', 'GET', '/v1/kv/b?raw&dc=dc1')), '200 near')
  t.is(header(ask('n1', 'GET', '/v1/kv/a?dc=dc2'), 'X-Consul-Index'), header(ask('d1', 'GET', '/v1/kv/a'), 'X-Consul-Index'))
})

test('a client asks its server, and that the other datacenter', (t) => {
  const { ask } = world()
  t.is(text(ask('c1', 'PUT', '/v1/kv/a?dc=dc2', { body: 'far' })), '200 true')
  t.is(text(ask('d1', 'GET', '/v1/kv/a?raw')), '200 far')
  t.is(text(ask('c1', 'GET', '/v1/kv/a?dc=dc9')), '500 No path to datacenter')
})

test('a datacenter that nobody knows', (t) => {
  const { ask } = world()
  t.is(text(ask('n1', 'GET', '/v1/kv/a?dc=dc9')), '500 No path to datacenter')
  t.is(text(ask('n1', 'PUT', '/v1/kv/a?dc=dc9')), '500 No path to datacenter')
  for (const name of ['dc2%231', 'a/b', '../dc2', 'dc%202', '%25dc2', '__proto__', '@n1']) {
    t.is(text(ask('n1', 'GET', `/v1/kv/a?dc=${name}`)), '500 No path to datacenter', name)
  }
  t.is(text(ask('n1', 'GET', '/v1/agent/connect/ca/roots?dc=dc9')), '500 No path to datacenter')
  t.is(text(ask('n1', 'GET', '/v1/catalog/datacenters?dc=dc9')), '200 ["dc1","dc2"]')
  const wrong = ask('n1', 'GET', '/v1/kv/a?dc=dc9&stale&consistent')
  t.is(text(wrong), '400 Cannot specify ?stale with ?consistent, conflicting semantics.')
})

test('requests to other datacenters are counted, those to datacenters that are not there are not', (t) => {
  const { ask, kit } = world()
  ask('n1', 'GET', '/v1/kv/a?dc=dc2')
  ask('n1', 'GET', '/v1/kv/a?dc=dc9')
  const counted = [...kit.host('n1').counters.keys()].filter((name) => name.startsWith('rpc.cross-dc'))
  t.deepEqual(counted, ['rpc.cross-dc;datacenter=dc2'])
})

test('a blocking query waits in the other datacenter, and ends there with its client', (t) => {
  const { ask, begin, kit } = world()
  ask('d1', 'PUT', '/v1/kv/a', { body: '1' })
  const index = header(ask('n1', 'GET', '/v1/kv/a?dc=dc2'), 'X-Consul-Index')
  const first = begin('c1', 'GET', `/v1/kv/a?raw&dc=dc2&index=${index}`)
  const second = begin('n1', 'GET', `/v1/kv/a?raw&dc=dc2&index=${index}`)
  const waiting = kit.host('d1').waiters.size
  second.giveUp()
  kit.settle()
  t.is(kit.host('d1').waiters.size, waiting - 1)
  ask('d1', 'PUT', '/v1/kv/a', { body: '2' })
  t.deepEqual(first.answers.map(text), ['200 2'])
  t.deepEqual(second.answers, [])
})

test('a server that is lost while it answers, or cannot be reached, and comes back', (t) => {
  const { ask, begin, kit, say } = world()
  const write = begin('n1', 'PUT', '/v1/event/fire/never?dc=dc2')
  const waiting = begin('n1', 'GET', '/v1/kv/a?dc=dc2&index=99')
  kit.cut('n1', 'd1')
  kit.advance(1_000)
  t.regex(text(write.answers[0]), /^500 rpc error making call: /)
  t.regex(text(waiting.answers[0]), /^500 rpc error getting client: failed to get conn: /)
  t.regex(
    text(ask('n1', 'PUT', '/v1/kv/a?dc=dc2')),
    /^500 rpc error getting client: failed to get conn: dial tcp 127\.0\.0\.1:8302: connect: connection refused/,
  )
  say('failed')
  t.is(text(ask('n1', 'GET', '/v1/catalog/datacenters')), '200 ["dc1","dc2"]', 'it is still listed')
  kit.join('n1', 'd1')
  t.is(text(ask('n1', 'PUT', '/v1/kv/a?dc=dc2')), '200 true')
})

test('a body may name the datacenter of what it registers', (t) => {
  const { ask } = world()
  const service = { Service: 'web', Port: 80 }
  const body = JSON.stringify({ Datacenter: 'DC2', Node: 'x1', Address: '10.2.0.1', Service: service })
  t.is(text(ask('c1', 'PUT', '/v1/catalog/register', { body })), '200 true')
  t.is(text(ask('n1', 'GET', '/v1/catalog/service/web')), '200 []')
  t.is(text(ask('d1', 'GET', '/v1/catalog/services')), '200 {"web":[]}')
  const near = JSON.stringify({ Datacenter: 'dc1', Node: 'y1', Address: '10.1.0.1', Service: { Service: 'db' } })
  t.is(text(ask('c1', 'PUT', '/v1/catalog/register?dc=dc2', { body: near })), '200 true', 'it counts before the parameter')
  t.is(text(ask('n1', 'GET', '/v1/catalog/services')), '200 {"db":[]}')
  t.is(text(ask('d1', 'PUT', '/v1/catalog/deregister', { body: JSON.stringify({ Datacenter: 'dc1', Node: 'y1' }) })), '200 true')
  const unsaid = JSON.stringify({ Node: 'z1', Address: '10.2.0.2' })
  t.is(text(ask('n1', 'PUT', '/v1/catalog/register?dc=dc2', { body: unsaid })), '200 true')
  t.is(text(ask('n1', 'GET', '/v1/catalog/services')), '200 {}')
  t.regex(text(ask('d1', 'GET', '/v1/catalog/nodes')), /"z1"/)
  const gone = JSON.stringify({ Datacenter: 'dc2', Node: 'x1' })
  t.is(text(ask('n1', 'PUT', '/v1/catalog/deregister', { body: gone })), '200 true')
  t.is(text(ask('d1', 'GET', '/v1/catalog/services')), '200 {}')
  const unknown = JSON.stringify({ Datacenter: 'dc9', Node: 'x1', Address: 'b' })
  t.is(text(ask('n1', 'PUT', '/v1/catalog/register', { body: unknown })), '500 No path to datacenter')
  const place = JSON.stringify({
    Datacenter: 'dc9',
    Node: 'x1',
    Coord: { Vec: [0, 0, 0, 0, 0, 0, 0, 0], Error: 1, Adjustment: 0, Height: 0 },
  })
  t.is(text(ask('n1', 'PUT', '/v1/coordinate/update', { body: place })), '500 No path to datacenter')
})

test('what is forwarded is answered where it arrives, or refused: never in a third datacenter', async (t) => {
  const { kit } = world()
  const asked = (url: string, datacenter?: string, body = '') => {
    const request = { method: body === '' ? 'GET' : 'PUT', url, headers: {}, body: Buffer.from(body), from: '10.0.0.1' }
    const sent = { ...request, ...(datacenter !== undefined && { datacenter }) }
    const answer = kit.host('n1').asked({ ...exchangeRef, datacenter: 'dc2' }, 'http', { number: 1, request: sent }, 1_000)
    kit.settle()
    return answer
  }
  t.like(await asked('/v1/kv/a?dc=dc1', 'dc2'), { status: 500, bytes: new Uint8Array(Buffer.from('No path to datacenter')) })
  t.like(await asked('/v1/kv/a', 'dc1'), { status: 500, bytes: new Uint8Array(Buffer.from('No path to datacenter')) })
  t.deepEqual(await asked('/v1/kv/a?dc=dc1'), { refused: 'invalid', why: 'it does not say which datacenter it is for' })
  for (const url of ['/v1/agent/leave', '/v1/%61gent/leave', '/v1/agent/service/register', '/v1/agent/join/10.0.0.1']) {
    t.like(await asked(url, 'dc2', '{}'), { status: 403 }, url)
  }
  const body = JSON.stringify({ Datacenter: 'dc1', Node: 'x', Address: 'y' })
  t.like(await asked('/v1/catalog/register', 'dc2', body), { status: 500, bytes: new Uint8Array(Buffer.from('No path to datacenter')) })
})

test('a prepared query that finds nothing here finds it elsewhere', (t) => {
  const { ask, tables } = world()
  const failover = { nearestN: 0, datacenters: ['dc1', 'dc9', 'dc2'] }
  const query = preparedQuery({}, { failover })
  tables.n1.apply([{ kind: 'queries.create', atMs: 0, request: { id: QUERY_ID, query } }])
  const execute = (agent: string, more = '') => JSON.parse(ask(agent, 'GET', `/v1/query/${QUERY_ID}/execute${more}`).bytes.toString())
  t.like(execute('n1'), { Nodes: [], Datacenter: 'dc1', Failovers: 1 })
  for (const node of ['x1', 'x2']) {
    tables.d1.apply([{ kind: 'catalog.register', atMs: 0, request: registration({ node, service: instance({ name: 'web' }) }) }])
  }
  t.like(execute('n1'), { Datacenter: 'dc2', Failovers: 1, Service: 'web', DNS: { TTL: '' } })
  t.is(execute('n1').Nodes.length, 2)
  t.is(execute('n1', '?limit=1').Nodes.length, 1)
  t.like(execute('c1').Nodes[0].Node, { Datacenter: 'dc2' })
  tables.n1.apply([{ kind: 'catalog.register', atMs: 0, request: registration({ node: 'y1', service: instance({ name: 'web' }) }) }])
  t.like(execute('n1'), { Datacenter: 'dc1', Failovers: 0 })
  const critical = [check({ checkId: 'c', status: 'critical' })]
  tables.n1.apply([{ kind: 'catalog.register', atMs: 0, request: registration({ node: 'y1', checks: critical }) }])
  t.like(execute('n1'), { Datacenter: 'dc2', Failovers: 1 })
})

test('the nearest datacenters come before those that are named, and each is asked once', (t) => {
  const { ask, tables, kit, say } = world()
  const failover = { nearestN: 1, datacenters: ['dc2'] }
  const query = preparedQuery({}, { failover })
  tables.n1.apply([{ kind: 'queries.create', atMs: 0, request: { id: QUERY_ID, query } }])
  const execute = () => JSON.parse(ask('n1', 'GET', `/v1/query/${QUERY_ID}/execute`).bytes.toString())
  t.like(execute(), { Nodes: [], Failovers: 1 })
  kit.cut('n1', 'd1')
  say('failed')
  t.like(execute(), { Nodes: [], Datacenter: 'dc1', Failovers: 1 }, 'one that cannot be reached counts')
})

test('addresses for other datacenters are given to those who take them', (t) => {
  const { ask, tables } = world({ translateWanAddrs: true })
  const service = { ...instance({ name: 'web', address: '10.0.0.9' }), taggedAddresses: { wan: { address: '203.0.113.9', port: 8080 } } }
  const request = { ...registration({ node: 'x1', service }), taggedAddresses: { wan: '203.0.113.1' } }
  tables.d1.apply([{ kind: 'catalog.register', atMs: 0, request }])
  const json = (agent: string, url: string) => JSON.parse(ask(agent, 'GET', url).bytes.toString())
  for (const agent of ['n1', 'c1']) {
    t.like(json(agent, '/v1/catalog/nodes?dc=dc2')[0], { Address: '203.0.113.1' })
    t.like(json(agent, '/v1/catalog/service/web?dc=dc2')[0], { Address: '203.0.113.1', ServiceAddress: '203.0.113.9', ServicePort: 8080 })
    t.like(json(agent, '/v1/catalog/node/x1?dc=dc2').Node, { Address: '203.0.113.1' })
    t.like(json(agent, '/v1/catalog/node-services/x1?dc=dc2').Node, { Address: '203.0.113.1' })
    t.like(json(agent, '/v1/health/service/web?dc=dc2')[0], {
      Node: { Address: '203.0.113.1' },
      Service: { Address: '203.0.113.9', Port: 8080 },
    })
    const headers = ask(agent, 'GET', '/v1/catalog/nodes?dc=dc2').headers.filter((name) => name === 'X-Consul-Translate-Addresses')
    t.is(headers.length, 1)
  }
  t.like(json('d1', '/v1/catalog/service/web')[0], { ServiceAddress: '10.0.0.9' })
  t.like(json('d1', '/v1/catalog/service/web?dc=dc2')[0], { ServiceAddress: '10.0.0.9' })
  const plain = world()
  plain.tables.d1.apply([{ kind: 'catalog.register', atMs: 0, request }])
  t.like(JSON.parse(plain.ask('n1', 'GET', '/v1/catalog/service/web?dc=dc2').bytes.toString())[0], { ServiceAddress: '10.0.0.9' })
})

test('where servers are among those of all datacenters', (t) => {
  const { ask } = world()
  const nowhere = { Vec: [0, 0, 0, 0, 0, 0, 0, 0], Error: 1.5, Adjustment: 0, Height: 1e-5 }
  t.deepEqual(JSON.parse(ask('n1', 'GET', '/v1/coordinate/datacenters').bytes.toString()), [
    { Datacenter: 'dc1', AreaID: 'wan', Coordinates: [{ Node: 'n1', Segment: '', Coord: nowhere }] },
    { Datacenter: 'dc2', AreaID: 'wan', Coordinates: [{ Node: 'd1', Segment: '', Coord: nowhere }] },
  ])
})

test('a server that answers with garbage is not believed', (t) => {
  const { ask, lie, tables } = world()
  const sane = { status: 200, headers: [], type: '', bytes: new Uint8Array(1), bytesTotal: 1 }
  for (const answer of [
    { ...sane, status: 99 },
    { ...sane, status: 'ok' },
    { ...sane, headers: ['X'] },
    { ...sane, headers: ['X', 'a\nb'] },
    { ...sane, headers: null },
    { ...sane, type: 5 },
    { ...sane, bytes: 'text' },
    {},
  ]) {
    lie({ http: answer })
    t.is(text(ask('n1', 'PUT', '/v1/kv/a?dc=dc2')), '500 rpc error making call: the answer of the server is malformed')
  }
  lie({ http: { ...sane, bytesTotal: 9 }, more: { bytes: 'text' } })
  t.is(text(ask('n1', 'PUT', '/v1/kv/a?dc=dc2')), '500 rpc error making call: the answer of the server is shorter than it said')
  const query = preparedQuery({}, { failover: { nearestN: 1, datacenters: [] } })
  tables.n1.apply([{ kind: 'queries.create', atMs: 0, request: { id: QUERY_ID, query } }])
  const execute = () => ask('n1', 'GET', `/v1/query/${QUERY_ID}/execute`)
  lie({ execute: {} })
  t.like(JSON.parse(execute().bytes.toString()), { Nodes: [], Failovers: 1 })
  lie({ execute: { instances: [{ node: 5 }] } })
  t.is(text(execute()), '500 internal error; the log has it')
})

test('why a datacenter is not reached is said as Consul says it', (t) => {
  const said = (why: string) => unreachedReply({ refused: 'gone', why })
  t.deepEqual(said('No path to datacenter'), { status: 500, text: 'No path to datacenter' })
  t.deepEqual(said('Remote DC has no server currently reachable'), { status: 500, text: 'Remote DC has no server currently reachable' })
  t.deepEqual(said('the connection ended'), { status: 500, text: 'rpc error making call: the connection ended' })
  t.deepEqual(said('10.0.0.1:8302: no route'), {
    status: 500,
    text: 'rpc error getting client: failed to get conn: 10.0.0.1:8302: no route',
  })
  t.is(unreachedReply({ refused: 'busy', why: 'too much' }).status, 429)
})

test('the body of a snapshot may be too large to be sent on', (t) => {
  const { begin } = world()
  const { answers } = begin('n1', 'PUT', '/v1/snapshot?dc=dc2', { isFile: true })
  t.deepEqual(answers.map(text), ['500 A snapshot of another datacenter is restored at a server of that datacenter'])
})

type AskingThere = Asking & { isFile?: boolean }

/** A server and a client of dc1, and a server of dc2. */
function world({ translateWanAddrs = false }: { translateWanAddrs?: boolean } = {}) {
  const tables = { n1: emptyTables(), d1: emptyTables() }
  let lies: Record<string, unknown> = {}
  const datacenterOf = (node: string) => (node === 'd1' ? 'dc2' : 'dc1')
  const partsOf = (node: string) => ({
    host: kit.host(node),
    config: {
      ...apiConfig,
      server: node !== 'c1',
      node: { name: node },
      datacenter: datacenterOf(node),
      limits: { ...apiConfig.limits, txnMaxReqLen: 1_000 },
      translateWanAddrs: translateWanAddrs && node !== 'd1',
    } as never,
    layout: [['main', 'state', 'edge']] as const,
    routes,
  })
  const serverOf = (node: 'n1' | 'd1') => ({
    node,
    datacenter: datacenterOf(node),
    server: true,
    actors: [node === 'd1' ? lying(() => lies) : exchange, ledger, kv, catalog, coordinates, datacenters, silent],
    tables: tables[node],
    devices: {
      api: ownApi({ options: () => partsOf(node) }),
      log: localLog({
        tables: { transact: (work, durable) => durable(work(tables[node].view() as never)) },
        apply: applyGroup,
        onCommitted: (notice) => kit.host(node).notify(notice),
      }),
    },
  })
  const kit = linkedHosts([serverOf('n1'), serverOf('d1'), { node: 'c1', server: false, actors: [] }])
  let dc2: Datacenter = datacenter('dc2', 'd1', 'alive')
  const known = () => [datacenter('dc1', 'n1', 'alive'), dc2]
  const startAt = (host: Host) => {
    for (const actor of ['exchange', 'ledger', 'catalog', 'events']) host.start(actor, '', undefined)
    host.start('kv', '', { valueBytesMax: 100 })
    host.start('coordinates', '', { enabled: true })
    host.start('datacenters', '', { known })
  }
  for (const server of ['n1', 'd1']) startAt(kit.host(server))
  kit.use('c1', 'n1')
  kit.settle()
  const apis = new Map(['n1', 'd1', 'c1'].map((node) => [node, createApi(partsOf(node))]))
  const begin = (node: string, method: string, url: string, { isFile = false, ...asking }: AskingThere = {}) => {
    const answers: ApiAnswer[] = []
    const request: ApiRequest = { ...apiRequest(method, url, asking), ...(isFile && { keepBody: () => undefined }) }
    const giveUp = apis.get(node)?.handle(request, (answer) => answers.push(answer)) ?? (() => undefined)
    kit.settle()
    return { answers, giveUp }
  }
  return {
    kit,
    tables,
    begin,
    ask(...of: Parameters<typeof begin>): ApiAnswer {
      const { answers } = begin(...of)
      kit.advance(0)
      const [answer] = answers
      if (!answer) throw new Error(`no answer to ${of[1]} ${of[2]}`)
      return answer
    },
    /** From now on the server of dc2 answers other servers with these. */
    lie(answers: Record<string, unknown>) {
      lies = answers
    },
    say(status: MemberStatus) {
      dc2 = datacenter('dc2', 'd1', status)
    },
  }
}

const datacenters = defineActor<DatacentersProtocol, Record<never, never>, { known: () => Datacenter[] }, { known: () => Datacenter[] }>({
  name: 'datacenters',
  mailboxMax: 10,
  init: (args) => args,
  on: { show: ({ known }) => ({ datacenters: known() }), all: () => undefined },
})

/** The actor, but for what it is told to say. */
function lying(lies: () => Record<string, unknown>): unknown {
  const handlers = Object.entries(exchange.on).map(([name, handler]) => {
    const work = handler as (...told: unknown[]) => unknown
    return [name, (...told: unknown[]) => (name in lies() ? lies()[name] : work(...told))]
  })
  return { ...exchange, on: Object.fromEntries(handlers) }
}

/** In the place of the actor of events: never answers. */
const silent = defineActor<EventsProtocol, Record<never, never>, null>({
  name: 'events',
  mailboxMax: 10,
  init: () => null,
  on: { fire: () => LATER, recent: () => undefined },
})

function datacenter(name: string, node: string, status: MemberStatus): Datacenter {
  return { name, servers: [{ node, name: `${node}.${name}`, address: '127.0.0.1', port: 8302, status }] }
}

function text(answer: ApiAnswer | undefined): string {
  return answer ? `${answer.status} ${answer.bytes.toString()}` : 'nothing'
}

function header({ headers }: ApiAnswer, name: string): string | undefined {
  return headers[headers.indexOf(name) + 1]
}
