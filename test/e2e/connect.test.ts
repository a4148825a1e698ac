import test, { type ExecutionContext } from 'ava'
import { type Agent, agentPorts, ask, startAgent } from '../kit/agents.ts'
import { openStream, serveFrom, serveText } from '../kit/applications.ts'
import { freePorts } from '../kit/free-ports.ts'
import { until } from '../kit/running.ts'

const DENIED_WITHIN_MS = 1_000

test.serial('unchanged applications talk through both sidecars; a deny refuses and closes, and names itself in the log', async (t) => {
  t.timeout(60_000)
  const { agent, web } = await mesh(t)
  t.is((await ask(`${web}/`)).text, 'got: rows of db')

  const stream = await openStream(`${web}/stream`)
  await stream.nextTick()
  const mark = agent.mark()
  const deniedAtMs = performance.now()
  const denied = await agent.http('PUT', '/v1/connect/intentions/exact?source=web&destination=db', { Action: 'deny' })
  t.is(denied.status, 200, denied.text)
  const closedAfterMs = (await stream.closed) - deniedAtMs
  t.true(closedAfterMs < DENIED_WITHIN_MS, `the open connection was closed after ${closedAfterMs} ms`)
  const refused = await ask(`${web}/`)
  t.is(refused.status, 502, refused.text)

  const { SerialNumber: serial } = await agent.json<{ SerialNumber: string }>('/v1/agent/connect/ca/leaf/web')
  const facts = new RegExp(`source=web destination=db rule="default/web => default/db \\(Precedence: 9, Action: DENY\\)" serial=${serial} `)
  t.regex(await agent.line(/Closed a connection that is no longer allowed/, { after: mark }), facts)
  t.regex(await agent.line(/Refused a connection/, { after: mark }), facts)

  t.is((await agent.http('PUT', '/v1/connect/intentions/exact?source=web&destination=db', { Action: 'allow' })).status, 200)
  await until(
    'web reaches db again',
    () => ask(`${web}/`),
    ({ text }) => text === 'got: rows of db',
  )
})

test.serial('a deny that is waited for has closed what it forbids when it is answered, and says so', async (t) => {
  t.timeout(60_000)
  const { agent, web } = await mesh(t)
  const stream = await openStream(`${web}/stream`)
  await stream.nextTick()
  const url = '/v1/connect/intentions/exact?source=web&destination=db&wait-enforced=30s'
  const { status, headers } = await agent.http('PUT', url, { Action: 'deny' })
  t.is(status, 200)
  t.like(headers, { 'x-tribune-enforced': 'true', 'x-tribune-enforced-proxies': '1/1' })
  t.true(Number(headers['x-tribune-closed-connections']) >= 1)
  t.is((await ask(`${web}/`)).status, 502)
  await stream.closed
  const { Leaves } = await agent.json<{ Leaves: { ServiceID: string; Risk: string }[] }>('/v1/tribune/connect/expiry')
  t.deepEqual(Leaves.map(({ ServiceID, Risk }) => [ServiceID, Risk]).sort(), [
    ['db', ''],
    ['web', ''],
  ])
})

test.serial('other connections stay when one pair of services is denied', async (t) => {
  t.timeout(60_000)
  const { agent, web } = await mesh(t)
  const stream = await openStream(`${web}/stream`)
  const put = (source: string, destination: string) =>
    agent.http('PUT', `/v1/connect/intentions/exact?source=${source}&destination=${destination}`, { Action: 'deny' })
  t.is((await put('api', 'db')).status, 200)
  t.is((await put('db', 'web')).status, 200)
  t.is((await ask(`${web}/`)).text, 'got: rows of db')
  await stream.nextTick()
  t.true(stream.isOpen())
  t.is((await put('*', 'db')).status, 200)
  await stream.closed
  t.is((await ask(`${web}/`)).status, 502)
})

test.serial('everything on one thread does the same', async (t) => {
  t.timeout(60_000)
  const { agent, web } = await mesh(t, ['-dev', '-threads=0'])
  t.is((await ask(`${web}/`)).text, 'got: rows of db')
  const stream = await openStream(`${web}/stream`)
  t.is((await agent.http('PUT', '/v1/connect/intentions/exact?source=web&destination=db', { Action: 'deny' })).status, 200)
  await stream.closed
  t.is((await ask(`${web}/`)).status, 502)
})

test.serial('only the sidecar reaches the application of a service: no certificate, no connection', async (t) => {
  t.timeout(60_000)
  const { agent } = await mesh(t)
  const [entry] = await agent.json<{ Service: { Port: number } }[]>('/v1/health/connect/db?passing')
  await t.throwsAsync(ask(`http://127.0.0.1:${entry?.Service.Port}/`))
})

/** An agent with `web`, which asks `db` through its upstream; ready once a request came through. `web` is its URL. */
async function mesh(t: ExecutionContext, args = ['-dev']): Promise<{ agent: Agent; web: string }> {
  const free = await freePorts()
  const [webPort, dbPort, upstreamPort] = [free.next(), free.next(), free.next()]
  await serveText(t, dbPort, 'rows of db')
  await serveFrom(t, webPort, upstreamPort)
  const upstreams = [{ destination_name: 'db', local_bind_port: upstreamPort }]
  const agent = await startAgent(t, {
    args,
    ports: agentPorts(free),
    files: {
      'web.json': { service: { name: 'web', port: webPort, connect: { proxy: { config: { upstreams } } } } },
      'db.hcl': `service { name = "db" port = ${dbPort} connect { proxy {} } check { http = "http://127.0.0.1:${dbPort}/health" interval = "1s" } }`,
    },
  })
  const web = `http://127.0.0.1:${webPort}`
  await until(
    'web reaches db',
    () => ask(`${web}/`),
    ({ status }) => status === 200,
  )
  return { agent, web }
}
