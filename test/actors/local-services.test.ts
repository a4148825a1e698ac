import test from 'ava'
import { catalogNode, connectInstances, onlyPassing, serviceInstances } from '../../actors/catalog/queries.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import { check, instance, registration } from '../kit/catalog.ts'
import { managedProxy, service, tcpCheck, tryLocal, ttlCheck } from '../kit/local.ts'
import type { TestTables } from '../kit/tables.ts'

function catalogIds(tables: TestTables): string[] {
  return catalogNode(tables.view(), 'n1').services.map(({ id }) => id)
}
function checkIds(tables: TestTables, name: string): string[] {
  return serviceInstances(tables.view(), name).instances.flatMap(({ instance: { checks } }) => checks.map(({ checkId }) => checkId))
}

test('a server registers its node, that it is alive, and the service that all servers have', (t) => {
  const a = tryLocal()
  const { node, services } = catalogNode(a.tables.view(), 'n1')
  t.like(node, { address: '10.0.0.1', meta: { 'consul-network-segment': '' }, checks: [{ checkId: 'serfHealth', status: 'passing' }] })
  t.like(services, [{ id: 'consul', port: 8300, meta: { version: '1.10.12' } }])
})

test('a registration is answered once it is kept and in the catalog', (t) => {
  const a = tryLocal()
  a.holdStore()
  const call = a.call('registerService', { service: service({ name: 'web' }), replaceExistingChecks: false, token: '' })
  t.is(call.result, undefined)
  t.deepEqual(catalogIds(a.tables), ['consul'])
  a.outcome('store', { records: [] })
  t.is(call.result, null)
  t.deepEqual(catalogIds(a.tables), ['consul', 'web'])
})

test('a service under the name of that of all servers leaves that one behind', (t) => {
  const a = tryLocal()
  const of = () => catalogNode(a.tables.view(), 'n1').services.map(({ id, port }) => [id, port])
  a.register(service({ name: 'consul', port: 1 }))
  t.deepEqual(of(), [['consul', 1]])
  t.is(a.ask('deregisterService', { serviceId: 'consul', token: '' }), null)
  t.deepEqual(of(), [['consul', 8300]])
})

test('what cannot be kept is refused and is nowhere', (t) => {
  const a = tryLocal()
  a.holdStore()
  const call = a.call('registerService', { service: service({ name: 'web' }), replaceExistingChecks: false, token: '' })
  a.outcome('store', refuse('busy', 'the disk is full'))
  t.deepEqual(call.result, refuse('busy', 'the disk is full'))
  t.deepEqual(catalogIds(a.tables), ['consul'])
  t.deepEqual(a.state.services.size, 0)
})

test('registrations of the API survive the end of the process, with the ports of their sidecars', (t) => {
  const a = tryLocal()
  const sidecar = service({ name: '', id: '', port: 0 })
  a.register(
    service({
      name: 'web',
      checks: [ttlCheck('service:web', { serviceId: 'web', status: 'passing' })],
      connect: { native: false, sidecarService: sidecar },
    }),
  )
  a.register(service({ name: 'db', connect: { native: false, sidecarService: sidecar } }))
  a.ask('deregisterService', { serviceId: 'web', token: '' })
  const b = tryLocal({ boot: 'second' }, { kept: a.kept, tables: a.tables })
  t.deepEqual([...b.state.services.keys()], ['db', 'db-sidecar-proxy'])
  t.is(b.state.services.get('db-sidecar-proxy')?.definition.port, 21_001)
  t.deepEqual(catalogIds(b.tables), ['consul', 'db', 'db-sidecar-proxy'])
})

test('a service in a file wins over one of the API, which is forgotten', (t) => {
  const a = tryLocal()
  a.register(service({ name: 'web', port: 1 }))
  const b = tryLocal({ boot: 'second', services: [service({ name: 'web', port: 2 })] }, { kept: a.kept, tables: a.tables })
  t.is(b.state.services.get('web')?.definition.port, 2)
  t.is(b.kept.has('service/web'), false)
  t.is(serviceInstances(b.tables.view(), 'web').instances[0]?.instance.port, 2)
})

test('a reload removes what left the files and leaves alone what came through the API', (t) => {
  const a = tryLocal({ services: [service({ name: 'web' }), service({ name: 'old' })], checks: [ttlCheck('disk')] })
  a.register(service({ name: 'api' }))
  t.is(a.ask('reload', { services: [service({ name: 'web', port: 81 })], checks: [] }), null)
  t.deepEqual(catalogIds(a.tables), ['api', 'consul', 'web'])
  t.is(a.state.services.get('web')?.definition.port, 81)
  t.deepEqual([...a.state.checks.keys()], [])
})

