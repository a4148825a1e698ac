import { once } from 'node:events'
import type { TLSSocket } from 'node:tls'
import test from 'ava'
import { type ConnectEvent, type ConnectOptions, connect } from '../../src/client/index.ts'
import { type Agent, agentPorts, ask, startAgent, temporaryDirectory } from '../kit/agents.ts'
import { serveText } from '../kit/applications.ts'
import { freePorts } from '../kit/free-ports.ts'
import { until } from '../kit/running.ts'

const HOST = '127.0.0.1'
/** The node's own address may be another. */
const REGISTER = { Address: HOST }
const CONNECT = { 'connect.json': { connect: { enabled: true } } }

test.serial('applications without a sidecar and those with one reach each other, and a deny holds for all', async (t) => {
  t.timeout(120_000)
  const free = await freePorts()
  const [cachePort, upstreamPort] = [free.next(), free.next()]
  await serveText(t, cachePort, 'kept')
  const sidecar = (upstreams: object[]) => ({ connect: { proxy: { config: { upstreams } } } })
  const agent = await startAgent(t, {
    ports: agentPorts(free),
    files: {
      'cache.json': { service: { name: 'cache', port: cachePort, ...sidecar([]) } },
      'web.json': { service: { name: 'web', port: 1, ...sidecar([{ destination_name: 'db', local_bind_port: upstreamPort }]) } },
    },
  })
  const { options, events } = watched(agent)

  await using db = await connect.service('db', options)
  const { port } = await db.listenHttp((request, response) => response.end(`rows for ${db.peer(request.socket)?.service}`), {
    host: HOST,
    register: REGISTER,
  })
  const [found] = await agent.json<{ Service: { Port: number; Connect: object } }[]>('/v1/health/connect/db?passing')
  t.like(found?.Service, { Port: port, Connect: { Native: true } })

  const fromSidecar = () => ask(`http://${HOST}:${upstreamPort}/`)
  await until('a sidecar reaches the application', fromSidecar, ({ text }) => text === 'rows for web')
  await using api = await connect.service('api', options)
  const toCache = async () => request(await api.dial('cache'))
  await until('the application reaches a sidecar', toCache, (text) => text.endsWith('kept'))
  t.regex(await request(await api.dial('db')), /rows for api$/)

  const closed = once((await api.dial('db')).resume(), 'close')
  t.is((await agent.tribune('intention', 'create', '-deny', 'api', 'db')).code, 0)
  await closed
  t.is(await request(await api.dial('db')), '')
  t.is((await fromSidecar()).text, 'rows for web')
  t.is((await agent.tribune('intention', 'create', '-deny', '*', 'db')).code, 0)
  await until(
    'the sidecar is refused',
    () =>
      fromSidecar().then(
        () => 'answered',
        () => 'cut',
      ),
    (outcome) => outcome === 'cut',
  )
  t.is((await agent.tribune('intention', 'create', '-deny', '*', 'cache')).code, 0)
  await until('its sidecar refuses', toCache, (text) => text === '')
  const refused = events.filter(({ did }) => did === 'refused').map((event) => ('source' in event ? event.source?.split('/svc/')[1] : ''))
  t.true(refused.includes('api') && refused.includes('web'), refused.join())
  await until(
    'the agent has the refusals in its records',
    () => agent.json<{ Side: string; Source: string; Kind: string }[]>('/v1/tribune/decisions?destination=db'),
    (rows) => ['api', 'web'].every((name) => rows.some((row) => row.Source === name && row.Side === 'inbound' && row.Kind === 'intention')),
  )
})

test.serial('another root is taken over without losing a connection', async (t) => {
  t.timeout(120_000)
  const agent = await startAgent(t)
  const { options } = watched(agent)
  await using db = await connect.service('db', options)
  await db.listen((socket) => socket.pipe(socket), { host: HOST, register: REGISTER })
  await using web = await connect.service('web', options)
  const socket = await web.dial('db')
  t.is(await echoed(socket, 'before'), 'before')
  const before = [db.serial, web.serial]
  const change = { Provider: 'consul', Config: { PrivateKeyType: 'ec', PrivateKeyBits: 384 } }
  const changed = await agent.http('PUT', '/v1/connect/ca/configuration', change)
  t.is(changed.status, 200, changed.text)
  const says = async () => (await agent.json<{ Rotation: { Says: string } | null }>('/v1/tribune/connect/ca/status')).Rotation?.Says ?? ''
  t.regex(await says(), /^0 of 1 proxies .*, waiting for [^/]+\/db \(native\)/)
  // Leaves of the new root come within half a minute; connections work all the while.
  const areRenewed = async () => {
    t.is(await echoed(await web.dial('db'), 'new'), 'new')
    return db.serial !== before[0] && web.serial !== before[1]
  }
  await until('both have leaves of the new root', areRenewed, Boolean, 60_000)
  await until('the change counts it', says, (text) => text.startsWith('1 of 1 proxies'))
  t.is(await echoed(socket, 'after'), 'after')
})

