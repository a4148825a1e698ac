// biome-ignore-all lint/suspicious/noTemplateCurlyInString: prepared queries have places of this form.
import test from 'ava'
import { origin } from '../../actors/coordinates/tables.ts'
import type { PreparedQuery } from '../../actors/prepared-queries/tables.ts'
import type { ReadRoute } from '../../src/http/route.ts'
import { check, instance, proxyTo, registration } from '../kit/catalog.ts'
import { asked, read, requested, run } from '../kit/http.ts'
import { preparedQuery, template } from '../kit/queries.ts'
import { emptyTables, type TestTables } from '../kit/tables.ts'

const ID = '963d373b-0000-4000-8000-00000000000A'

function tablesWith(...queries: PreparedQuery[]): TestTables {
  const tables = emptyTables()
  queries.forEach((query, position) => {
    const id = `${ID.slice(0, -1)}${'abc'[position]}`.toLowerCase()
    tables.apply([{ kind: 'queries.create', atMs: 0, request: { id, query } }])
  })
  return tables
}

type Executed = { Service: string; Nodes: { Node: { Node: string }; Checks: { ServiceTags: unknown }[] }[]; DNS: object; Failovers: number }

function execute(tables: TestTables, url: string): Executed {
  return read(tables.view(), url).json as Executed
}

function names(tables: TestTables, url: string): string {
  return execute(tables, url)
    .Nodes.map(({ Node }) => Node.Node)
    .join('')
}

test('a query is shown byte for byte as Consul shows it', (t) => {
  const { view } = tablesWith(preparedQuery())
  const shown =
    '[{"ID":"963d373b-0000-4000-8000-00000000000a","Name":"q1","Session":"","Token":"","Template":{"Type":"","Regexp":"","RemoveEmptyTags":false},"Service":{"Service":"web","Failover":{"NearestN":0,"Datacenters":null},"OnlyPassing":false,"IgnoreCheckIDs":null,"Near":"","Tags":null,"NodeMeta":null,"ServiceMeta":null,"Connect":false},"DNS":{"TTL":""},"CreateIndex":1,"ModifyIndex":1}]'
  for (const url of ['/v1/query', `/v1/query/${ID}`]) {
    const { index, json } = read(view(), url)
    t.is(index, 1)
    t.is(JSON.stringify(json), shown)
  }
  t.deepEqual(read(emptyTables().view(), '/v1/query'), { index: 0, json: [] })
  t.deepEqual(read(view(), `/v1/query/${ID.replace('9', '8')}`), { status: 404, text: 'Query not found' })
  t.deepEqual(read(view(), '/v1/query/nosuch'), {
    status: 500,
    headers: { 'X-Consul-Index': '1', 'X-Consul-Knownleader': 'false', 'X-Consul-Lastcontact': '0' },
    text: 'failed prepared query lookup: index error: UUID must be 36 characters',
  })
})

test('a body says everything about a query, in any case of its keys', async (t) => {
  const service = {
    Service: 'web',
    Failover: { NearestN: 3, Datacenters: ['dc2'] },
    OnlyPassing: true,
    IgnoreCheckIDs: [],
    Near: '_agent',
    Tags: ['a', '!b'],
    NodeMeta: {},
    ServiceMeta: { v: '1' },
    Connect: true,
  }
  const body = { name: 'Q', Session: 's', Token: 't', Template: { Regexp: 'x' }, Service: service, DNS: { TTL: '10s' }, CreateIndex: 1 }
  t.like(asked('POST', '/v1/query', body), {
    to: { actor: 'prepared-queries' },
    name: 'create',
    request: {
      query: {
        name: 'Q',
        session: 's',
        token: 't',
        template: { type: '', regexp: 'x', removeEmptyTags: false },
        dns: { ttl: '10s', ttlMs: 10_000 },
        service: {
          service: 'web',
          failover: { nearestN: 3, datacenters: ['dc2'] },
          onlyPassing: true,
          ignoreCheckIds: [],
          near: '_agent',
          tags: ['a', '!b'],
          nodeMeta: {},
          serviceMeta: { v: '1' },
          connect: true,
        },
      },
    },
  })
  t.like(asked('PUT', `/v1/query/${ID}`, body), { name: 'update', request: { id: ID.toLowerCase() } })
  t.like(asked('DELETE', `/v1/query/${ID}`), { name: 'delete', request: { id: ID.toLowerCase() } })
  t.deepEqual(await run('DELETE', `/v1/query/${ID}`, { delete: null }), {})
})

