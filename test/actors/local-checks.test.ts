import test from 'ava'
import { nodeChecks } from '../../actors/catalog/queries.ts'
import { check, registration } from '../kit/catalog.ts'
import { service, tcpCheck, tryLocal, ttlCheck } from '../kit/local.ts'
import type { TestTables } from '../kit/tables.ts'

function inCatalog(tables: TestTables, checkId: string) {
  return nodeChecks(tables.view(), 'n1').checks.find((placed) => placed.check.checkId === checkId)?.check
}
const pass = (checkId: string) => ({ checkId, status: 'passing' as const, output: 'fine', token: '' })

test('a TTL check is critical until its owner speaks, and again when it falls silent', (t) => {
  const a = tryLocal()
  a.ask('registerCheck', { check: ttlCheck('c'), token: '' })
  t.like(inCatalog(a.tables, 'c'), { status: 'critical', type: 'ttl', interval: '0s' })
  t.is(a.ask('ttlUpdate', pass('c')), null)
  t.like(inCatalog(a.tables, 'c'), { status: 'passing', output: 'fine' })
  a.pass(9_999)
  t.is(inCatalog(a.tables, 'c')?.status, 'passing')
  a.pass(1)
  t.like(inCatalog(a.tables, 'c'), { status: 'critical', output: 'TTL expired (last output before timeout follows): fine' })
})

test('a TTL check without an output says that it expired', (t) => {
  const a = tryLocal()
  a.ask('registerCheck', { check: ttlCheck('c'), token: '' })
  a.pass(10_000)
  t.is(a.state.checks.get('c')?.output, 'TTL expired')
})

test('the last word about a TTL check survives a restart within the TTL, and not beyond', (t) => {
  const a = tryLocal()
  a.ask('registerCheck', { check: ttlCheck('c'), token: '' })
  a.ask('ttlUpdate', pass('c'))
  const soon = tryLocal({ boot: 'second' }, { kept: a.kept, nowMs: a.nowMs + 4_000 })
  t.like(soon.state.checks.get('c'), { status: 'passing', output: 'fine' })
  soon.pass(5_999)
  t.is(soon.state.checks.get('c')?.status, 'passing')
  soon.pass(1)
  t.is(soon.state.checks.get('c')?.status, 'critical')
  const late = tryLocal({ boot: 'third' }, { kept: a.kept, nowMs: a.nowMs + 10_000 })
  t.is(late.state.checks.get('c')?.status, 'critical')
})

test('the last word about a TTL check counts no longer than the TTL after a restart, though the clock was set back', (t) => {
  const a = tryLocal()
  a.ask('registerCheck', { check: ttlCheck('c'), token: '' })
  a.ask('ttlUpdate', pass('c'))
  const back = tryLocal({ boot: 'second' }, { kept: a.kept, nowMs: a.nowMs - 100_000 })
  back.pass(9_999)
  t.is(back.state.checks.get('c')?.status, 'passing')
  back.pass(1)
  t.is(back.state.checks.get('c')?.status, 'critical')
})

test('only TTL checks take a word from outside', (t) => {
  const a = tryLocal({ checks: [tcpCheck('tcp')] })
  t.like(a.ask('ttlUpdate', pass('tcp')), { refused: 'conflict', why: 'CheckID "tcp" does not have associated TTL' })
  t.like(a.ask('ttlUpdate', pass('nope')), { why: 'CheckID "nope" does not have associated TTL' })
})

test('a long output is cut and says so', (t) => {
  const a = tryLocal({ checks: [ttlCheck('c', { outputMaxSize: 5 })] })
  a.ask('ttlUpdate', { checkId: 'c', status: 'warning', output: '123456789', token: '' })
  t.is(inCatalog(a.tables, 'c')?.output, '12345 ... (captured 5 of 9 bytes)')
})

test('a new status is announced at once, a new output alone only later', (t) => {
  const a = tryLocal({ checks: [tcpCheck('c')] })
  a.cast('checked', { checkId: 'c', status: 'passing', output: 'one' })
  t.like(inCatalog(a.tables, 'c'), { status: 'passing', output: 'one' })
  a.cast('checked', { checkId: 'c', status: 'passing', output: 'two' })
  a.pass(149_999)
  t.is(inCatalog(a.tables, 'c')?.output, 'one')
  a.pass(300_001)
  t.is(inCatalog(a.tables, 'c')?.output, 'two')
})

test('with no update interval every output is announced', (t) => {
  const a = tryLocal({ checks: [tcpCheck('c')], checkUpdateIntervalMs: 0 })
  a.cast('checked', { checkId: 'c', status: 'critical', output: 'one' })
  t.is(inCatalog(a.tables, 'c')?.output, 'one')
})

test('outputs may be discarded', (t) => {
  const a = tryLocal({ checks: [tcpCheck('c')], discardCheckOutput: true })
  a.cast('checked', { checkId: 'c', status: 'passing', output: 'one' })
  t.like(inCatalog(a.tables, 'c'), { status: 'passing', output: '' })
})

