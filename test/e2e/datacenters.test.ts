import { Resolver } from 'node:dns/promises'
import test, { type ExecutionContext } from 'ava'
import { type Agent, type AgentPorts, agentPorts, startAgent, temporaryDirectory } from '../kit/agents.ts'
import { freePorts } from '../kit/free-ports.ts'
import { until } from '../kit/running.ts'

type Executed = { Nodes: { Node: { Node: string } }[]; Datacenter: string; Failovers: number }

test('two datacenters: keys, services, names, queries and commands across; without the other one, and with it again', async (t) => {
  t.timeout(170_000)
  const free = await freePorts()
  const [near, far, ofClient] = [agentPorts(free), agentPorts(free), agentPorts(free)]
  const farData = temporaryDirectory(t)
  const server = await startServer(t, 's1', 'dc1', temporaryDirectory(t), near, far)
  const starting = () => startServer(t, 'd1', 'dc2', farData, far, near)
  let other = await starting()
  const join = ['-retry-join', `127.0.0.1:${near.serfLan}`]
  const client = await startAgent(t, { args: common('c1', 'dc1', temporaryDirectory(t), join), ports: ofClient })
  const reached = () =>
    until(
      'dc2 answers',
      () => client.http('GET', '/v1/status/leader?dc=dc2'),
      ({ status }) => status === 200,
    )
  await reached()
  for (const agent of [server, client]) t.deepEqual(await agent.json('/v1/catalog/datacenters'), ['dc1', 'dc2'])
  t.is((await client.tribune('catalog', 'datacenters')).out, 'dc1\ndc2\n')
  t.regex((await server.tribune('info')).out, /known_datacenters = 2/)

  t.is((await client.http('PUT', '/v1/kv/greeting?dc=dc2', 'hello')).text, 'true')
  t.is((await other.http('GET', '/v1/kv/greeting?raw')).text, 'hello')
  t.is((await server.http('GET', '/v1/kv/greeting')).status, 404)
  t.is((await client.tribune('kv', 'get', '-datacenter=dc2', 'greeting')).out, 'hello\n')
  const first = await client.http('GET', '/v1/kv/greeting?dc=dc2')
  const blocked = client.http('GET', `/v1/kv/greeting?raw&dc=dc2&wait=30s&index=${first.headers['x-consul-index']}`)
  t.is((await server.http('PUT', '/v1/kv/greeting?dc=dc2', 'changed')).text, 'true')
  t.is((await blocked).text, 'changed')

  t.is((await other.http('PUT', '/v1/agent/service/register', { Name: 'web', Port: 80 })).status, 200)
  const found = () => client.json<{ Node: string }[]>('/v1/catalog/service/web?dc=dc2')
  t.is((await until('web is in dc2', found, ([one]) => one !== undefined))[0]?.Node, 'd1')
  t.deepEqual(await client.json('/v1/catalog/service/web'), [])
  const resolver = new Resolver({ timeout: 5_000, tries: 2 })
  for (const { dns } of [near, ofClient]) {
    resolver.setServers([`127.0.0.1:${dns}`])
    t.deepEqual(await resolver.resolve4('web.service.dc2.consul'), ['127.0.0.1'])
    t.is((await resolver.resolveSrv('web.service.dc2.consul'))[0]?.name, 'd1.node.dc2.consul')
    t.deepEqual(await resolver.resolve4('d1.node.dc2.consul'), ['127.0.0.1'])
    t.is(await failureOf(resolver, 'web.service.dc9.consul'), 'ENOTFOUND')
  }
  const query = { Name: 'web', Service: { Service: 'web', Failover: { NearestN: 2, Datacenters: ['dc9'] } } }
  t.is((await client.http('POST', '/v1/query', query)).status, 200)
  const execute = () => client.json<Executed>('/v1/query/web/execute')
  t.like(await execute(), { Datacenter: 'dc2', Failovers: 1 })
  t.is((await resolver.resolveSrv('web.query.consul'))[0]?.name, 'd1.node.dc2.consul')
  t.regex((await server.tribune('rtt', '-wan', 's1.dc1', 'd1.dc2')).out, /rtt: [\d.]+ ms \(using WAN coordinates\)/)

  const text = (agent: Agent, path: string, method = 'GET') => agent.http(method, path).then((reply) => `${reply.status} ${reply.text}`)
  t.is(await text(client, '/v1/kv/greeting?dc=dc9'), '500 No path to datacenter')
  await other.stop('SIGKILL')
  const lost = await until(
    'the loss is seen',
    () => text(client, '/v1/kv/greeting?dc=dc2', 'PUT'),
    (said) => said.startsWith('500'),
  )
  t.regex(lost, /^500 (rpc error |Remote DC has no server currently reachable$)/)
  t.is(await failureOf(resolver, 'web.service.dc2.consul'), 'ESERVFAIL')
  await until(
    'dc2 is known to be gone',
    () => text(client, '/v1/kv/greeting?dc=dc2'),
    (said) => said === '500 Remote DC has no server currently reachable',
  )
  t.deepEqual(await client.json('/v1/catalog/datacenters'), ['dc1', 'dc2'], 'it is still listed')
  t.like(await execute(), { Nodes: [], Datacenter: 'dc1', Failovers: 1 })

  other = await starting()
  await reached()
  t.is((await client.http('GET', '/v1/kv/greeting?raw&dc=dc2')).text, 'changed')
  const healed = await until('the query finds it again', execute, ({ Datacenter }) => Datacenter === 'dc2')
  t.is(healed.Nodes[0]?.Node.Node, 'd1')
})

function startServer(t: ExecutionContext, node: string, datacenter: string, data: string, ports: AgentPorts, other: AgentPorts) {
  const join = ['-server', '-bootstrap', '-retry-join-wan', `127.0.0.1:${other.serfWan}`]
  return startAgent(t, { args: common(node, datacenter, data, join), ports, files: { 'retry.json': { retry_interval_wan: '1s' } } })
}

function common(node: string, datacenter: string, data: string, more: readonly string[]): string[] {
  return ['-node', node, '-datacenter', datacenter, '-data-dir', data, '-bind', '127.0.0.1', '-threads', '0', ...more]
}

function failureOf(resolver: Resolver, name: string): Promise<string> {
  return resolver.resolve4(name).then(
    (addresses) => addresses.join(),
    (error: NodeJS.ErrnoException) => error.code ?? 'none',
  )
}
