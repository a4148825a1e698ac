import test, { type ExecutionContext } from 'ava'
import { type Agent, agentPorts, ask, startAgent } from '../kit/agents.ts'
import { serveFrom, serveText } from '../kit/applications.ts'
import { freePorts } from '../kit/free-ports.ts'
import { until } from '../kit/running.ts'

type Decision = {
  Source: string
  Destination: string
  Kind: string
  Cause: string
  Count: number
  Newest: { SerialNumber: string; From: string }[]
}

test.serial('connect why names what is broken between two services as it is broken and mended', async (t) => {
  t.timeout(60_000)
  const { agent, web, dbPort } = await mesh(t)
  const why = () => agent.tribune('connect', 'why', 'web', 'db')
  await until('the application is missed', why, ({ out, code }) => code === 1 && /^web => db: application: .*connection refused/.test(out))

  await serveText(t, dbPort, 'rows of db')
  await until(
    'web reaches db',
    () => ask(`${web}/`),
    ({ status }) => status === 200,
  )
  const well = await why()
  t.is(well.code, 0, well.out + well.err)
  t.regex(well.out, /^web => db: nothing is broken\n/)

  const denied = await agent.tribune('intention', 'create', '-deny', 'web', 'db')
  t.is(denied.code, 0, denied.err)
  t.is((await ask(`${web}/`)).status, 502)
  const broken = await why()
  t.is(broken.code, 1)
  t.regex(
    broken.out,
    /^web => db: intention: default\/web => default\/db \(ID: .*Action: DENY\) decides\nSuggestion: .*-replace -allow web db\n/,
  )

  const explained = await agent.tribune('intention', 'check', '-explain', 'web', 'db')
  t.is(explained.code, 1)
  t.regex(explained.out, /^Denied\nMatched L4 intention: .*\n\n {3}Precedence .*\n> {2}9 +web +db +deny +decides/)

  const decisions = await agent.json<Decision[]>('/v1/tribune/decisions?source=web&destination=db')
  const refused = decisions.find(({ Kind }) => Kind === 'intention')
  const { SerialNumber: serial } = await agent.json<{ SerialNumber: string }>('/v1/agent/connect/ca/leaf/web')
  t.is(refused?.Newest.at(-1)?.SerialNumber, serial)
  t.regex(refused?.Newest.at(-1)?.From ?? '', /^127\.0\.0\.1:\d+$/)
  t.regex((await agent.tribune('connect', 'decisions', '-destination=db')).out, /web => db +127\.0\.0\.1:\d+ +intention: default\/web/)
})

test.serial('a rule that another decides in place of is said to whoever writes it', async (t) => {
  t.timeout(60_000)
  const agent = await startAgent(t)
  await agent.tribune('intention', 'create', 'web', 'db')
  const written = await agent.tribune('intention', 'create', '-deny', '*', 'db')
  t.is(written.out, 'Created: * => db (deny)\n')
  t.is(written.err, 'Warning: * => db (deny) does not decide where a more precise one says the opposite: web => db (allow)\n')
  const { headers } = await agent.http('PUT', '/v1/config', {
    Kind: 'service-intentions',
    Name: 'api',
    Sources: [{ Name: 'web', Action: 'deny' }],
  })
  t.is(headers['x-tribune-warning'], undefined)
})

/** An agent with `web`, which asks `db` through its upstream; nobody listens at the port of `db` yet. `web` is its URL. */
async function mesh(t: ExecutionContext): Promise<{ agent: Agent; web: string; dbPort: number }> {
  const free = await freePorts()
  const [webPort, dbPort, upstreamPort] = [free.next(), free.next(), free.next()]
  await serveFrom(t, webPort, upstreamPort)
  const upstreams = [{ destination_name: 'db', local_bind_port: upstreamPort }]
  const agent = await startAgent(t, {
    ports: agentPorts(free),
    files: {
      'web.json': { service: { name: 'web', port: webPort, connect: { proxy: { config: { upstreams } } } } },
      'db.json': { service: { name: 'db', port: dbPort, connect: { proxy: {} } } },
    },
  })
  return { agent, web: `http://127.0.0.1:${webPort}`, dbPort }
}
