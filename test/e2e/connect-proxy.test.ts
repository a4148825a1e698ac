import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Agent, agentPorts, ask, cleanEnvironment, startAgent, TRIBUNE } from '../kit/agents.ts'
import { serveText } from '../kit/applications.ts'
import { freePorts } from '../kit/free-ports.ts'
import { POSTGRES, startPostgres } from '../kit/postgres.ts'
import { type Running, runProgram, startProgram, until } from '../kit/running.ts'

const CLOSED_WITHIN_MS = 5_000

test.serial(
  POSTGRES ? 'psql reaches PostgreSQL through `connect proxy`' : '`connect proxy` with psql needs PostgreSQL, which is not installed',
  async (t) => {
    t.timeout(90_000)
    if (!POSTGRES) return t.pass()
    const folder = POSTGRES
    const free = await freePorts()
    const [postgresPort, port] = [free.next(), free.next()]
    await startPostgres(t, folder, postgresPort)
    const service = { name: 'postgresql', port: postgresPort, connect: { proxy: {} } }
    const agent = await startAgent(t, { ports: agentPorts(free), files: { 'postgresql.json': { service } } })
    const proxy = connectProxy(t, agent, '-service', 'mitchellh', '-upstream', `postgresql:${port}`)
    await proxy.line(/Proxy loaded config and ready to serve/)
    t.regex(proxy.said(), new RegExp(BANNER.replace('PORT', String(port))))

    const psql = (sql: string) => runProgram(t, join(folder, 'psql'), [...PSQL, '-p', String(port), '-c', sql], { env: cleanEnvironment() })
    await until('psql reaches the server', () => psql('select 1'), ({ out }) => out === '1\n') // biome-ignore format: one line
    t.is((await psql("create table t (x int); insert into t select generate_series(1, 100000); select count(*) from t")).out.trim(), '100000') // biome-ignore format: one line
    t.is((await psql("select repeat('x', 5000000)")).out.length, 5_000_001)

    const busy = psql('select pg_sleep(60)')
    await until('the query runs', () => psql("select count(*) from pg_stat_activity where query = 'select pg_sleep(60)'"), ({ out }) => out === '1\n') // biome-ignore format: one line
    const beganMs = performance.now()
    t.is((await agent.tribune('intention', 'create', '-deny', 'mitchellh', 'postgresql')).out, 'Created: mitchellh => postgresql (deny)\n')
    t.not((await busy).code, 0)
    t.true(performance.now() - beganMs < CLOSED_WITHIN_MS)
    const denied = await psql('select 1')
    t.is(denied.code, 2)
    t.regex(denied.err, /closed the connection|Connection reset/)
    await agent.line(/Refused a connection: source=mitchellh destination=postgresql rule="default\/mitchellh => default\/postgresql/)

    t.is((await agent.tribune('intention', 'create', '-replace', '-allow', 'mitchellh', 'postgresql')).code, 0)
    await until('psql reaches the server again', () => psql('select 2'), ({ out }) => out === '2\n') // biome-ignore format: one line
    const ended = await proxy.stop('SIGINT')
    t.is(ended.code, 0)
    t.regex(ended.out, /\n==> Consul Connect proxy shutdown\n$/)
  },
)

test.serial('`connect proxy -listen -register` makes a service reachable as long as it runs', async (t) => {
  t.timeout(60_000)
  const free = await freePorts()
  const [servicePort, listenPort, upstreamPort] = [free.next(), free.next(), free.next()]
  await serveText(t, servicePort, 'I am echo')
  const upstreams = [{ destination_name: 'echo', local_bind_port: upstreamPort }]
  const agent = await startAgent(t, {
    ports: agentPorts(free),
    files: { 'web.json': { service: { name: 'web', port: free.next(), connect: { proxy: { config: { upstreams } } } } } },
  })
  const proxy = connectProxy(t, agent, '-service=echo', `-service-addr=127.0.0.1:${servicePort}`, `-listen=127.0.0.1:${listenPort}`, '-register') // biome-ignore format: one line
  await until('web reaches echo', () => ask(`http://127.0.0.1:${upstreamPort}/`), ({ text }) => text === 'I am echo') // biome-ignore format: one line
  t.regex(proxy.said(), new RegExp(`\n {7}Public listener: 127\\.0\\.0\\.1:${listenPort} => 127\\.0\\.0\\.1:${servicePort}\n`))
  const services = await agent.json<Record<string, { Kind: string; Port: number }>>('/v1/agent/services')
  t.like(services['echo-proxy'], { Kind: 'connect-proxy', Port: listenPort })
  t.is((await proxy.stop('SIGTERM')).code, 0)
  t.is((await agent.http('GET', '/v1/agent/service/echo-proxy')).status, 404)
  await until('nobody is there any more', () => ask(`http://127.0.0.1:${upstreamPort}/`).then(() => 'answered', () => 'refused'), (outcome) => outcome === 'refused') // biome-ignore format: one line
})

test.serial('`connect proxy -sidecar-for` runs what is registered', async (t) => {
  t.timeout(60_000)
  const free = await freePorts()
  const [servicePort, sidecarPort, upstreamPort] = [free.next(), free.next(), free.next()]
  await serveText(t, servicePort, 'I am api')
  const upstreams = [{ destination_name: 'api', local_bind_port: upstreamPort }]
  const agent = await startAgent(t, {
    ports: agentPorts(free),
    files: {
      'api.json': { service: { name: 'api', port: servicePort, connect: { sidecar_service: { port: sidecarPort } } } },
      'web.json': { service: { name: 'web', port: free.next(), connect: { proxy: { config: { upstreams } } } } },
    },
  })
  const proxy = connectProxy(t, agent, '-sidecar-for=api')
  await until('web reaches api', () => ask(`http://127.0.0.1:${upstreamPort}/`), ({ text }) => text === 'I am api') // biome-ignore format: one line
  t.regex(proxy.said(), /\n {4}Configuration mode: Agent API\n {8}Sidecar for ID: api\n {14}Proxy ID: api-sidecar-proxy\n/)
  await until(
    'what is in force is told',
    () => agent.json<{ Silent: object[] }>('/v1/tribune/enforcement?destination=api'),
    ({ Silent }) => Silent.length === 0,
  )
  const proven = await agent.tribune('intention', 'create', '-deny', '-wait', 'web', 'api')
  t.regex(proven.out, /^enforced on 1 of 1 proxy in /m)
  t.is(proven.code, 0, proven.err)
  type Decision = { Side: string; Source: string; Kind: string; Cause: string }
  await until('it is refused', () => ask(`http://127.0.0.1:${upstreamPort}/`).then(() => 'answered', () => 'refused'), (outcome) => outcome === 'refused') // biome-ignore format: one line
  const rows = await until(
    'the agent knows whom it refused',
    () => agent.json<Decision[]>('/v1/tribune/decisions?source=web&destination=api'),
    (found) => found.some(({ Kind }) => Kind === 'intention'),
  )
  const refused = rows.find(({ Kind }) => Kind === 'intention')
  t.like(refused, { Side: 'inbound', Source: 'web' })
  t.regex(refused?.Cause ?? '', /^default\/web => default\/api \(.*DENY\)$/)
  t.is((await proxy.stop('SIGINT')).code, 0)

  const unknown = await connectProxy(t, agent, '-sidecar-for=nope').ended
  t.is(unknown.code, 1)
  t.regex(unknown.err, /^==> Error preparing configuration: No sidecar proxy registered for nope\n$/)
})

const PSQL = ['-h', '127.0.0.1', '-U', 'postgres', '-d', 'postgres', '-X', '-q', '-A', '-t']
const BANNER = `^==> Consul Connect proxy starting\\.\\.\\.
    Configuration mode: Flags
               Service: mitchellh
              Upstream: postgresql => :PORT
       Public listener: Disabled

==> Log data will now stream in as it occurs:
`

function connectProxy(t: ExecutionContext, agent: Agent, ...args: string[]): Running {
  const env = cleanEnvironment({ CONSUL_HTTP_ADDR: agent.address })
  return startProgram(t, 'connect proxy', TRIBUNE, ['connect', 'proxy', ...args], { env })
}