test('a wrong body is answered with the words of Consul', (t) => {
  const wrong: [body: unknown, status: number, text: RegExp][] = [
    ['{', 400, /^Bad request: Request decode failed: /],
    [{ Foo: 1 }, 400, /^Bad request: Request decode failed: json: unknown field "Foo"$/],
    [{ Service: { Foo: 1 } }, 400, /json: unknown field "Foo"$/],
    [{ Service: { Tags: 'a' } }, 400, /json: cannot unmarshal string into field Service.Tags of type \[\]string$/],
    [{ Service: [] }, 400, /json: cannot unmarshal array into field Service of type object$/],
    [{ ID }, 500, /^ID must be empty when creating a new prepared query$/],
    [
      { Name: 'q', Service: { Service: 'web' }, DNS: { TTL: 'x' } },
      500,
      /^Invalid prepared query: Bad DNS TTL 'x': time: invalid duration "x"$/,
    ],
    [{ Name: 'q', Service: { Service: 'web' }, DNS: { TTL: '-1s' } }, 500, /^Invalid prepared query: DNS TTL '-1000000000', must be >=0$/],
    [{ Name: 'q', DNS: { TTL: 'x' } }, 500, /^Invalid prepared query: Must provide a Service name to query$/],
  ]
  for (const [body, status, text] of wrong) {
    const reply = asked('POST', '/v1/query', body) as { status?: number; text?: string }
    t.is(reply.status, status, JSON.stringify(body))
    t.regex(reply.text ?? '', text)
  }
  t.like(asked('POST', '/v1/query'), { name: 'create', request: { query: { name: '' } } })
  for (const method of ['PUT', 'DELETE']) {
    t.deepEqual(asked(method, '/v1/query/x', method === 'PUT' ? {} : ''), {
      status: 500,
      text: 'Prepared Query lookup failed: failed prepared query lookup: index error: UUID must be 36 characters',
    })
  }
})

test('an execution has the fields of Consul, and says that it does not wait', (t) => {
  const tables = tablesWith(preparedQuery({ dns: { ttl: '10s', ttlMs: 10_000 } }))
  const service = instance({ name: 'web', tags: ['v1'] })
  tables.apply([
    {
      kind: 'catalog.register',
      atMs: 0,
      request: registration({ service, checks: [check({ checkId: 'node' }), check({ checkId: 'own', serviceId: 'web' })] }),
    },
  ])
  const reply = read(tables.view(), '/v1/query/Q1/execute?index=99')
  t.false('index' in reply)
  t.like(reply.headers, { 'X-Consul-Index': '1', 'X-Consul-Knownleader': 'true', 'X-Consul-Effective-Consistency': 'leader' })
  const { Nodes, ...rest } = reply.json as Executed
  t.is(
    JSON.stringify(rest),
    '{"Service":"web","DNS":{"TTL":"10s"},"Datacenter":"dc1","Failovers":0,"Index":1,"LastContact":0,"KnownLeader":true,"ConsistencyLevel":"leader","NotModified":false,"Backend":0}',
  )
  t.deepEqual(
    Nodes[0]?.Checks.map(({ ServiceTags }) => ServiceTags),
    [null, ['v1']],
  )
  t.deepEqual(Object.keys(reply.json as object).slice(0, 3), ['Service', 'Nodes', 'DNS'])
  t.like(read(tables.view(), '/v1/query/q1/execute?stale').json, { ConsistencyLevel: 'stale' })
})

test('only instances are given that are well enough and have what the query wants', (t) => {
  const tables = tablesWith(
    preparedQuery({ name: 'all' }),
    preparedQuery({ name: 'some', ...template('some-(.*)') }, { tags: ['${match(1)}', '!old'], onlyPassing: true }),
    preparedQuery({ name: 'meta' }, { nodeMeta: { rack: '1' }, serviceMeta: { v: '2' }, ignoreCheckIds: ['disk'], connect: false }),
  )
  const put = (node: string, tags: string[], rack: string, v: string, status: 'passing' | 'warning' | 'critical', checkId = 'c') => {
    const service = instance({ name: 'web', tags, meta: { v } })
    tables.apply([
      { kind: 'catalog.register', atMs: 0, request: registration({ node, meta: { rack }, service, checks: [check({ checkId, status })] }) },
    ])
  }
  put('a', ['X'], '1', '2', 'passing')
  put('b', ['x', 'OLD'], '1', '2', 'passing')
  put('c', ['x'], '2', '2', 'warning')
  put('d', ['x'], '1', '1', 'critical')
  put('e', ['y'], '1', '2', 'critical', 'disk')
  const sorted = (url: string) => [...names(tables, url)].sort().join('')
  t.is(sorted('/v1/query/all/execute'), 'abc')
  t.is(sorted('/v1/query/some-x/execute'), 'a')
  t.is(sorted('/v1/query/meta/execute'), 'abe')
  t.is(names(tables, '/v1/query/all/execute?limit=2').length, 2)
  t.is(names(tables, '/v1/query/all/execute?limit=-2').length, 3)
  t.is(names(tables, '/v1/query/all/execute?connect=true'), '')
  tables.apply([
    {
      kind: 'catalog.register',
      atMs: 0,
      request: registration({ node: 'p', service: instance({ name: 'web-proxy', ...proxyTo('web') }) }),
    },
  ])
  t.is(names(tables, '/v1/query/all/execute?connect=1'), 'p')
  t.like(execute(tables, '/v1/query/some-nothing/execute'), { Nodes: [], Failovers: 0 })
})

