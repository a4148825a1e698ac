import test from 'ava'
import type { CatalogDeregister, CatalogRegister } from '../../actors/catalog/commands.ts'
import { catalogNode, connectInstances, nodeChecks, serviceInstances, stateChecks } from '../../actors/catalog/queries.ts'
import { lastIndex } from '../../actors/command.ts'
import { check, instance, proxyTo, registration } from '../kit/catalog.ts'
import { emptyTables, type TestTables } from '../kit/tables.ts'

const ID_A = '11111111-1111-1111-1111-111111111111'
const ID_B = '22222222-2222-2222-2222-222222222222'

function register(tables: TestTables, given: Partial<CatalogRegister> = {}): unknown {
  return tables.apply([{ kind: 'catalog.register', atMs: 0, request: registration(given) }])[0]
}
function deregister(tables: TestTables, given: Partial<CatalogDeregister> = {}): unknown {
  return tables.apply([{ kind: 'catalog.deregister', atMs: 0, request: { node: 'n1', serviceId: '', checkId: '', ...given } }])[0]
}
function indexes(tables: TestTables, name: string) {
  return { service: serviceInstances(tables.view(), name).index, connect: connectInstances(tables.view(), name).index }
}

test('a node, its service and their checks are registered at one index', (t) => {
  const tables = emptyTables()
  const checks = [check({ checkId: 'disk' }), check({ checkId: 'up', serviceId: 'web1', status: 'warning' })]
  t.is(register(tables, { service: instance({ id: 'web1', name: 'web', tags: ['v1'] }), checks }), null)
  const { index, instances } = serviceInstances(tables.view(), 'WEB')
  t.is(index, 1)
  t.like(instances[0], {
    node: { name: 'n1', modifyIndex: 1, checks: [{ checkId: 'disk', createIndex: 1 }] },
    instance: { id: 'web1', createIndex: 1, checks: [{ checkId: 'up', status: 'warning' }] },
  })
})

test('what is already so takes no index', (t) => {
  const tables = emptyTables()
  const same = { service: instance({ name: 'web' }), checks: [check({ checkId: 'up', serviceId: 'web' })] }
  register(tables, same)
  register(tables, same)
  t.is(lastIndex(tables.view()), 1)
})

test('a registration is refused with the words that Consul has for it, and changes nothing', (t) => {
  const tables = emptyTables()
  const why = (given: Partial<CatalogRegister>) => (register(tables, given) as { why: string }).why
  t.is(why({ node: '' }), 'Must provide node')
  t.is(why({ address: '' }), 'Must provide address if SkipNodeUpdate is not set')
  t.is(why({ id: 'nope' }), 'Bad node ID: uuid string is wrong length: 4')
  t.is(why({ service: instance({ id: 'x', name: '' }) }), 'Must provide service name with ID')
  t.is(why({ checks: [check({ checkId: 'c', serviceId: 'no' })] }), 'failed inserting check: Missing service registration on node "n1"')
  t.is(why({ checks: [check({ checkId: 'c', node: 'n2' })] }), 'check node "n2" does not match node "n1"')
  t.is(why({ node: 'a\u0000b' }), 'Node name contains the character U+0000')
  t.is(why({ service: instance({ name: 'é'.repeat(300) }) }), 'Service name is too long (600 > 512 bytes)')
  t.is((deregister(tables, { node: '' }) as { why: string }).why, 'Must provide node')
  t.is(lastIndex(tables.view()), 0)
})

test('the index of a service moves with its instances, its checks, its node and the checks of its node, and with nothing else', (t) => {
  const tables = emptyTables()
  register(tables, { service: instance({ name: 'web' }) })
  register(tables, { node: 'n2', service: instance({ name: 'db' }) })
  t.is(indexes(tables, 'web').service, 1)
  register(tables, { service: instance({ name: 'db' }) })
  t.is(indexes(tables, 'web').service, 1)
  register(tables, { checks: [check({ checkId: 'up', serviceId: 'web' })] })
  t.is(indexes(tables, 'web').service, 4)
  register(tables, { checks: [check({ checkId: 'disk' })] })
  t.is(indexes(tables, 'web').service, 5)
  register(tables, { address: '10.0.0.9' })
  t.is(indexes(tables, 'web').service, 6)
  register(tables, { node: 'n2', address: '10.0.0.8' })
  t.is(indexes(tables, 'web').service, 6)
})

