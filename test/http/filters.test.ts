import test from 'ava'
import { check, instance, proxyTo, registration } from '../kit/catalog.ts'
import { read, run } from '../kit/http.ts'
import { emptyTables } from '../kit/tables.ts'

/** Two nodes with a service each, and a proxy beside the second. */
function two() {
  const tables = emptyTables()
  const put = (request: object) => tables.apply([{ kind: 'catalog.register', atMs: 0, request }])
  const meta = { zone: 'a' }
  put(
    registration({
      node: 'n1',
      meta,
      taggedAddresses: { lan: '10.0.0.1' },
      service: instance({ name: 'web', id: 'w1', tags: ['v1'], port: 80 }),
    }),
  )
  const slow = check({ checkId: 'c1', serviceId: 'w1', status: 'warning', output: 'slow' })
  const web = instance({ name: 'web', id: 'w1', tags: ['v1'], port: 80 })
  put(registration({ node: 'n1', meta, taggedAddresses: { lan: '10.0.0.1' }, service: web, checks: [slow] }))
  put(registration({ node: 'n2', address: '10.0.0.2', service: instance({ name: 'web', id: 'w2', meta: { version: '2' }, port: 81 }) }))
  put(registration({ node: 'n2', address: '10.0.0.2', service: instance({ name: 'web-proxy', id: 'p2', port: 82, ...proxyTo('web') }) }))
  return tables.view()
}
type Item = { Node: unknown; ServiceID: string; CheckID: string; Service: { ID: string } }
const asked = (path: string, filter: string) => `/v1/${path}?filter=${encodeURIComponent(filter)}`

test('each list knows the names under which it shows its items', (t) => {
  const view = two()
  const found = (path: string, filter: string, key: (item: Item) => unknown) => (read(view, asked(path, filter)).json as Item[]).map(key)
  t.deepEqual(
    found('catalog/nodes', 'Meta.zone == a and lan in TaggedAddresses', ({ Node }) => Node),
    ['n1'],
  )
  t.deepEqual(
    found('catalog/service/web', 'ServiceMeta.version == 2 or ServicePort == 9', ({ ServiceID }) => ServiceID),
    ['w2'],
  )
  t.deepEqual(
    found('catalog/connect/web', 'ServiceKind == "connect-proxy" and ServiceProxy.DestinationServiceName == web', ({ Node }) => Node),
    ['n2'],
  )
  t.deepEqual(
    found(
      'health/service/web',
      'Checks.Status == warning and v1 in Service.Tags and Node.Address != ""',
      ({ Node }) => (Node as { Node: string }).Node,
    ),
    ['n1'],
  )
  t.deepEqual(
    found('health/connect/web', 'Service.Proxy.Upstreams is empty', ({ Service }) => Service.ID),
    ['p2'],
  )
  t.deepEqual(
    found('health/node/n1', 'Output contains slow', ({ CheckID }) => CheckID),
    ['c1'],
  )
  t.deepEqual(
    found('health/checks/web', 'ServiceTags is empty', ({ CheckID }) => CheckID),
    [],
  )
  t.deepEqual(
    found('health/state/any', 'ServiceName matches "^w"', ({ CheckID }) => CheckID),
    ['c1'],
  )
  t.deepEqual(Object.keys((read(view, asked('catalog/node/n2', 'Kind == ""')).json as { Services: object }).Services), ['w2'])
  t.like(read(view, asked('catalog/node-services/n2', 'Kind == "connect-proxy"')).json, { Services: [{ ID: 'p2' }] })
})

test('the lists of an agent are filtered too', async (t) => {
  const list = { services: [], checks: [] }
  t.deepEqual(await run('GET', asked('agent/services', 'Service == web'), { list }), { json: {} })
  t.deepEqual(await run('GET', asked('agent/checks', 'CheckID == c1'), { list }), { json: {} })
})

test('an expression that does not fit is an error even where there is nothing to filter', async (t) => {
  const { view } = emptyTables()
  const wrong = { status: 500, text: 'Failed to create boolean expression evaluator: Selector "Foo" is not valid' }
  const lists = ['nodes', 'service/x', 'connect/x', 'node/x', 'node-services/x'].map((path) => `catalog/${path}`)
  const health = ['service/x', 'connect/x', 'node/x', 'checks/x', 'state/any'].map((path) => `health/${path}`)
  for (const path of [...lists, ...health, 'connect/intentions']) t.deepEqual(read(view(), asked(path, 'Foo == 1')), wrong, path)
  for (const path of ['agent/services', 'agent/checks']) {
    t.deepEqual(await run('GET', asked(path, 'Foo == 1'), { list: { services: [], checks: [] } }), wrong, path)
  }
  t.deepEqual(read(view(), '/v1/health/service/x?passing=maybe&filter=Foo==1'), wrong)
  t.like(read(view(), '/v1/catalog/services?filter=Foo==1'), { json: {} }, 'this list has no filter')
})