test('the nearest come first, of the node that the asker or else the query names', (t) => {
  const tables = tablesWith(
    preparedQuery({ name: 'any' }),
    preparedQuery({ name: 'agent' }, { near: '_agent' }),
    preparedQuery({ name: 'ip' }, { near: '_ip' }),
  )
  const place = (node: string, address: string, first: number) => {
    tables.apply([{ kind: 'catalog.register', atMs: 0, request: registration({ node, address, service: instance({ name: 'web' }) }) }])
    const coordinate = { ...origin(), vec: [first, 0, 0, 0, 0, 0, 0, 0] }
    tables.apply([{ kind: 'coordinates.update', atMs: 0, request: { updates: [{ node, segment: '', coordinate }] } }])
  }
  place('n1', '10.0.0.1', 1)
  place('a', '10.0.0.2', 2)
  place('b', '10.0.0.3', 3)
  place('c', '127.0.0.1', 4)
  t.is(names(tables, '/v1/query/agent/execute'), 'n1abc')
  t.is(names(tables, '/v1/query/ip/execute'), 'cban1')
  t.is(names(tables, '/v1/query/any/execute?near=B')[0], 'b')
  t.is(names(tables, '/v1/query/agent/execute?near=C'), 'cban1')
  t.is(names(tables, '/v1/query/any/execute?near=_agent&limit=1'), 'n1')
  t.is(names(tables, '/v1/query/agent/execute?near=nope').length, 5)
})

test('a node is the first itself, even where others are as near', (t) => {
  const tables = tablesWith(preparedQuery({}, { near: 'b' }))
  for (const node of ['a', 'b', 'c']) {
    tables.apply([{ kind: 'catalog.register', atMs: 0, request: registration({ node, service: instance({ name: 'web' }) }) }])
  }
  t.is(names(tables, '/v1/query/q1/execute')[0], 'b')
})

test('explain shows what a template makes of a name; what nobody has is not found', (t) => {
  const tables = tablesWith(preparedQuery({ name: 'geo-', ...template() }, { service: '${name.suffix}' }))
  t.like(read(tables.view(), '/v1/query/geo-db/explain').json, { Query: { Name: 'geo-', Service: { Service: 'db' } }, Index: 1 })
  t.is(execute(tables, '/v1/query/geo-db/execute').Service, 'db')
  for (const what of ['execute', 'explain']) {
    t.deepEqual(read(tables.view(), `/v1/query/nope/${what}`), { status: 404, text: 'Query not found' })
  }
  t.like(read(tables.view(), '/v1/query/geo-db/execute?limit=9223372036854775808'), {
    status: 500,
    text: 'Bad limit: strconv.Atoi: parsing "9223372036854775808": value out of range',
  })
  t.like(read(tables.view(), '/v1/query/geo-db/execute?limit=%2B9223372036854775807'), { json: { Failovers: 0 } })
  t.deepEqual(read(tables.view(), '/v1/query/geo-db/execute?limit=x'), {
    status: 500,
    text: 'Bad limit: strconv.Atoi: parsing "x": invalid syntax',
  })
  t.deepEqual(read(tables.view(), '/v1/query/geo-db/execute?connect=x'), {
    status: 500,
    text: `Error parsing 'connect' value: strconv.ParseBool: parsing "x": invalid syntax`,
  })
})

test('only an execution can come out of the cache; it and its explanation are measured as on servers of Consul', (t) => {
  const of = (url: string) => {
    const { route, request } = requested('GET', url)
    const { saysCache } = route as ReadRoute
    return [typeof saysCache === 'function' && saysCache(request), route.metric?.(request)]
  }
  t.deepEqual(of('/v1/query/q1/execute'), [true, 'prepared-query.execute'])
  t.deepEqual(of('/v1/query/q1/explain'), [false, 'prepared-query.explain'])
  t.deepEqual(of(`/v1/query/${ID}`), [false, undefined])
})
