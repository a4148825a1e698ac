import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import Consul from 'consul'
import { type Agent, startAgent } from '../kit/agents.ts'
import { until } from '../kit/running.ts'

// The public client of Consul for Node, as it comes from the registry.

async function started(t: ExecutionContext): Promise<{ agent: Agent; consul: Consul }> {
  t.timeout(60_000)
  const agent = await startAgent(t)
  const consul = new Consul({ host: '127.0.0.1', port: agent.ports.http })
  t.teardown(() => consul.destroy())
  return { agent, consul }
}

test.serial('its keys, values, flags, compare-and-set and locks', async (t) => {
  const { consul } = await started(t)
  t.is(await consul.kv.get('none'), undefined as never)
  t.true(await consul.kv.set('app/a', 'hello'))
  t.true(await consul.kv.set({ key: 'app/b', value: Buffer.from([0, 255]), flags: 42 }))
  t.like(await consul.kv.get('app/a'), { Key: 'app/a', Value: 'hello', Flags: 0, LockIndex: 0 })
  t.like(await consul.kv.get('app/b'), { Key: 'app/b', Flags: 42 })
  t.deepEqual(await consul.kv.keys('app/'), ['app/a', 'app/b'])
  t.is((await consul.kv.get({ key: 'app/', recurse: true }) as object[]).length, 2) // biome-ignore format: one line
  const before = await consul.kv.get('app/a')
  t.falsy(await consul.kv.set({ key: 'app/a', value: 'x', cas: 1 }))
  t.true(await consul.kv.set({ key: 'app/a', value: 'x', cas: before?.ModifyIndex ?? 0 }))

  const { ID: session } = await consul.session.create({ name: 'me', ttl: '20s', lockdelay: '0s' })
  const { ID: other } = await consul.session.create({ name: 'you' })
  t.true(await consul.kv.set({ key: 'lock', value: 'mine', acquire: session }))
  t.falsy(await consul.kv.set({ key: 'lock', value: 'yours', acquire: other }))
  t.like(await consul.kv.get('lock'), { Session: session, LockIndex: 1 })
  t.like(await consul.session.info(session), { ID: session, Name: 'me', TTL: '20s', Behavior: 'release' })
  t.is((await consul.session.list()).length, 2)
  t.is((await consul.session.renew(session)).length, 1)
  await consul.session.destroy(session)
  t.false('Session' in ((await consul.kv.get('lock')) ?? {}))
  t.true(await consul.kv.del({ key: 'app/', recurse: true }))
  t.is(await consul.kv.get('app/a'), undefined as never)
})

test.serial('its registrations, checks and maintenance', async (t) => {
  const { consul } = await started(t)
  const { service, check } = consul.agent
  await service.register({
    name: 'web',
    id: 'web1',
    port: 80,
    tags: ['v1'],
    meta: { a: 'b' },
    check: { name: 'alive', ttl: '1m', timeout: '' },
  })
  const status = async () => (await consul.health.checks('web')).map((one) => one.Status)
  t.deepEqual(await status(), ['critical'])
  await check.pass({ id: 'service:web1', note: 'fine' })
  t.deepEqual(await status(), ['passing'])
  t.like(await consul.agent.services(), { web1: { Service: 'web', Tags: ['v1'], Meta: { a: 'b' }, Port: 80 } })
  t.like(await check.list(), { 'service:web1': { Status: 'passing', Output: 'fine' } })
  t.is((await consul.health.service({ service: 'web', passing: true })).length, 1)
  t.is((await consul.health.service({ service: 'web', filter: 'Service.Meta.a == "c"' })).length, 0)
  await check.warn('service:web1')
  await check.fail('service:web1')
  t.is((await consul.health.service({ service: 'web', passing: true })).length, 0)
  await service.maintenance({ id: 'web1', enable: true, reason: 'new disks' })
  t.like(await check.list(), { '_service_maintenance:web1': { Status: 'critical', Notes: 'new disks' } })
  await service.maintenance({ id: 'web1', enable: false })
  await consul.agent.maintenance(true)
  t.true('_node_maintenance' in (await check.list()))
  await consul.agent.maintenance(false)
  await check.register({ name: 'mine', ttl: '10s', timeout: '1s', notes: 'n' })
  await check.deregister('mine')
  await service.deregister('web1')
  t.deepEqual(await consul.agent.services(), {})
})

