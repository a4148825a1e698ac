import test from 'ava'
import { agentPorts, ask, startAgent } from '../kit/agents.ts'
import { openStream, serveFrom, serveText } from '../kit/applications.ts'
import { freePorts } from '../kit/free-ports.ts'
import { until } from '../kit/running.ts'

test('an agent that is stopped lets connections through its sidecars end by themselves, and says what goes through them meanwhile', async (t) => {
  t.timeout(60_000)
  const free = await freePorts()
  const [webPort, dbPort, upstreamPort] = [free.next(), free.next(), free.next()]
  await serveText(t, dbPort, 'rows of db')
  await serveFrom(t, webPort, upstreamPort)
  const config = { drain_ms: 40_000, upstreams: [{ destination_name: 'db', local_bind_port: upstreamPort }] }
  const agent = await startAgent(t, {
    ports: agentPorts(free),
    files: {
      'web.json': {
        telemetry: { disable_hostname: true },
        services: [
          { name: 'web', port: webPort, connect: { proxy: { config } } },
          { name: 'db', port: dbPort, connect: { proxy: { config: { drain_ms: 40_000 } } } },
        ],
      },
    },
  })
  const web = `http://127.0.0.1:${webPort}`
  await until(
    'web reaches db',
    () => ask(`${web}/`),
    ({ status }) => status === 200,
  )
  const stream = await openStream(`${web}/stream`)
  type Metrics = { Gauges: { Name: string; Value: number; Labels: object }[] }
  const ofProxies = async () => {
    const { Gauges } = await agent.json<Metrics>('/v1/agent/metrics')
    return Gauges.filter(({ Name, Value }) => Name.startsWith('consul.proxy.') && Value === 1)
  }
  const gauges = await until('the connection is counted on both sides', ofProxies, ({ length }) => length === 2)
  t.deepEqual(gauges, [
    { Name: 'consul.proxy.db.inbound.conns', Value: 1, Labels: { src: 'web', dst: 'db' } },
    { Name: 'consul.proxy.web.upstream.conns', Value: 1, Labels: { src: 'web', dst: 'db' } },
  ])
  const stopped = agent.stop('SIGINT')
  await agent.line(/proxy\/web: Waits for its connections to end: open=1 drain_ms=40000/)
  await stream.nextTick()
  await stream.nextTick()
  t.true(stream.isOpen())
  t.is((await ask(`${web}/`)).status, 502, 'nobody else gets in')
  const begunMs = performance.now()
  stream.end()
  await stopped
  t.true(performance.now() - begunMs < 30_000)
})
