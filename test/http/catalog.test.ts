import test from 'ava'
import fc from 'fast-check'
import { origin } from '../../actors/coordinates/tables.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { asked, read } from '../kit/http.ts'
import { emptyTables, type TestTables } from '../kit/tables.ts'

/** Sends a request to the catalog and lets its command be applied. */
function put(tables: TestTables, url: string, body: unknown): unknown {
  const question = asked('PUT', url, body)
  if (!('to' in question)) return question
  const { token: _token, ...request } = question.request as { token: string }
  return tables.apply([{ kind: `catalog.${question.name}`, atMs: 0, request }])[0]
}
function external(): TestTables {
  const tables = emptyTables()
  put(tables, '/v1/catalog/register', {
    Node: 'ext1',
    Address: '10.0.0.9',
    NodeMeta: { 'external-node': 'true' },
    Service: { Service: 'db', Port: 5432, Tags: ['primary'], Address: '10.0.0.10' },
    Check: { Name: 'p', Status: 'warning', ServiceID: 'db' },
  })
  return tables
}
const text = (json: unknown) => JSON.stringify(json)

const NODE =
  '{"ID":"","Node":"ext1","Address":"10.0.0.9","Datacenter":"dc1","TaggedAddresses":null,"Meta":{"external-node":"true"},"CreateIndex":1,"ModifyIndex":1}'
const SERVICE =
  '{"ID":"db","Service":"db","Tags":["primary"],"Address":"10.0.0.10","Meta":null,"Port":5432,"Weights":{"Passing":1,"Warning":1},"EnableTagOverride":false,"Proxy":{"Mode":"","MeshGateway":{},"Expose":{}},"Connect":{},"CreateIndex":1,"ModifyIndex":1}'
const CHECK =
  '{"Node":"ext1","CheckID":"p","Name":"p","Status":"warning","Notes":"","Output":"","ServiceID":"db","ServiceName":"db","ServiceTags":["primary"],"Type":"","Interval":"","Timeout":"","ExposedPort":0,"Definition":{},"CreateIndex":1,"ModifyIndex":1}'

test('a registration from outside is shown byte for byte as Consul shows it', (t) => {
  const view = external().view()
  t.is(text(read(view, '/v1/catalog/nodes').json), `[${NODE}]`)
  t.is(text(read(view, '/v1/catalog/services').json), '{"db":["primary"]}')
  t.is(
    text(read(view, '/v1/catalog/service/db').json),
    '[{"ID":"","Node":"ext1","Address":"10.0.0.9","Datacenter":"dc1","TaggedAddresses":null,"NodeMeta":{"external-node":"true"},"ServiceKind":"","ServiceID":"db","ServiceName":"db","ServiceTags":["primary"],"ServiceAddress":"10.0.0.10","ServiceWeights":{"Passing":1,"Warning":1},"ServiceMeta":{},"ServicePort":5432,"ServiceSocketPath":"","ServiceEnableTagOverride":false,"ServiceProxy":{"Mode":"","MeshGateway":{},"Expose":{}},"ServiceConnect":{},"CreateIndex":1,"ModifyIndex":1}]',
  )
  t.is(text(read(view, '/v1/catalog/node/ext1').json), `{"Node":${NODE},"Services":{"db":${SERVICE}}}`)
  t.is(text(read(view, '/v1/catalog/node-services/ext1').json), `{"Node":${NODE},"Services":[${SERVICE}]}`)
  t.is(text(read(view, '/v1/health/service/db').json), `[{"Node":${NODE},"Service":${SERVICE},"Checks":[${CHECK}]}]`)
  t.is(text(read(view, '/v1/health/checks/db').json), `[${CHECK}]`)
  t.is(text(read(view, '/v1/health/node/ext1').json), `[${CHECK}]`)
  t.is(text(read(view, '/v1/health/state/warning').json), `[${CHECK}]`)
})

test('what is not there is shown as Consul shows it', (t) => {
  const { view } = emptyTables()
  for (const path of [
    'catalog/nodes',
    'catalog/service/x',
    'catalog/connect/x',
    'health/service/x',
    'health/node/x',
    'health/checks/x',
    'health/state/zz',
  ]) {
    t.deepEqual(read(view(), `/v1/${path}`).json, [])
  }
  t.is(read(view(), '/v1/catalog/node/x').json, null)
  t.deepEqual(read(view(), '/v1/catalog/node-services/x').json, { Node: null, Services: null })
  t.deepEqual(read(view(), '/v1/catalog/services').json, {})
  t.is(read(view(), '/v1/status/leader').json, '')
  t.deepEqual(read(view(), '/v1/status/peers').json, [])
})

test('a proxy is shown with what it reaches, and is found by it', (t) => {
  const tables = emptyTables()
  put(tables, '/v1/catalog/register', {
    Node: 'n',
    Address: '10.0.0.9',
    Service: {
      Kind: 'connect-proxy',
      ID: 'p2',
      Service: 'proxy2',
      Port: 9001,
      Proxy: { DestinationServiceName: 'web', Upstreams: [{ DestinationName: 'db', LocalBindPort: 1234 }] },
    },
  })
  const [found] = read(tables.view(), '/v1/catalog/connect/web').json as { ServiceProxy: unknown; ServiceKind: string; ServiceID: string }[]
  t.is(
    text(found?.ServiceProxy),
    '{"DestinationServiceName":"web","Mode":"","Upstreams":[{"DestinationType":"service","DestinationName":"db","Datacenter":"","LocalBindPort":1234,"MeshGateway":{}}],"MeshGateway":{},"Expose":{}}',
  )
  t.like(found, { ServiceKind: 'connect-proxy', ServiceID: 'p2' })
  t.like(read(tables.view(), '/v1/health/connect/web').json, [{ Service: { ID: 'p2' } }])
})

