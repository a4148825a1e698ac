import { X509Certificate } from 'node:crypto'
import { createServer, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { type Agent, agentPorts, ask, startAgent, TRIBUNE } from '../kit/agents.ts'
import { openStream, serveFrom, serveText } from '../kit/applications.ts'
import { freePorts } from '../kit/free-ports.ts'
import { installed } from '../kit/installed.ts'
import { until } from '../kit/running.ts'

const HAPROXY = installed('haproxy')
const DENIED_WITHIN_MS = 2_000
/** A name that does not go as it is into a URI, a path or a map. */
const WEB = 'web €1%=#'
const OURS = {}
const HAPROXYS = { command: [TRIBUNE, 'connect', 'haproxy'] }
/** Leaves are made anew within half a minute of a new root. */
const LEAVES_WITHIN_MS = 60_000

for (const [name, web, db] of [
  ['in front of the application that is asked', OURS, HAPROXYS],
  ['in front of the application that asks', HAPROXYS, OURS],
] as const) {
  test.serial(`HAProxy ${name}: it is let through, a deny refuses and closes, and an allow holds again`, async (t) => {
    t.timeout(120_000)
    if (!HAPROXY) return t.pass('HAProxy is not installed')
    const { agent, url } = await mesh(t, web, db, WEB)
    const stream = await openStream(`${url}/stream`)
    await stream.nextTick()
    const deniedAtMs = performance.now()
    const intention = (action: string, source = WEB) =>
      agent.http('PUT', `/v1/connect/intentions/exact?source=${encodeURIComponent(source)}&destination=db`, { Action: action })
    await intention('deny', 'somebody')
    await stream.nextTick()
    await until(
      'what is in force is told',
      () => agent.json<{ Proxies: object[]; Silent: object[] }>('/v1/tribune/enforcement?destination=db'),
      ({ Proxies, Silent }) => Proxies.length === 1 && Silent.length === 0,
    )
    const denied = await agent.http('PUT', `/v1/connect/intentions/exact?source=${encodeURIComponent(WEB)}&destination=db&wait-enforced`, {
      Action: 'deny',
    })
    t.is(denied.status, 200)
    t.like(denied.headers, {
      'x-tribune-enforced': 'true',
      'x-tribune-enforced-proxies': '1/1',
      'x-tribune-closed-connections': '1',
      'x-tribune-silent-proxies': '0',
    })
    const closedAfterMs = (await stream.closed) - deniedAtMs
    t.true(closedAfterMs < DENIED_WITHIN_MS, `the open connection was closed after ${closedAfterMs} ms`)
    t.is((await ask(`${url}/`)).status, 502)
    const refused = await until(
      'the agent knows that both were refused, and why',
      async () => (await decisionsOf(agent, `source=${encodeURIComponent(WEB)}&destination=db`)).find(({ Kind }) => Kind === 'intention'),
      (row) => (row?.Count ?? 0) >= 2,
    )
    t.like(refused, { Side: 'inbound', Source: WEB })
    t.regex(refused?.Cause ?? '', /^default\/.* => default\/db \(Precedence: 9, Action: DENY\)$/)
    t.regex(refused?.Newest.at(-1)?.SerialNumber ?? '', /^[0-9a-f]{2}(:[0-9a-f]{2})*$/)
    await intention('allow')
    const { text } = await until(
      'web reaches db again',
      () => ask(`${url}/`),
      ({ status }) => status === 200,
    )
    t.is(text, 'got: rows of db')
  })
}

test.serial('no connection fails while the root of the mesh and every leaf change under two HAProxy', async (t) => {
  t.timeout(180_000)
  if (!HAPROXY) return t.pass('HAProxy is not installed')
  const { agent, url, ports } = await mesh(t, HAPROXYS, HAPROXYS)
  const stream = await openStream(`${url}/stream`)
  const failures: string[] = []
  let requests = 0
  let goesOn = true
  const traffic = (async () => {
    while (goesOn) {
      const { status, text } = await ask(`${url}/`)
      requests++
      if (status !== 200) failures.push(text)
    }
  })()
  const before = await shownCertificate(ports.from)
  const configuration = { Provider: 'consul', Config: { PrivateKeyType: 'ec', PrivateKeyBits: 384 } }
  t.is((await agent.http('PUT', '/v1/connect/ca/configuration', configuration)).status, 200)
  const { ActiveRootID, Roots } = await agent.json<Roots>('/v1/agent/connect/ca/roots')
  const active = Roots.find(({ ID }) => ID === ActiveRootID)
  t.not(before.issuer, new X509Certificate(active?.RootCert ?? '').subject)
  for (const port of [ports.from, ports.from + 1]) {
    await until(
      'a certificate of the new root is shown',
      () => shownCertificate(port),
      (shown) => shown.issuer === new X509Certificate(active?.RootCert ?? '').subject,
      LEAVES_WITHIN_MS,
    )
  }
  const { Rotation } = await agent.json<{ Rotation: { Says: string; NotReporting: number } }>('/v1/tribune/connect/ca/status')
  t.is(Rotation.NotReporting, 0)
  t.regex(Rotation.Says, /^\d of 3 proxies /)
  goesOn = false
  await traffic
  t.deepEqual(failures, [])
  t.true(requests > 50)
  t.true(stream.isOpen(), 'connections outlive the certificates that they were opened with')
})

test.serial('nothing is sent to a server with the identity of another service', async (t) => {
  t.timeout(120_000)
  if (!HAPROXY) return t.pass('HAProxy is not installed')
  const { agent, upstreamPort, otherPort } = await mesh(t, HAPROXYS, OURS)
  const [other] = await agent.json<{ Service: { Port: number } }[]>('/v1/health/connect/other?passing')
  const [db] = await agent.json<{ Service: { ID: string } }[]>('/v1/health/connect/db?passing')
  t.truthy(other && db)
  // A lie in the catalog: the sidecar of another service is said to be that of db.
  const proxy = { DestinationServiceName: 'db', DestinationServiceID: 'db' }
  const lie = { Name: 'lie', Kind: 'connect-proxy', Address: '127.0.0.1', Port: other?.Service.Port, Proxy: proxy }
  t.is((await agent.http('PUT', '/v1/agent/service/register', lie)).status, 200)
  await agent.http('PUT', '/v1/agent/service/maintenance/db?enable=true')
  const answer = () => ask(`http://127.0.0.1:${upstreamPort}/`).then(({ text }) => text, String)
  let inVain = 0
  // While db is still there too, chance decides whom it is.
  await until('only the liar is left', answer, (text) => {
    inVain = text === 'rows of db' ? 0 : inVain + 1
    return inVain === 10
  })
  for (let count = 0; count < 10; count++) await t.throwsAsync(ask(`http://127.0.0.1:${upstreamPort}/`))
  // Whether the handshake is over for the one that is asked when the other gives up is chance.
  const isReached = () => Promise.resolve(otherPort.connections() > 0 || /Handshake failed: .*destination=other /.test(agent.said()))
  await until('the sidecar of another service was reached', isReached, (is) => is)
  t.is(otherPort.heard(), 0, 'not one byte')
  const rows = await until(
    'the agent knows whom it met',
    () => decisionsOf(agent, 'source=web&destination=db'),
    (found) => found.some(({ Cause }) => Cause.startsWith('the certificate is for ')),
  )
  const met = rows.find(({ Cause }) => Cause.startsWith('the certificate is for '))
  t.like(met, { Side: 'outbound', Kind: 'unreachable' })
  t.regex(met?.Cause ?? '', /\/svc\/other, expected spiffe:.*\/svc\/db$/)
  t.regex((await agent.tribune('connect', 'decisions', '-source=web')).out, /web => db .*unreachable: the certificate is for/)
})

test.serial('with other settings a new process takes over, and connections of the old one go on and are still judged', async (t) => {
  t.timeout(120_000)
  if (!HAPROXY) return t.pass('HAProxy is not installed')
  const { agent, url, upstreamPort, freePort } = await mesh(t, HAPROXYS, HAPROXYS)
  const stream = await openStream(`${url}/stream`)
  const body = {
    Name: 'db',
    Port: Number((await agent.json<{ Port: number }>('/v1/agent/service/db')).Port),
    Connect: { Proxy: { Command: HAPROXYS.command, Config: { upstreams: [{ destination_name: 'web', local_bind_port: freePort }] } } },
  }
  t.is((await agent.http('PUT', '/v1/agent/service/register', body)).status, 200)
  await until(
    'the new upstream is there',
    () => ask(`http://127.0.0.1:${freePort}/health`).then(({ text }) => text, String),
    (text) => text === 'ok',
  )
  t.is((await ask(`http://127.0.0.1:${upstreamPort}/`)).text, 'rows of db')
  await stream.nextTick()
  t.true(stream.isOpen())
  await agent.http('PUT', '/v1/connect/intentions/exact?source=web&destination=db', { Action: 'deny' })
  await stream.closed
  t.pass()
})

type Decision = { Side: string; Source: string; Kind: string; Cause: string; Count: number; Newest: { SerialNumber: string }[] }

function decisionsOf(agent: Agent, query: string): Promise<Decision[]> {
  return agent.json<Decision[]>(`/v1/tribune/decisions?${query}`)
}

type Roots = { ActiveRootID: string; Roots: { ID: string; RootCert: string }[] }

/** What a public listener shows to anybody. */
function shownCertificate(port: number): Promise<X509Certificate> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      const shown = socket.getPeerX509Certificate()
      socket.destroy()
      if (shown) resolve(shown)
      else reject(new Error('no certificate was shown'))
    })
    socket.on('error', reject)
  })
}

