// biome-ignore-all lint/suspicious/noTemplateCurlyInString: prepared queries have places of this form.
import { Resolver } from 'node:dns/promises'
import test from 'ava'
import { startAgent } from '../kit/agents.ts'
import { until } from '../kit/running.ts'

test.serial('a prepared query is asked over HTTP and over DNS, and lives no longer than its session', async (t) => {
  t.timeout(60_000)
  const agent = await startAgent(t)
  const resolver = new Resolver()
  resolver.setServers([`127.0.0.1:${agent.ports.dns}`])
  const place = (Node: string, Address: string) =>
    agent.http('PUT', '/v1/catalog/register', { Node, Address, Service: { Service: 'db', Port: 5432, Tags: [Node] } })
  await place('a', '10.0.0.1')
  await place('b', '10.0.0.2')
  const template = { Type: 'name_prefix_match', Regexp: '^db-on-(.+)$' }
  const body = { Name: 'db-', Template: template, Service: { Service: 'db', Tags: ['${match(1)}'] }, DNS: { TTL: '7s' } }
  const created = await agent.http('POST', '/v1/query', body)
  t.is(created.status, 200)
  t.like(await agent.http('OPTIONS', '/v1/query/x'), { status: 200, text: '{}\n' })
  const { Nodes } = await agent.json<{ Nodes: { Node: { Node: string } }[] }>('/v1/query/db-on-b/execute')
  t.deepEqual(
    Nodes.map(({ Node }) => Node.Node),
    ['b'],
  )
  t.deepEqual(await resolver.resolve4('db-on-a.query.consul', { ttl: true }), [{ address: '10.0.0.1', ttl: 7 }])
  t.like(await resolver.resolveSrv('db-on-b.query.dc1.consul'), [{ name: 'b.node.dc1.consul', port: 5432 }])
  await t.throwsAsync(resolver.resolve4('db-on-c.query.consul'), { code: 'ENOTFOUND' })
  await until('the own node', () => agent.http('GET', '/v1/coordinate/nodes'), ({ text }) => text.includes('"Node"')) // biome-ignore format: one line
  const session = JSON.parse((await agent.http('PUT', '/v1/session/create', {})).text) as { ID: string }
  const bound = await agent.http('POST', '/v1/query', { Session: session.ID, Service: { Service: 'db' } })
  const { ID } = JSON.parse(bound.text) as { ID: string }
  t.is((await agent.http('GET', `/v1/query/${ID}/execute`)).status, 200)
  await agent.http('PUT', `/v1/session/destroy/${session.ID}`)
  t.is((await agent.http('GET', `/v1/query/${ID}`)).status, 404)
})

test.serial('who waits for an event gets it at once, whichever thread has the connection', async (t) => {
  t.timeout(60_000)
  const agent = await startAgent(t)
  const fired = await agent.tribune('event', '-name=first', 'hello')
  t.is(fired.code, 0)
  t.regex(fired.out, /^Event ID: [0-9a-f-]{36}\n$/)
  const index = await until(
    'the first event',
    async () => (await agent.http('GET', '/v1/event/list?name=first')).headers['x-consul-index'],
    (known) => known !== '1',
  )
  const waiting = Promise.all([1, 2, 3].map(() => agent.http('GET', `/v1/event/list?index=${index}&wait=50s`)))
  await agent.http('PUT', '/v1/event/fire/second', 'x')
  for (const { text, headers } of await waiting) {
    t.deepEqual(
      (JSON.parse(text) as { Name: string; Payload: string }[]).map(({ Name, Payload }) => [Name, Payload]),
      [
        ['first', 'aGVsbG8='],
        ['second', 'eA=='],
      ],
    )
    t.not(headers['x-consul-index'], index)
  }
  t.is((await agent.http('GET', '/v1/event/list?name=nobody')).headers['x-consul-index'], '1')
})

test.serial('rtt knows where the agent itself is', async (t) => {
  const agent = await startAgent(t)
  await until('its coordinate', () => agent.json<object[]>('/v1/coordinate/nodes'), ({ length }) => length === 1) // biome-ignore format: one line
  const [own] = await agent.json<{ Node: string }[]>('/v1/coordinate/nodes')
  t.is((await agent.tribune('rtt', own?.Node ?? '')).out, `Estimated ${own?.Node} <-> ${own?.Node} rtt: 0.020 ms (using LAN coordinates)\n`)
})