test.serial('its catalog, members, status, events, queries and transactions', async (t) => {
  const { consul } = await started(t)
  await consul.agent.service.register({ name: 'db', port: 5_432, tags: ['primary'] })
  const [node] = await consul.catalog.node.list()
  t.deepEqual(await consul.catalog.datacenters(), ['dc1'])
  t.deepEqual(await consul.catalog.service.list(), { consul: [], db: ['primary'] } as never)
  t.like((await consul.catalog.service.nodes('db'))[0], { ServiceName: 'db', ServicePort: 5_432 })
  t.like(await consul.catalog.node.services(node.Node), { Services: { db: { Port: 5_432 } } })
  t.is((await consul.health.node(node.Node)).length, 1)
  t.true((await consul.health.state({ state: 'any' })).length > 0)
  t.is((await consul.agent.members()).length, 1)
  t.regex(await consul.status.leader(), /^127\.0\.0\.1:\d+$/)
  t.is((await consul.status.peers()).length, 1)
  t.is((await consul.agent.self()).Config.Datacenter, 'dc1')

  const fired = await consul.event.fire({ name: 'deploy', payload: 'v2' })
  const events = await until('the event is listed', () => consul.event.list('deploy'), (found) => found.length === 1) // biome-ignore format: one line
  t.like(events[0], { ID: fired.ID, Payload: 'v2' })

  const { ID: id } = await consul.query.create({ name: 'main-db', service: { service: 'db', onlypassing: true } })
  t.like((await consul.query.execute('main-db')).Nodes[0], { Service: { Service: 'db' } })
  await t.notThrowsAsync(consul.query.explain('main-db'))
  t.is((await consul.query.get(id)).Service.Service, 'db')
  await consul.query.update({ query: id, name: 'main-db', service: { service: 'web' } })
  t.deepEqual((await consul.query.execute('main-db')).Nodes, [])
  t.is((await consul.query.list()).length, 1)

  const write = { verb: 'set', key: 'a', value: Buffer.from('x').toString('base64') }
  const done = await consul.transaction.create([{ KV: write } as never, { KV: { verb: 'get', key: 'a' } } as never], {} as never)
  t.is(done.Results?.length, 2)
  const failed = await t.throwsAsync(consul.transaction.create([{ KV: { verb: 'check-not-exists', key: 'a' } } as never], {} as never))
  t.regex(failed?.message ?? '', /conflict/)
})

test.serial('its watches hear of changes', async (t) => {
  const { consul } = await started(t)
  const watch = consul.watch({ method: consul.kv.get, options: { key: 'watched' } })
  t.teardown(() => watch.end())
  const problems: unknown[] = []
  watch.on('error', (error) => problems.push(error))
  const [none] = await once(watch, 'change')
  t.is(none, undefined)
  for (const value of ['one', 'two']) {
    const changed = once(watch, 'change')
    await consul.kv.set('watched', value)
    t.like((await changed)[0], { Value: value })
  }
  const services = consul.watch({ method: consul.health.service, options: { service: 'web' } })
  t.teardown(() => services.end())
  t.deepEqual((await once(services, 'change'))[0], [])
  const appeared = once(services, 'change')
  await consul.agent.service.register('web')
  t.is((await appeared)[0].length, 1)
  t.deepEqual(problems, [])
})

test.serial('what it is refused, it is told in the words that it expects', async (t) => {
  const { consul } = await started(t)
  const misplaced = { name: 'x', address: '0.0.0.0' }
  await t.throwsAsync(consul.agent.service.register(misplaced), { message: 'Invalid service address' })
  await t.throwsAsync(consul.agent.check.pass('nope'), { message: /CheckID "nope" does not have associated TTL/ })
  await t.throwsAsync(consul.catalog.node.list({ filter: 'x ==' }), { message: 'internal server error' })
})