test('a service that vanished has the index of the last one to vanish', (t) => {
  const tables = emptyTables()
  register(tables, { service: instance({ name: 'web' }) })
  t.is(indexes(tables, 'nope').service, 0)
  deregister(tables, { serviceId: 'web' })
  t.is(indexes(tables, 'web').service, 2)
  t.is(indexes(tables, 'nope').service, 2)
  t.deepEqual(serviceInstances(tables.view(), 'web').instances, [])
})

test('proxies and native services are found by what they reach', (t) => {
  const tables = emptyTables()
  register(tables, { service: instance({ name: 'web' }) })
  register(tables, { service: instance({ name: 'web-proxy', ...proxyTo('Web') }) })
  register(tables, { service: instance({ name: 'web', id: 'native', native: true }) })
  const ids = () => connectInstances(tables.view(), 'web').instances.map((found) => found.instance.id)
  t.deepEqual(ids(), ['native', 'web-proxy'])
  register(tables, { service: instance({ name: 'web-proxy', ...proxyTo('db') }) })
  t.deepEqual(ids(), ['native'])
  t.is(indexes(tables, 'web').connect, 4)
  t.is(connectInstances(tables.view(), 'db').instances.length, 1)
})

test('a service may change its name under the same id, with its checks', (t) => {
  const tables = emptyTables()
  register(tables, { service: instance({ id: 's', name: 'old' }), checks: [check({ checkId: 'up', serviceId: 's' })] })
  register(tables, { service: instance({ id: 's', name: 'new' }) })
  t.deepEqual(serviceInstances(tables.view(), 'old').instances, [])
  t.is(serviceInstances(tables.view(), 'new').instances[0]?.instance.checks.length, 1)
  t.like(nodeChecks(tables.view(), 'n1').checks, [{ service: { name: 'new' } }])
})

test('a node is renamed by its id, and what was on it goes', (t) => {
  const tables = emptyTables()
  register(tables, { id: ID_A, service: instance({ name: 'web' }) })
  register(tables, { id: ID_A, node: 'renamed' })
  t.is(catalogNode(tables.view(), 'n1').node, undefined)
  t.like(catalogNode(tables.view(), 'renamed').node, { id: ID_A, createIndex: 1, modifyIndex: 2 })
  t.deepEqual(serviceInstances(tables.view(), 'web').instances, [])
})

test('the name of a live node is not given to another id; that of a failed one is', (t) => {
  const tables = emptyTables()
  register(tables, { id: ID_A, checks: [check({ checkId: 'serfHealth' })] })
  t.like(register(tables, { id: ID_B, node: 'N1' }), { refused: 'conflict' })
  register(tables, { checks: [check({ checkId: 'serfHealth', status: 'critical' })] })
  t.is(register(tables, { id: ID_B }), null)
  t.is(catalogNode(tables.view(), 'n1').node?.id, ID_B)
})

test('a node is left alone when that is asked for', (t) => {
  const tables = emptyTables()
  register(tables)
  register(tables, { address: '', skipNodeUpdate: true, service: instance({ name: 'web' }) })
  t.like(catalogNode(tables.view(), 'n1'), { node: { address: '10.0.0.1', modifyIndex: 1 }, services: [{ name: 'web' }] })
})

test('a check that changes its owner is in one place only', (t) => {
  const tables = emptyTables()
  register(tables, { service: instance({ name: 'web' }), checks: [check({ checkId: 'c' })] })
  register(tables, { checks: [check({ checkId: 'c', serviceId: 'web' })] })
  t.deepEqual(catalogNode(tables.view(), 'n1').node?.checks, [])
  t.is(stateChecks(tables.view(), 'any').checks.length, 1)
})

test('a node goes with everything on it', (t) => {
  const tables = emptyTables()
  register(tables, { service: instance({ name: 'web' }), checks: [check({ checkId: 'a' }), check({ checkId: 'b', serviceId: 'web' })] })
  deregister(tables)
  t.deepEqual(stateChecks(tables.view(), 'any').checks, [])
  t.deepEqual(nodeChecks(tables.view(), 'n1'), { index: 2, checks: [] })
  t.is(deregister(tables), null)
  t.is(lastIndex(tables.view()), 2)
})

test('checks in a state have an index of their own', (t) => {
  const tables = emptyTables()
  const index = (state: string) => stateChecks(tables.view(), state).index
  register(tables, { checks: [check({ checkId: 'a' })] })
  register(tables, { checks: [check({ checkId: 'b', status: 'critical' })] })
  t.deepEqual([index('passing'), index('critical'), index('any')], [1, 2, 2])
  register(tables, { checks: [check({ checkId: 'b', status: 'warning' })] })
  t.deepEqual([index('passing'), index('critical'), index('warning')], [1, 3, 3])
})