test('maintenance takes a service or the node out of use and gives it back', (t) => {
  const a = tryLocal({ services: [service({ name: 'web' })] })
  t.like(a.ask('serviceMaintenance', { serviceId: 'nope', enable: true, reason: '', token: '' }), {
    refused: 'missing',
    why: 'No service registered with ID "nope"',
  })
  a.ask('serviceMaintenance', { serviceId: 'web', enable: true, reason: 'new disk', token: '' })
  t.like(inCatalog(a.tables, '_service_maintenance:web'), {
    name: 'Service Maintenance Mode',
    status: 'critical',
    notes: 'new disk',
    type: 'maintenance',
    interval: '',
  })
  a.ask('nodeMaintenance', { enable: true, reason: '', token: '' })
  t.is(
    inCatalog(a.tables, '_node_maintenance')?.notes,
    'Maintenance mode is enabled for this node, but no reason was provided. This is a default message.',
  )
  const b = tryLocal({ services: [service({ name: 'web' })], boot: 'second' }, { kept: a.kept, tables: a.tables })
  t.is(inCatalog(b.tables, '_service_maintenance:web')?.status, 'critical')
  b.ask('serviceMaintenance', { serviceId: 'web', enable: false, reason: '', token: '' })
  b.ask('nodeMaintenance', { enable: false, reason: '', token: '' })
  t.is(inCatalog(b.tables, '_service_maintenance:web'), undefined)
  t.is(inCatalog(b.tables, '_node_maintenance'), undefined)
})

test('an alias follows the worst check of a service here', (t) => {
  const a = tryLocal({
    services: [service({ name: 'web', checks: [tcpCheck('c', { serviceId: 'web', name: 'up' })] })],
    checks: [tcpCheck('alias', { type: 'alias', aliasService: 'web', tcp: '' })],
  })
  t.like(inCatalog(a.tables, 'alias'), { status: 'critical', output: 'Aliased check "up" failing: ' })
  a.cast('checked', { checkId: 'c', status: 'warning', output: 'slow' })
  t.like(inCatalog(a.tables, 'alias'), { status: 'warning', output: 'Aliased check "up" failing: slow' })
  a.cast('checked', { checkId: 'c', status: 'passing', output: 'ok' })
  t.like(inCatalog(a.tables, 'alias'), { status: 'passing', output: 'All checks passing.' })
  a.ask('reload', { services: [], checks: [tcpCheck('alias', { type: 'alias', aliasService: 'web', tcp: '' })] })
  t.like(inCatalog(a.tables, 'alias'), { status: 'critical', output: 'Service web could not be found on node ' })
})

test('an alias of a node follows the catalog', (t) => {
  const a = tryLocal({ checks: [tcpCheck('alias', { type: 'alias', aliasNode: 'far', tcp: '' })] })
  t.like(a.state.checks.get('alias'), { status: 'passing', output: 'No checks found.' })
  a.commit('catalog.register', registration({ node: 'far', checks: [check({ checkId: 'disk', status: 'critical', output: 'full' })] }))
  t.like(inCatalog(a.tables, 'alias'), { status: 'critical', output: 'Aliased check "disk" failing: full' })
})

test('two aliases of each other come to rest', (t) => {
  const mutual = (id: string, of: string) => tcpCheck(id, { type: 'alias', aliasService: of, serviceId: id.slice(1), tcp: '' })
  const a = tryLocal({
    services: [
      service({ name: 'x', checks: [mutual('cx', 'y'), tcpCheck('t', { serviceId: 'x' })] }),
      service({ name: 'y', checks: [mutual('cy', 'x')] }),
    ],
  })
  a.cast('checked', { checkId: 't', status: 'passing', output: '' })
  t.is(a.state.checks.get('t')?.status, 'passing')
})

test('a service whose check is critical for too long is removed', (t) => {
  const a = tryLocal()
  const c = tcpCheck('c', { serviceId: 'web', deregisterCriticalServiceAfterMs: 90_000, status: 'passing' })
  a.register(service({ name: 'web', checks: [c] }))
  a.pass(200_000)
  a.cast('checked', { checkId: 'c', status: 'critical', output: '' })
  a.pass(80_000)
  t.true(a.state.services.has('web'))
  a.pass(60_000)
  t.false(a.state.services.has('web'))
  t.deepEqual(a.keptIds(), [])
})

test('checks that need looking at are told together', (t) => {
  const a = tryLocal()
  const feed = a.subscribe('checks', null)
  a.register(service({ name: 'web', checks: [tcpCheck('b', { serviceId: 'web' }), ttlCheck('t', { serviceId: 'web' })] }))
  a.ask('registerCheck', { check: tcpCheck('a'), token: '' })
  a.pass(1_000)
  t.deepEqual(
    feed.values.map((value) => value.map(({ id }) => id)),
    [[], ['a', 'b']],
  )
})

test('every kind of check is looked at, but for those that are told or follow others', (t) => {
  const a = tryLocal({ remoteScripts: true })
  const feed = a.subscribe('checks', null)
  const kinds = ['http', 'tcp', 'script', 'grpc', 'docker', 'h2ping', 'ttl', 'alias'] as const
  for (const type of kinds) t.is(a.ask('registerCheck', { check: tcpCheck(type, { type }), token: '' }), null)
  a.ask('nodeMaintenance', { enable: true, reason: '', token: '' })
  a.pass(1_000)
  t.deepEqual(feed.values.at(-1)?.map(({ id }) => id), ['docker', 'grpc', 'h2ping', 'http', 'script', 'tcp']) // biome-ignore format: one line
})