test('lists are narrowed down by tags, metadata and health, and ordered by nearness', (t) => {
  const tables = emptyTables()
  for (const [node, rack, tags, status] of [
    ['a', 'r1', ['x'], 'passing'],
    ['b', 'r2', ['x', 'y'], 'critical'],
    ['n1', 'r1', ['Y'], 'passing'],
  ] as const) {
    put(tables, '/v1/catalog/register', {
      Node: node,
      Address: '10.0.0.1',
      NodeMeta: { rack },
      Service: { Service: 'web', Tags: tags },
      Checks: [{ CheckID: 'c', Status: status }],
    })
  }
  const nodes = (path: string) =>
    (read(tables.view(), `/v1/${path}`).json as { Node: string | { Node: string } }[]).map(({ Node }) =>
      typeof Node === 'string' ? Node : Node.Node,
    )
  t.deepEqual(nodes('catalog/service/WEB'), ['a', 'b', 'n1'])
  t.deepEqual(nodes('catalog/service/web?tag=y'), ['b', 'n1'])
  t.deepEqual(nodes('catalog/service/web?tag=y&tag=x'), ['b'])
  t.deepEqual(nodes('catalog/service/web?node-meta=rack:r1'), ['a', 'n1'])
  t.deepEqual(nodes('catalog/nodes?node-meta=rack:r2'), ['b'])
  t.deepEqual(nodes('catalog/nodes?node-meta=rack:r1&node-meta=rack:r2'), ['b'], 'of one key the last value counts')
  t.deepEqual(nodes('health/service/web?passing'), ['a', 'n1'])
  t.deepEqual(nodes('health/service/web?passing=false'), ['a', 'b', 'n1'])
  t.deepEqual(nodes('catalog/service/web?near=b'), ['a', 'b', 'n1'], 'nobody knows where b is')
  const at = (node: string, first: number) => ({ node, segment: '', coordinate: { ...origin(), vec: [first, 0, 0, 0, 0, 0, 0, 0] } })
  tables.apply([{ kind: 'coordinates.update', atMs: 0, request: { updates: [at('b', 0.01), at('n1', 0.02)] } }])
  t.deepEqual(nodes('catalog/service/web?near=B'), ['b', 'n1', 'a'])
  t.deepEqual(nodes('health/service/web?near=b'), ['b', 'n1', 'a'])
  t.deepEqual(nodes('health/state/any?near=n1'), ['n1', 'b', 'a'])
  t.deepEqual(nodes('catalog/nodes?near=_agent'), ['n1', 'b', 'a'])
  t.deepEqual(read(tables.view(), '/v1/catalog/services?node-meta=rack:r1').json, { web: ['x', 'Y'] })
})

test('wrong requests are answered with the words that Consul has for them', (t) => {
  const { view } = emptyTables()
  t.deepEqual(read(view(), '/v1/catalog/service/'), { status: 400, text: 'Missing service name' })
  t.deepEqual(read(view(), '/v1/health/service/x?passing=maybe'), { status: 400, text: 'Invalid value for ?passing' })
  const why = (body: unknown) => (asked('PUT', '/v1/catalog/register', body) as { text?: string; why?: string }).text
  t.is(why(''), 'Request decode failed: EOF')
  t.is(why({ Node: 5 }), 'Request decode failed: json: cannot unmarshal number into field Node of type string')
  t.is(
    why({ Service: { Service: 'x', Port: '80' } }),
    'Request decode failed: json: cannot unmarshal string into field Service.Port of type int',
  )
  t.like(asked('PUT', '/v1/catalog/register', { Node: 'n', Address: 'a', Check: { Status: 'passing' } }), {
    refused: 'invalid',
    why: 'Must provide check ID or name',
  })
  t.like(asked('PUT', '/v1/catalog/register', { Service: { ID: 'x' } }), { refused: 'invalid', why: 'Must provide service name with ID' })
})

test('the definition of a check from outside is kept as far as it says something', (t) => {
  const tables = emptyTables()
  const Definition = { Interval: '10s', Timeout: 5e9, HTTP: 'http://x', TCP: '', Header: { a: ['b'] }, TLSSkipVerify: true, Odd: 1 }
  put(tables, '/v1/catalog/register', { Node: 'n', Address: 'a', Checks: [{ Name: 'c', Definition }] })
  for (const wrong of ['1e400', '-1e300', 'true', '"x"']) {
    const body = `{"Node":"n","Address":"a","Checks":[{"Name":"c","Definition":{"Interval":${wrong}}}]}`
    t.like(asked('PUT', '/v1/catalog/register', body), { status: 400 }, wrong)
  }
  const [shown] = read(tables.view(), '/v1/health/node/n').json as { Definition: unknown; Status: string }[]
  t.is(shown?.Status, 'critical')
  t.deepEqual(shown?.Definition, { Interval: '10s', Timeout: '5s', HTTP: 'http://x', TLSSkipVerify: true, Header: { a: ['b'] } })
})

test('noise in a body is an error or a registration, never a crash', (t) => {
  const keys = fc.constantFrom(
    'Node',
    'Address',
    'Service',
    'Check',
    'Checks',
    'Proxy',
    'Tags',
    'Weights',
    'TaggedAddresses',
    'Definition',
    'Interval',
  )
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof({ depthSize: 'small' }, fc.jsonValue(), fc.dictionary(keys, tie('tree'))),
  }))
  fc.assert(
    fc.property(fc.oneof(tree.map(text), fc.string()), (body) => {
      const tables = emptyTables()
      const outcome = put(tables, '/v1/catalog/register', body)
      return outcome === null || isRefused(outcome) || (outcome as { status: number }).status >= 400
    }),
  )
  t.pass()
})
