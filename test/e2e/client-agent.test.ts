import { Resolver } from 'node:dns/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Agent, type AgentPorts, agentPorts, ask, startAgent, temporaryDirectory } from '../kit/agents.ts'
import { serveText } from '../kit/applications.ts'
import { freePorts } from '../kit/free-ports.ts'
import { until } from '../kit/running.ts'

type Instance = { Node: string; ServiceID: string }

test('two client agents: registrations, DNS, keys, blocking, commands and traffic; without their server, and with it again', async (t) => {
  t.timeout(170_000)
  const free = await freePorts()
  const [serverData, clientData, otherData] = [temporaryDirectory(t), temporaryDirectory(t), temporaryDirectory(t)]
  const [ofServer, ofClient, ofOther] = [agentPorts(free), agentPorts(free), agentPorts(free)]
  const [app, upstream] = [free.next(), free.next()]
  await serveText(t, app, 'hello from db')
  const db = { service: { name: 'db', port: app, connect: { proxy: {} } } }
  const upstreams = [{ destination_name: 'db', local_bind_port: upstream }]
  const web = { service: { name: 'web', port: free.next(), connect: { proxy: { config: { upstreams } } } } }
  const serving = () => startServer(t, serverData, ofServer)
  const joining = () => startClient(t, 'c1', clientData, ofClient, ofServer, web)
  let server = await serving()
  await startClient(t, 'c2', otherData, ofOther, ofServer, db)
  let client = await joining()

  const shownAt = (agent: Agent, name: string) =>
    until(
      `${name} is in the catalog`,
      () => agent.json<Instance[]>(`/v1/catalog/service/${name}`),
      ([one]) => one !== undefined,
    )
  const [registered] = await shownAt(server, 'web')
  t.is(registered?.Node, 'c1')
  await shownAt(server, 'web-proxy')
  t.is((await shownAt(client, 'db'))[0]?.Node, 'c2')

  t.is((await client.http('PUT', '/v1/kv/greeting', 'hello')).text, 'true')
  t.is((await server.http('GET', '/v1/kv/greeting?raw')).text, 'hello')
  const first = await client.http('GET', '/v1/kv/greeting')
  t.is(first.headers['x-consul-knownleader'], 'true')
  const blocked = client.http('GET', `/v1/kv/greeting?index=${first.headers['x-consul-index']}&wait=30s&raw`)
  t.is((await server.http('PUT', '/v1/kv/greeting', 'changed')).text, 'true')
  t.is((await blocked).text, 'changed')
  const resolver = new Resolver()
  resolver.setServers([`127.0.0.1:${ofClient.dns}`])
  t.deepEqual(await resolver.resolve4('db.service.consul'), ['127.0.0.1'])
  const session = JSON.parse((await client.http('PUT', '/v1/session/create', {})).text) as { ID: string }
  t.is((await server.json<{ Node: string }[]>(`/v1/session/info/${session.ID}`))[0]?.Node, 'c1')

  for (const words of [
    ['kv', 'get', 'greeting'],
    ['snapshot', 'save', join(clientData, 'saved.snap')],
    ['catalog', 'services'],
    ['members'],
    ['intention', 'check', 'web', 'db'],
  ]) {
    const { code, out, err } = await client.tribune(...words)
    t.is(code, 0, `${words.join(' ')}: ${out}${err}`)
  }

  const { ServiceURI: uri } = await client.json<{ ServiceURI: string }>('/v1/agent/connect/ca/leaf/web')
  const asked = { Target: 'db', ClientCertURI: uri, ClientCertSerial: '01' }
  t.regex((await client.http('POST', '/v1/agent/connect/authorize', asked)).text, /"Authorized": ?true/)
  const reply = () => ask(`http://127.0.0.1:${upstream}/`).then(({ text }) => text, String)
  const flows = () => until('traffic flows', reply, (text) => text === 'hello from db')
  await flows()

  await server.stop('SIGKILL')
  await until(
    'no server is known',
    () => client.http('GET', '/v1/kv/greeting'),
    ({ status, text }) => status === 500 && text === 'No known Consul servers',
  )
  t.is(await reply(), 'hello from db', 'traffic goes on')
  t.is((await client.tribune('kv', 'get', 'greeting')).code, 1)
  t.is((await client.http('PUT', '/v1/agent/service/register', { Name: 'late', Port: 1 })).status, 200)
  t.is((await client.http('GET', '/v1/agent/connect/ca/roots')).status, 200)
  const refused = await client.http('POST', '/v1/agent/connect/authorize', asked)
  t.like(refused, { status: 500, text: 'No known Consul servers' })

  await client.stop('SIGKILL')
  client = await joining()
  t.is((await client.http('GET', '/v1/agent/connect/ca/leaf/web')).status, 200, 'its leaf is kept')
  t.is((await client.http('GET', '/v1/kv/greeting')).text, 'No known Consul servers')
  await flows()

  server = await serving()
  await shownAt(server, 'late')
  await flows()
})

function startServer(t: ExecutionContext, data: string, ports: AgentPorts): Promise<Agent> {
  const args = ['-server', '-bootstrap', '-node=s1', `-data-dir=${data}`, '-bind=127.0.0.1', '-disable-host-node-id']
  return startAgent(t, { args, ports, files: { 'connect.json': { connect: { enabled: true } } } })
}

function startClient(t: ExecutionContext, name: string, data: string, ports: AgentPorts, to: AgentPorts, service: object): Promise<Agent> {
  const join = [`-retry-join=127.0.0.1:${to.serfLan}`, '-retry-interval=1s']
  const args = [`-node=${name}`, `-data-dir=${data}`, '-bind=127.0.0.1', '-disable-host-node-id', '-threads=1', ...join]
  return startAgent(t, { args, ports, files: { 'service.json': service } })
}