test.serial('a deny is proven on applications of another agent, by name; one that has not told is missing', async (t) => {
  t.timeout(120_000)
  const free = await freePorts()
  const [ofServer, ofClient] = [agentPorts(free), agentPorts(free)]
  const args = (name: string) => [`-node=${name}`, `-data-dir=${temporaryDirectory(t)}`, `-bind=${HOST}`, '-disable-host-node-id']
  const server = await startAgent(t, { args: ['-server', '-bootstrap', ...args('s1')], ports: ofServer, files: CONNECT })
  const join = [`-retry-join=${HOST}:${ofServer.serfLan}`, '-retry-interval=1s', '-threads=1']
  const client = await startAgent(t, { args: [...args('c1'), ...join], ports: ofClient })
  const { options } = watched(client)
  const db = await connect.listen('db', (socket) => socket.pipe(socket), { ...options, host: HOST, register: { ID: 'db-1', ...REGISTER } })
  t.teardown(() => db.close())
  type Enforcement = { Proxies: { Node: string; ServiceID: string; Kind: string }[]; Silent: object[] }
  const told = await until(
    'the servers know what it has in force',
    () => server.json<Enforcement>('/v1/tribune/enforcement?destination=db'),
    ({ Proxies }) => Proxies.length === 1,
  )
  t.like(told, { Proxies: [{ Node: 'c1', ServiceID: 'db-1', Kind: 'native' }], Silent: [] })
  const socket = await connect.dial('db', { ...options, as: 'web' })
  t.is(await echoed(socket, 'before'), 'before')
  const closed = once(socket, 'close')
  const denied = await server.tribune('intention', 'create', '-deny', '-wait', 'web', 'db')
  t.regex(denied.out, /^enforced on 1 of 1 proxy in \d+ ms, 1 connection closed$/m)
  t.is(denied.code, 0, denied.err)
  t.is(denied.err, '')
  await closed
  t.regex((await server.tribune('connect', 'ca', 'status')).out, /^Oldest leaf: +c1\/db-1 \(native\), /m)

  const other = { Process: 'other', LeafSerialNumber: '7f', TrustedRoots: ['r'], IntentionIndex: 1, LeafValidAfter: '2026-01-01T00:00:00Z' }
  const reply = await client.http('PUT', '/v1/tribune/report/db-1', { ...other, LeafValidBefore: '2099-01-01T00:00:00Z' })
  t.is(reply.status, 200, reply.text)
  const missing = await server.tribune('intention', 'create', '-deny', '-wait=1s', 'api', 'db')
  t.is(missing.code, 2)
  t.regex(missing.err, /^missing: db-1 \(native\) on c1, has those of index 1, not \d+$/m)
  t.is((await client.http('DELETE', '/v1/tribune/report/db-1?process=other')).status, 200)
  const last = await server.tribune('intention', 'create', '-deny', '-wait', 'cache', 'db')
  t.is(last.code, 0, last.err)
  await db.close()
  await until(
    'nothing is left of it',
    () => server.json<Enforcement>('/v1/tribune/enforcement?destination=db'),
    ({ Proxies, Silent }) => Proxies.length + Silent.length === 0,
  )
})

for (const [what, args] of [
  ['keeps', (folder: string) => ['-server', '-bootstrap', '-data-dir', folder]],
  ['forgets', () => ['-dev']],
] as const) {
  test.serial(`applications outlive an agent that is started again and ${what} what it knew`, async (t) => {
    t.timeout(120_000)
    const folder = temporaryDirectory(t)
    const first = await startAgent(t, { args: args(folder), files: CONNECT })
    const { options } = watched(first)
    await using db = await connect.service('db', options)
    await db.listen((socket) => socket.pipe(socket), { host: HOST, register: REGISTER })
    await using web = await connect.service('web', options)
    const socket = await web.dial('db')
    t.is(await echoed(socket, 'before'), 'before')
    await first.stop()
    t.is(await echoed(socket, 'without'), 'without')
    t.is(await echoed(await web.dial('db'), 'anew'), 'anew')
    const second = await startAgent(t, { args: args(folder), files: CONNECT, ports: first.ports })
    await until(
      'it is registered',
      () => second.json<unknown[]>('/v1/health/connect/db?passing'),
      (entries) => entries.length === 1,
    )
    await until(
      'they reach each other',
      async () => echoed(await web.dial('db'), 'again'),
      (text) => text === 'again',
    )
    t.is(await echoed(socket, 'still'), 'still')
    await db.close()
    t.deepEqual(await second.json('/v1/health/connect/db'), [])
  })
}

function watched(agent: Agent): { options: ConnectOptions; events: ConnectEvent[] } {
  const events: ConnectEvent[] = []
  return { events, options: { address: agent.address, env: {}, log: (event) => events.push(event) } }
}

/** What a service answers to one HTTP request; '' if it closes. */
async function request(socket: TLSSocket): Promise<string> {
  socket.on('error', () => socket.destroy())
  let text = ''
  socket.on('data', (piece) => (text += piece))
  socket.write('GET / HTTP/1.1\r\nHost: db\r\nConnection: close\r\n\r\n')
  await new Promise((resolve) => socket.once('close', resolve))
  return (
    text
      .split('\r\n')
      .filter((line) => line !== '' && !/^[0-9a-f]+$/.test(line))
      .at(-1) ?? ''
  )
}

function echoed(socket: TLSSocket, text: string): Promise<string> {
  return new Promise((resolve) => {
    socket.once('error', () => resolve(''))
    socket.once('close', () => resolve(''))
    socket.once('data', (piece) => resolve(String(piece)))
    socket.write(text)
  })
}