/** Counts who connects, and what it is sent. */
async function countBytes(t: ExecutionContext, port: number): Promise<{ connections(): number; heard(): number }> {
  let heard = 0
  let connections = 0
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    connections++
    socket.on('data', (chunk) => {
      heard += chunk.length
    })
    socket.on('error', () => socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  return { connections: () => connections, heard: () => heard }
}

/** An agent with `web`, which asks `db` through its upstream, and `other`; ready once a request came through. */
async function mesh(t: ExecutionContext, web: object, db: object, webName = 'web') {
  const free = await freePorts()
  const [webPort, dbPort, upstreamPort, otherPort, freePort] = [free.next(), free.next(), free.next(), free.next(), free.next()]
  await serveText(t, dbPort, 'rows of db')
  await serveFrom(t, webPort, upstreamPort)
  const other = await countBytes(t, otherPort)
  const ports = agentPorts(free)
  const upstreams = [{ destination_name: 'db', local_bind_port: upstreamPort }]
  const service = (name: string, port: number, proxy: object) => ({ service: { name, port, connect: { proxy } } })
  const agent: Agent = await startAgent(t, {
    ports,
    files: {
      'agent.json': { bind_addr: '127.0.0.1', connect: { proxy: { allow_managed_root: true, allow_managed_api_registration: true } } },
      'db.json': service('db', dbPort, { ...db, config: { bind_port: ports.proxies.from } }),
      'web.json': service(webName, webPort, { ...web, config: { bind_port: ports.proxies.from + 1, upstreams } }),
      'other.json': service('other', otherPort, { config: { bind_port: ports.proxies.from + 2 } }),
    },
  })
  // A program that its agent started ends with it only if the agent can say so.
  t.teardown(() => agent.stop('SIGTERM'))
  const url = `http://127.0.0.1:${webPort}`
  await until(
    'web reaches db',
    () => ask(`${url}/`),
    ({ status }) => status === 200,
  )
  return { agent, url, ports: ports.proxies, upstreamPort, otherPort: other, freePort }
}