test('after a crash the newest definitions of the files hold, and checks are as the catalog has them', (t) => {
  const a = tryLocal()
  a.ask('reload', { services: [service({ name: 'web', checks: [tcpCheck('c', { serviceId: 'web' })] })], checks: [] })
  a.cast('checked', { checkId: 'c', status: 'passing', output: 'ok' })
  a.crash()
  t.deepEqual([...a.state.services.keys()], ['web'])
  t.like(a.state.checks.get('c'), { status: 'passing', output: 'ok' })
})

test('earlier checks stay unless they are to be replaced', (t) => {
  const a = tryLocal()
  const with1 = (id: string) => service({ name: 'web', checks: [ttlCheck(id, { serviceId: 'web' })] })
  a.register(with1('one'))
  a.register(with1('two'))
  t.deepEqual(checkIds(a.tables, 'web'), ['one', 'two'])
  a.ask('registerCheck', { check: ttlCheck('own', { serviceId: 'web' }), token: '' })
  a.register(with1('three'), true)
  t.deepEqual(checkIds(a.tables, 'web'), ['three'])
  t.deepEqual(a.keptIds(), ['service/web'])
})

test('a service that is registered anew keeps how its checks are', (t) => {
  const a = tryLocal()
  const web = service({ name: 'web', checks: [ttlCheck('c', { serviceId: 'web' })] })
  a.register(web)
  a.ask('ttlUpdate', { checkId: 'c', status: 'passing', output: 'fine', token: '' })
  a.register({ ...web, port: 81 })
  t.like(a.state.checks.get('c'), { status: 'passing', output: 'fine' })
})

test('a sidecar is filled in from its service and goes with it', (t) => {
  const a = tryLocal()
  const sidecarService = service({ name: '', id: '', port: 0 })
  a.register(service({ id: 'web1', name: 'web', tags: ['v1'], meta: { a: 'b' }, port: 8080, connect: { native: false, sidecarService } }))
  t.like(serviceInstances(a.tables.view(), 'web-sidecar-proxy').instances[0]?.instance, {
    id: 'web1-sidecar-proxy',
    kind: 'connect-proxy',
    tags: ['v1'],
    meta: { a: 'b' },
    port: 21_000,
    proxy: { destinationServiceName: 'web', destinationServiceId: 'web1', localServiceAddress: '127.0.0.1', localServicePort: 8080 },
    checks: [
      { name: 'Connect Sidecar Listening', type: 'tcp' },
      { name: 'Connect Sidecar Aliasing web1', type: 'alias', status: 'passing' },
    ],
  })
  a.ask('deregisterService', { serviceId: 'web1', token: '' })
  t.deepEqual(catalogIds(a.tables), ['consul'])
})

test('a sidecar removed by itself does not come back', (t) => {
  const a = tryLocal()
  a.register(service({ name: 'web', connect: { native: false, sidecarService: service({ name: '', id: '', port: 0 }) } }))
  a.ask('deregisterService', { serviceId: 'web-sidecar-proxy', token: '' })
  t.deepEqual(catalogIds(a.tables), ['consul', 'web'])
  const b = tryLocal({ boot: 'second' }, { kept: a.kept })
  t.deepEqual([...b.state.services.keys()], ['web'])
})

test('when the range of ports is used up, a sidecar is refused', (t) => {
  const a = tryLocal({ sidecarPorts: { from: 21_000, to: 21_000 } })
  const asking = (name: string) => service({ name, connect: { native: false, sidecarService: service({ name: '', id: '', port: 0 }) } })
  a.register(asking('a'))
  t.like(a.register(asking('b')), {
    why: 'Bad request: no port provided for sidecar_service and none left in the configured range [21000, 21000]',
  })
  t.is(a.register(asking('a')), null)
})

