import test from 'ava'
import { base64, bytesOf, createClient, ResponseError, textOf } from '../../src/client/index.ts'
import { startAgent } from '../kit/agents.ts'
import { until } from '../kit/running.ts'

test.serial('every group of the client against an agent', async (t) => {
  t.timeout(60_000)
  const agent = await startAgent(t)
  const client = createClient({ address: agent.address, env: {} })
  t.teardown(() => client.close())
  const consistent = { consistency: 'consistent' } as const

  const { kv } = client
  const big = 0xffff_ffff_ffff_ffffn
  t.true(await kv.put('a/ü ?#%', Uint8Array.of(0, 255), { flags: big }))
  const pair = await kv.get('a/ü ?#%')
  t.like(pair, { Key: 'a/ü ?#%', Flags: big, Value: 'AP8=', LockIndex: 0 })
  t.deepEqual(pair && [...bytesOf(pair)], [0, 255])
  t.true(await kv.put('a/b', 'text', { flags: 7 }))
  t.false(await kv.put('a/b', 'other', { cas: 1 }))
  t.deepEqual([await kv.text('a/b'), await kv.text('none'), await kv.get('none')], ['text', undefined, undefined])
  t.deepEqual(
    (await kv.list('a/')).map(({ Key, Flags }) => [Key, Flags]),
    [
      ['a/b', 7],
      ['a/ü ?#%', big],
    ],
  )
  t.deepEqual([await kv.list('none'), await kv.keys('none'), await kv.keys('', { separator: '/' })], [[], [], ['a/']])
  const set = { KV: { Verb: 'set', Key: 'c', Value: base64('txn'), Flags: 3 } } as const
  t.like(await kv.txn([set, { KV: { Verb: 'get', Key: 'c' } }]), { Errors: null })
  t.like(await kv.txn([set, { KV: { Verb: 'check-not-exists', Key: 'c' } }]), {
    Results: null,
    Errors: [{ OpIndex: 1, What: 'key "c" exists' }],
  })
  t.false(await kv.delete('c', { cas: 1 }))
  t.true(await kv.delete('a/', { recurse: true }))
  t.deepEqual(await kv.keys(''), ['c'])

  const { agent: own, health, catalog } = client
  await own.register({ Name: 'web', ID: 'w/1', Port: 80, Tags: ['x'], Meta: { v: '1' }, Check: { TTL: '1h', Status: 'passing' } })
  t.like(await own.service('w/1'), { ID: 'w/1', Service: 'web', Port: 80, Tags: ['x'], Datacenter: 'dc1' })
  t.is(await own.service('none'), undefined)
  const self = await own.self()
  const { NodeName: node } = self.Config
  await until(
    'the service is in the catalog',
    () => health.service('web', { passing: true, tags: ['x'] }),
    (found) => found.length === 1,
  )
  t.deepEqual(await health.service('web', { tags: ['y'] }), [])
  t.deepEqual(
    (await health.service('web', { filter: 'Service.Meta.v == "1"' })).map(({ Service }) => Service.ID),
    ['w/1'],
  )
  await own.update('service:w/1', 'warning', 'tired')
  t.like((await own.checks())['service:w/1'], { Status: 'warning', Output: 'tired', ServiceID: 'w/1', Type: 'ttl' })
  await own.registerCheck({ Name: 'mem', TTL: '1h', Status: 'passing' })
  await until(
    'the check is in the catalog',
    () => health.node(node, consistent),
    (checks) => checks.some(({ CheckID, Status }) => CheckID === 'mem' && Status === 'passing'),
  )
  await own.deregisterCheck('mem')
  await own.serviceMaintenance('w/1', true, 'new disk')
  t.like((await own.checks())['_service_maintenance:w/1'], { Notes: 'new disk', Status: 'critical' })
  await own.serviceMaintenance('w/1', false)
  await own.maintenance(true)
  t.like((await own.checks())['_node_maintenance'], { Status: 'critical' })
  await own.maintenance(false)
  t.deepEqual(Object.keys(await own.checks()), ['service:w/1'])
  t.deepEqual(await catalog.datacenters(), ['dc1'])
  t.deepEqual(
    (await catalog.nodes({ near: '_agent' })).map(({ Node }) => Node),
    [node],
  )
  t.deepEqual((await catalog.services())['web'], ['x'])
  t.like((await catalog.service('web'))[0], { ServiceID: 'w/1', ServiceMeta: { v: '1' }, Node: node })
  t.deepEqual(Object.keys((await catalog.node(node))?.Services ?? {}).sort(), ['consul', 'w/1'])
  t.is(await catalog.node('none'), null)
  t.deepEqual(
    (await health.state('warning')).map(({ CheckID }) => CheckID),
    ['service:w/1'],
  )
  t.deepEqual((await health.checks('web')).length, 1)
  t.deepEqual(await health.connect('web'), [])
  await own.deregister('w/1')
  t.deepEqual(await own.services(), {})

  const { sessions } = client
  const id = await sessions.create({ Name: 's', TTL: '30s', Behavior: 'delete', LockDelay: '1s' })
  t.like(await sessions.info(id), { ID: id, Name: 's', TTL: '30s', Behavior: 'delete', LockDelay: 1e9, Node: node })
  t.is((await sessions.renew(id)).ID, id)
  t.true(await kv.put('lock', 'mine', { acquire: id }))
  t.like(await kv.get('lock'), { Session: id, LockIndex: 1 })
  t.true(await kv.put('lock', 'mine', { release: id }))
  t.deepEqual([(await sessions.list()).length, (await sessions.node(node)).length, (await sessions.node('none')).length], [1, 1, 0])
  await sessions.destroy(id)
  t.is(await sessions.info(id), undefined)
  t.like(await t.throwsAsync(sessions.renew(id), { instanceOf: ResponseError }), { status: 404 })

  const { intentions, events } = client
  await intentions.set('web', 'db', 'deny', { description: 'no' })
  t.like(await intentions.get('web', 'db'), { SourceName: 'web', DestinationName: 'db', Action: 'deny', Description: 'no' })
  t.deepEqual(
    [await intentions.get('a', 'b'), await intentions.check('web', 'db'), await intentions.check('a', 'db')],
    [undefined, false, true],
  )
  t.deepEqual(
    (await intentions.matching('destination', 'db')).map(({ SourceName }) => SourceName),
    ['web'],
  )
  t.deepEqual(await intentions.matching('source', 'none'), [])
  await intentions.set('web', 'db', 'allow')
  t.true(await intentions.check('web', 'db'))
  await intentions.delete('web', 'db')
  t.deepEqual(await intentions.list(), [])

  const fired = await events.fire('deploy', 'v2', { node })
  t.like(fired, { Name: 'deploy', Payload: base64('v2'), NodeFilter: node })
  for await (const heard of client.watch.events('deploy')) {
    if (heard.some(({ ID }) => ID === fired.ID)) break
  }
  t.deepEqual((await events.list('deploy')).map(textOf), ['v2'])
  t.deepEqual(await events.list('other'), [])
  t.regex((await client.request('GET', '/v1/status/leader')).text, /:\d+/)
})