test('a managed proxy is announced when it listens, and goes with its service', (t) => {
  const a = tryLocal({ services: [service({ name: 'web', connect: managedProxy })] })
  const feed = a.subscribe('services', null)
  t.like(feed.values.at(-1), [{ id: 'web' }])
  t.is(a.ask('proxyListening', { serviceId: 'web', address: '127.0.0.1', port: 20_000 }), null)
  t.like(serviceInstances(a.tables.view(), 'web-proxy').instances[0]?.instance, {
    id: 'web-proxy',
    address: '127.0.0.1',
    port: 20_000,
    checks: [{ name: 'Connect Proxy Listening', type: 'tcp', status: 'passing' }],
  })
  a.ask('reload', { services: [], checks: [] })
  t.deepEqual(catalogIds(a.tables), ['consul'])
  t.deepEqual(feed.values.at(-1), [])
  t.like(a.ask('proxyListening', { serviceId: 'web', address: '127.0.0.1', port: 20_000 }), { refused: 'missing' })
})

test('nobody is sent to a managed proxy whose service is not well', (t) => {
  const a = tryLocal({ services: [service({ name: 'web', connect: managedProxy, checks: [ttlCheck('alive', { serviceId: 'web' })] })] })
  a.ask('proxyListening', { serviceId: 'web', address: '10.0.0.1', port: 20_000 })
  const passing = () => onlyPassing(connectInstances(a.tables.view(), 'web').instances).length
  t.is(passing(), 0)
  a.ask('ttlUpdate', { checkId: 'alive', status: 'passing', output: '', token: '' })
  t.is(passing(), 1)
  a.ask('ttlUpdate', { checkId: 'alive', status: 'critical', output: '', token: '' })
  t.is(passing(), 0)
})

test('what proxy_defaults say holds for a managed proxy whose service says nothing else, one from the API too', (t) => {
  const proxyDefaults = { upstreams: [], opaque: {}, tcpCheckAddress: '10.9.9.9' }
  const a = tryLocal({ allowManagedApiRegistration: true, proxyDefaults })
  a.register(service({ name: 'web', connect: managedProxy }))
  a.ask('proxyListening', { serviceId: 'web', address: '127.0.0.1', port: 20_000 })
  t.is(a.state.checks.get('service:web-proxy')?.definition.tcp, '10.9.9.9:20000')
  const config = { upstreams: [], opaque: {}, tcpCheckAddress: '10.1.1.1' }
  a.register(service({ name: 'own', connect: { native: false, proxy: { execMode: 'daemon', command: [], config } } }))
  a.ask('proxyListening', { serviceId: 'own', address: '127.0.0.1', port: 20_001 })
  t.is(a.state.checks.get('service:own-proxy')?.definition.tcp, '10.1.1.1:20001')

  const b = tryLocal({ allowManagedApiRegistration: true, proxyDefaults: { ...proxyDefaults, disableTcpCheck: true } })
  b.register(service({ name: 'web', connect: managedProxy }))
  b.ask('proxyListening', { serviceId: 'web', address: '127.0.0.1', port: 20_000 })
  t.true(b.state.services.has('web-proxy'))
  t.is(b.state.checks.get('service:web-proxy'), undefined)
})

test('a managed proxy that the catalog still knows is not removed before it listens again', (t) => {
  const services = [service({ name: 'web', connect: managedProxy })]
  const a = tryLocal({ services })
  a.ask('proxyListening', { serviceId: 'web', address: '127.0.0.1', port: 20_000 })
  const b = tryLocal({ services, boot: 'second' }, { kept: a.kept, tables: a.tables })
  t.deepEqual(catalogIds(b.tables), ['consul', 'web', 'web-proxy'])
})

test('the API may not start proxies or run programs unless it is allowed to', (t) => {
  const a = tryLocal()
  t.like(a.register(service({ name: 'web', connect: managedProxy })), {
    why: 'Bad request: Managed proxy registration via the API is disallowed.',
  })
  const script = tcpCheck('x', { type: 'script', args: ['true'] })
  t.like(a.ask('registerCheck', { check: script, token: '' }), {
    why: "Scripts are disabled on this agent from remote calls; to enable, configure 'enable_script_checks' to true",
  })
  t.like(a.ask('registerCheck', { check: tcpCheck('x', { type: 'docker', args: ['true'] }), token: '' }), {
    why: "Scripts are disabled on this agent from remote calls; to enable, configure 'enable_script_checks' to true",
  })
  t.like(a.ask('registerCheck', { check: tcpCheck('x', { serviceId: 'nope' }), token: '' }), { why: 'ServiceID "nope" does not exist' })
  const b = tryLocal({ remoteScripts: true, allowManagedApiRegistration: true })
  t.is(b.register(service({ name: 'web', connect: managedProxy })), null)
  t.is(b.ask('registerCheck', { check: script, token: '' }), null)
})

test('a full comparison repairs the catalog in both directions', (t) => {
  const a = tryLocal({ services: [service({ name: 'web', checks: [ttlCheck('c', { serviceId: 'web' })] })] })
  a.commit('catalog.register', registration({ service: instance({ name: 'foreign' }), checks: [check({ checkId: 'stray' })] }))
  a.commit('catalog.deregister', { node: 'n1', serviceId: 'web', checkId: '' })
  a.pass(120_000)
  t.deepEqual(catalogIds(a.tables), ['consul', 'web'])
  t.deepEqual(checkIds(a.tables, 'web'), ['c'])
  t.like(catalogNode(a.tables.view(), 'n1').node, { id: '11111111-1111-1111-1111-111111111111', checks: [{ checkId: 'serfHealth' }] })
})

test('after a start the second full comparison comes early: the copy of the catalog may have been behind', (t) => {
  const a = tryLocal({ services: [service({ name: 'web' })] })
  const removeInCatalog = () => a.commit('catalog.deregister', { node: 'n1', serviceId: 'web', checkId: '' })
  removeInCatalog()
  a.pass(30_000)
  t.deepEqual(catalogIds(a.tables), ['consul', 'web'])
  removeInCatalog()
  a.pass(30_000)
  t.deepEqual(catalogIds(a.tables), ['consul'])
})

test('a check that comes while its service is being removed is refused, and not kept', (t) => {
  const a = tryLocal()
  a.register(service({ name: 'web' }))
  a.holdStore()
  const removed = a.call('deregisterService', { serviceId: 'web', token: '' })
  const late = a.call('serviceMaintenance', { serviceId: 'web', enable: true, reason: '', token: '' })
  a.outcome('store', { records: [] })
  a.outcome('store', { records: [] })
  t.is(removed.result, null)
  t.deepEqual(late.result, refuse('conflict', 'ServiceID "web" does not exist'))
  t.like(a.acts('store')[0], { do: 'remove', kind: 'check', key: '_service_maintenance:web' })
  t.deepEqual([...a.state.checks.keys()], [])
})

test('a full comparison that finds nothing proposes nothing', (t) => {
  const a = tryLocal()
  a.register(service({ name: 'web', checks: [tcpCheck('open', { serviceId: 'web' })] }))
  a.effects()
  a.pass(300_000)
  t.deepEqual(
    a.effects().filter(({ did }) => did === 'commit'),
    [],
  )
})

test('with enable_tag_override the tags in the catalog win', (t) => {
  const web = service({ name: 'web', tags: ['mine'], enableTagOverride: true })
  const a = tryLocal({ services: [web] })
  a.commit(
    'catalog.register',
    registration({ skipNodeUpdate: true, service: instance({ name: 'web', port: 80, tags: ['theirs'], enableTagOverride: true }) }),
  )
  a.pass(120_000)
  t.deepEqual(a.state.services.get('web')?.definition.tags, ['theirs'])
  t.deepEqual(serviceInstances(a.tables.view(), 'web').instances[0]?.instance.tags, ['theirs'])
})

test('one service can be followed by its id', (t) => {
  const a = tryLocal()
  const feed = a.subscribe('serviceChanges', { serviceId: 'web' })
  a.register(service({ name: 'web' }))
  a.register(service({ name: 'other' }))
  a.ask('deregisterService', { serviceId: 'web', token: '' })
  t.deepEqual(
    feed.values.map((value) => value?.definition.name ?? null),
    [null, 'web', null],
  )
})

test('a reload may change the metadata of the node and whether outputs are announced, also beyond a crash', (t) => {
  const a = tryLocal({ checks: [tcpCheck('c')] })
  a.ask('reload', { services: [], checks: [tcpCheck('c')], nodeMeta: { rack: 'r1' }, discardCheckOutput: true })
  const shown = () => catalogNode(a.tables.view(), 'n1').node?.meta
  t.deepEqual(shown(), { rack: 'r1', 'consul-network-segment': '' })
  a.crash()
  a.cast('checked', { checkId: 'c', status: 'passing', output: 'long' })
  t.deepEqual(shown(), { rack: 'r1', 'consul-network-segment': '' })
  t.is(catalogNode(a.tables.view(), 'n1').node?.checks.find(({ checkId }) => checkId === 'c')?.output, '')
})
