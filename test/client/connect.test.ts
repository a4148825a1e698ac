import { once } from 'node:events'
import { get as getHttp, type RequestOptions } from 'node:http'
import { createServer as createHttps, get as getHttps } from 'node:https'
import { createServer as createTcp } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { targetOfHost } from '../../src/client/connect/target.ts'
import { ClientError, ConnectionError, connect, DialError, ResponseError, type Target } from '../../src/client/index.ts'
import { until } from '../kit/running.ts'
import { closedPort, listening } from '../kit/servers.ts'
import { nameless, twoNamed } from '../net/mesh/fixtures.ts'
import { forge, uriName } from '../net/mesh/forge.ts'
import { type Material, serviceId } from '../net/mesh/kit.ts'
import { kit, openMesh } from './mesh-agent.ts'

const HOST = '127.0.0.1'
const authority = kit.authority()

test('two applications reach each other, and each knows who the other is', async (t) => {
  const { open, echo } = await mesh(t)
  const web = await open('web')
  const server = await echo('db')
  const socket = await web.dial('db')
  t.is(await answer(socket, 'hello'), 'hello from web')
  t.like(web.peer(socket), { uri: serviceId('db'), service: 'db', datacenter: 'dc1' })
  t.is(web.uri, serviceId('web'))
  t.is(server.open, 1)
  socket.destroy()
  await until(
    'it has ended',
    () => server.open,
    (open) => open === 0,
  )
})

test('requests of both modules and of fetch go by name, on connections that are kept', async (t) => {
  const { agent, open } = await mesh(t)
  const db = await open('db')
  let connections = 0
  const { server, port } = await db.listenHttp(
    (request, response) => response.end(`${request.url} for ${db.peer(request.socket)?.service}`),
    { host: HOST },
  )
  server.on('secureConnection', () => connections++)
  agent.instances('db', [{ port }])
  const web = await open('web')
  const own = web.agent({ maxSockets: 1 })
  t.is(await body(getHttp, { agent: own, hostname: 'db.service.consul', path: '/a' }), '/a for web')
  t.is(await body(getHttp, { agent: own, host: 'db.service.consul', path: '/b' }), '/b for web')
  t.is(await body(getHttps, { agent: own, hostname: 'db.service.consul', path: '/c' }), '/c for web')
  t.is(connections, 1, 'one connection is kept for all')
  await t.throwsAsync(body(getHttp, { agent: own, hostname: 'none.service.consul' }), { instanceOf: ResponseError })
  await t.throwsAsync(body(getHttp, { agent: own, hostname: 'example.com' }), {
    instanceOf: ClientError,
    message: /not the name of a service/,
  })

  const dispatcher = undiciAgent(web.connector())
  const fetched = await fetch('http://db.service.consul/d', { dispatcher } as RequestInit)
  t.is(await fetched.text(), '/d for web')
  await t.throwsAsync(fetch('http://none.service.consul/', { dispatcher } as RequestInit))
  await dispatcher.close()
})

test('a deny closes what is open and refuses what is new, with its reason; an allow lets in again', async (t) => {
  const { agent, open, echo, events } = await mesh(t)
  const [web, api] = [await open('web'), await open('api')]
  await echo('db')
  const sockets = [await web.dial('db'), await api.dial('db')] as const
  for (const [at, who] of ['web', 'api'].entries()) t.is(await answer(sockets[at]!, 'hello'), `hello from ${who}`)
  const closed = once(sockets[0], 'close')
  agent.intentions('db', { web: 'deny' })
  await closed
  const why = 'Matched L4 intention: default/web => default/db (Precedence: 9, Action: DENY)'
  t.like(
    events.find(({ did }) => did === 'closed'),
    { why, source: serviceId('web') },
  )
  t.is(await answer(sockets[1], 'still here'), 'still here from api')
  const second = await web.dial('db')
  await once(second.resume(), 'close')
  t.like(
    events.find(({ did }) => did === 'refused'),
    { why, source: serviceId('web') },
  )
  await until(
    'the agent knows of both',
    () => agent.decisions.reduce((sum, { Count }) => sum + Number(Count), 0),
    (count) => count === 2,
  )
  const cause = why.replace('Matched L4 intention: ', '')
  const all = agent.decisions.map(({ Side, Source, Destination, Kind, Cause }) => ({ Side, Source, Destination, Kind, Cause }))
  for (const one of all) t.deepEqual(one, { Side: 'inbound', Source: 'web', Destination: 'db', Kind: 'intention', Cause: cause })
  agent.intentions('db', { '*': 'deny', web: 'allow' })
  await once(sockets[1], 'close')
  t.is(await answer(await web.dial('db'), 'again'), 'again from web')
})

test('where no intention matches, the agent says once what holds', async (t) => {
  const { agent, open, echo, events } = await mesh(t)
  const web = await open('web')
  agent.defaultAllow = false
  await echo('db')
  await once((await web.dial('db')).resume(), 'close')
  t.like(events.at(-1), { did: 'refused', why: 'Default behavior configured by ACLs' })
  const asked = agent.authorizations.length
  agent.intentions('db', { web: 'allow' })
  await until(
    'it is let in',
    async () => answer(await web.dial('db'), 'now'),
    (text) => text === 'now from web',
  )
  t.true(agent.authorizations.length > 0 && agent.authorizations.length >= asked)
  t.like(agent.authorizations[0], { Target: 'db', ClientCertURI: serviceId('web') })
})

test('new certificates and roots are in use for new connections; those that are open stay', async (t) => {
  const { agent, open, echo, events } = await mesh(t)
  const web = await open('web')
  await echo('db')
  const first = await web.dial('db')
  t.is(await answer(first, 'one'), 'one from web')
  const next = kit.authority()
  agent.roots([next.certPem, authority.certPem])
  agent.leaf('db', next.issue(serviceId('db')))
  agent.leaf('web', next.issue(serviceId('web')))
  await until(
    'both have renewed',
    () => events.filter(({ did }) => did === 'renewed').length,
    (count) => count >= 4,
  )
  agent.roots([next.certPem])
  await until(
    'the old root is gone',
    () => events.filter(({ did }) => did === 'renewed').length,
    (count) => count >= 6,
  )
  const second = await web.dial('db')
  t.is(await answer(second, 'two'), 'two from web')
  t.is(await answer(first, 'three'), 'three from web')
})

const other = kit.authority('99999999-2222-3333-4444-555555555555.consul')
const now = Date.now()
/** What a caller shows, and why it is refused. */
const CALLERS: [what: string, shown: Material | undefined, why: RegExp][] = [
  ['no certificate', undefined, /no client certificate was shown/],
  ['a certificate of another CA', kit.authority().issue(serviceId('web')), /signed by an unknown CA/],
  [
    'one of another trust domain, whose root is trusted',
    other.issue(serviceId('web', '99999999-2222-3333-4444-555555555555.consul')),
    /another trust domain/,
  ],
  ['one that has expired', authority.issue(serviceId('web'), { notAfterMs: now - 1_000 }), /has expired/],
  ['one that is not valid yet', authority.issue(serviceId('web'), { notBeforeMs: now + 600_000 }), /not valid yet/],
  [
    'that of an agent',
    authority.issue('spiffe://11111111-2222-3333-4444-555555555555.consul/agent/client/dc/dc1/id/n1'),
    /not the identity of a service/,
  ],
  ['that of the CA itself', { ...authority, rootsPem: [] }, /CA/],
  ['one that may sign others', forge(authority, { isCa: true }), /is that of a CA, not of a service/],
  ['one without a SPIFFE id', nameless, /no SPIFFE id/],
  ['one that names two services', twoNamed, /names 2 URIs/],
]

for (const [what, shown, why] of CALLERS) {
  test(`somebody who shows ${what} is refused`, async (t) => {
    const { agent, echo, events } = await mesh(t)
    agent.roots([authority.certPem, other.certPem, ...nameless.rootsPem, ...twoNamed.rootsPem])
    const { port } = await echo('db')
    const caller = connectTls({ port, host: HOST, rejectUnauthorized: false, ...(shown && { cert: shown.certPem, key: shown.keyPem }) })
    caller.on('error', () => caller.destroy())
    await once(caller.resume(), 'close')
    const refused = await until(
      'it is said',
      () => events.find(({ did }) => did === 'refused'),
      (event) => event !== undefined,
    )
    t.regex(refused?.did === 'refused' ? refused.why : '', why)
    const told = await until(
      'the agent is told',
      () => agent.decisions[0],
      (decision) => decision !== undefined,
    )
    t.regex(String(told?.['Kind']), /^(handshake|identity)$/)
    t.regex(String(told?.['Cause']), why)
  })
}

test('whoever offers only old ciphers is refused, and nobody shakes hands a second time', async (t) => {
  const { echo, events } = await mesh(t)
  const { port } = await echo('db')
  const shown = authority.issue(serviceId('web'))
  const options = { port, host: HOST, rejectUnauthorized: false, cert: shown.certPem, key: shown.keyPem, maxVersion: 'TLSv1.2' } as const
  const old = connectTls({ ...options, ciphers: 'ECDHE-ECDSA-AES128-SHA' })
  old.on('error', () => old.destroy())
  const refused = await until(
    'it is said',
    () => events.find(({ did }) => did === 'refused'),
    (event) => event !== undefined,
  )
  t.like(refused, { why: 'no cipher in common' })
  const socket = connectTls(options)
  await once(socket, 'secureConnect')
  t.is(await answer(socket, 'hello'), 'hello from web')
  const ended = new Promise((resolve) => socket.on('error', resolve))
  socket.renegotiate({}, () => undefined)
  t.regex(String(await ended), /no renegotiation/)
  socket.destroy()
})

/** What a destination shows, and why it is not talked to. */
const CALLED: [what: string, shown: Material, why: RegExp][] = [
  ['the certificate of another service', authority.issue(serviceId('api')), /the certificate is for spiffe:.*api, expected spiffe:.*db/],
  ['a certificate of another CA', kit.authority().issue(serviceId('db')), /signed by an unknown CA/],
  ['one of another trust domain', other.issue(serviceId('db', '99999999-2222-3333-4444-555555555555.consul')), /trust domain/],
  ['one that has expired', authority.issue(serviceId('db'), { notAfterMs: now - 1_000 }), /has expired/],
  ['one without a SPIFFE id', nameless, /no SPIFFE id/],
  ['one that may sign others', forge(authority, { isCa: true, names: [uriName(serviceId('db'))] }), /is that of a CA/],
]

for (const [what, shown, why] of CALLED) {
  test(`a destination that shows ${what} is passed over`, async (t) => {
    const { agent, open, echo } = await mesh(t)
    agent.roots([authority.certPem, other.certPem, ...nameless.rootsPem])
    const impostor = createHttps({ cert: shown.certPem, key: shown.keyPem })
    const impostorPort = await listening(t, impostor)
    agent.instances('db', [{ port: impostorPort }])
    const web = await open('web')
    const error = await t.throwsAsync<DialError>(web.dial('db'), { instanceOf: DialError })
    t.regex(error?.tries[0] ?? '', why)
    const { port } = await echo('db')
    agent.instances('db', [{ port: impostorPort }, { port: await closedPort(createTcp()) }, { port }])
    t.is(await answer(await web.dial('db'), 'hello'), 'hello from web')
  })
}

test('an instance that never finishes its handshake is passed over in time; all tries together have a time, too', async (t) => {
  const { agent, open, echo } = await mesh(t)
  const silent = createTcp((socket) => void t.teardown(() => socket.destroy()))
  const silentPort = await listening(t, silent)
  const { port } = await echo('db')
  const web = await open('web')
  agent.instances('db', [{ port: silentPort }])
  await t.throwsAsync(web.dial('db', { withinMs: 1_000 }), { message: /none of 1 instances could be reached.*connection timed out/ })
  await t.throwsAsync(web.dial('db', { attemptMs: 50 }), { instanceOf: DialError })
  const stop = new AbortController()
  const reason = new Error('enough')
  silent.once('connection', () => stop.abort(reason))
  await t.throwsAsync(web.dial('db', { signal: stop.signal }), { is: reason })
  agent.instances('db', [{ port: silentPort }, { port }])
  t.is(await answer(await web.dial('db', { attemptMs: 200 }), 'hello'), 'hello from web')
  agent.instances('db', [])
  await t.throwsAsync(web.dial('db'), { instanceOf: DialError, message: 'dial db: no healthy instance' })
})

test('an agent that is away changes nothing for what is known', async (t) => {
  const { agent, open, echo, events } = await mesh(t)
  agent.intentions('db', { web: 'allow' })
  const [web, api] = [await open('web'), await open('api')]
  await echo('db')
  const socket = await web.dial('db')
  t.is(await answer(socket, 'hello'), 'hello from web')
  await api.dial('db').then((refused) => refused.destroy())
  agent.isAway = true
  t.is(await answer(socket, 'still here'), 'still here from web')
  t.is(await answer(await web.dial('db'), 'new'), 'new from web', 'by the instances and intentions it knew')
  await t.throwsAsync(web.dial('cache'), { instanceOf: ConnectionError })
  agent.intentions('db', { web: 'deny' })
  agent.isAway = false
  await once(socket, 'close')
  t.true(events.some(({ did }) => did === 'failed'))
})

test('sidecars are reached by the identity of the service behind them; what prepared queries find, too', async (t) => {
  const { agent, open, echo } = await mesh(t)
  const { port } = await echo('db')
  const Service = { Kind: 'connect-proxy', Service: 'db-proxy', Port: port, Address: HOST, Proxy: { DestinationServiceName: 'db' } }
  const entry = { Node: { Datacenter: 'dc1', Address: '127.0.0.9' }, Service }
  agent.answer('/v1/health/connect/db', 200, [entry])
  agent.answer('/v1/query/nearest/execute', 200, { Service: 'db', Nodes: [entry], Datacenter: 'dc1' })
  const web = await open('web')
  t.is(await answer(await web.dial({ service: 'db', datacenter: 'dc1' }), 'a'), 'a from web')
  t.is(await answer(await web.dial({ query: 'nearest' }), 'b'), 'b from web')
  await t.throwsAsync(web.dial({ query: 'none' }), { instanceOf: ResponseError })
})

test('a server and a client of one’s own take the TLS options, and are guarded', async (t) => {
  const { agent, open, events } = await mesh(t)
  const db = await open('db')
  const server = createHttps(db.tlsOptions(), (request, response) => response.end(`hello ${db.peer(request.socket)?.service}`))
  const guarded = await db.guard(server)
  const port = await listening(t, server)
  const web = await open('web')
  const options = { host: HOST, port, agent: false as const }
  t.is(await body(getHttps, { ...options, ...web.tlsOptions({ service: 'db' }) }), 'hello web')
  await t.throwsAsync(body(getHttps, { ...options, ...web.tlsOptions({ service: 'api' }) }), { message: /expected spiffe:.*api/ })
  await t.throwsAsync(body(getHttps, { ...options, ...web.tlsOptions() }), { message: /does not say which service is expected/ })
  const before = web.tlsOptions().cert
  agent.leaf('web', authority.issue(serviceId('web')))
  await until(
    'it has renewed',
    () => web.tlsOptions().cert,
    (cert) => cert !== before,
  )
  agent.intentions('db', { web: 'deny' })
  await until(
    'it is refused',
    () => body(getHttps, { ...options, ...web.tlsOptions({ service: 'db' }) }).catch(String),
    (text) => /hang up|RESET/.test(text),
  )
  t.true(events.some(({ did }) => did === 'refused'))
  t.is(guarded.open, 0)
})

test('names of hosts are those of the agents’ DNS', (t) => {
  t.is(targetOfHost('db', 'consul'), 'db')
  t.deepEqual(targetOfHost('db.service.consul', 'consul'), { service: 'db' })
  t.deepEqual(targetOfHost('DB.connect.consul.', 'consul'), { service: 'db' })
  t.deepEqual(targetOfHost('db.service.dc2.consul', 'consul'), { service: 'db', datacenter: 'dc2' })
  t.deepEqual(targetOfHost('near.db.query.corp.internal', 'corp.internal'), { query: 'near.db' })
  for (const host of ['', 'db.consul', 'db.node.consul', 'db.service.example', '10.0.0.1', 'service.consul']) {
    t.throws(() => targetOfHost(host, 'consul'), { instanceOf: ClientError }, host)
  }
})

test('names that are built like that are read back, and nothing else comes of any other text', (t) => {
  const label = fc.stringMatching(/^[a-z0-9_][a-z0-9_-]{0,20}$/)
  const places = fc.tuple(label, fc.constantFrom('service', 'query'), fc.option(label, { nil: undefined }))
  fc.assert(
    fc.property(places, ([name, kind, datacenter]) => {
      const host = [name, kind, ...(datacenter === undefined ? [] : [datacenter]), 'consul'].join('.')
      t.deepEqual(targetOfHost(host, 'consul'), { [kind]: name, ...(datacenter !== undefined && { datacenter }) } as Target)
    }),
  )
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        return typeof targetOfHost(text, 'consul') === 'string' && /^[a-z0-9_-]+$/i.test(text)
      } catch (error) {
        return error instanceof ClientError
      }
    }),
  )
})

test('a service that gets no certificate says why', async (t) => {
  const { agent } = await mesh(t)
  agent.answer('/v1/agent/connect/ca/leaf/none', 403, 'Permission denied')
  const options = { address: agent.address, env: {} }
  await t.throwsAsync(connect.service('none', options), { instanceOf: ResponseError, message: /403 \(Permission denied\)/ })
  agent.answer('/v1/agent/connect/ca/leaf/none', 500, 'no leader')
  await t.throwsAsync(connect.service('none', { ...options, withinMs: 2_000 }), { instanceOf: ResponseError, message: /500/ })
  const reason = new Error('enough')
  await t.throwsAsync(connect.service('none', { ...options, signal: AbortSignal.abort(reason) }), { is: reason })
  const taken = await connect.listen('db', (socket) => socket.destroy(), { ...options, host: HOST })
  await t.throwsAsync(
    connect.listen('db', () => undefined, { ...options, host: HOST, port: taken.port }),
    { code: 'EADDRINUSE' },
  )
  await taken.close()
})

test('closing ends connections, handshakes and questions; a drain waits for those who end by themselves', async (t) => {
  const { agent, open, echo } = await mesh(t)
  const web = await open('web')
  const server = await echo('db')
  const socket = await web.dial('db')
  t.is(await answer(socket, 'hello'), 'hello from web')
  const half = connectTls({ port: server.port, host: HOST, rejectUnauthorized: false })
  half.on('error', () => half.destroy())
  await once(half.resume(), 'close')
  const drained = server.close({ drainMs: 60_000 })
  t.is(await answer(socket, 'more'), 'more from web')
  socket.end()
  await drained
  const own = await open('db')
  const second = await own.listen(() => undefined, { host: HOST })
  agent.instances('db', [{ port: second.port }])
  const cut = await web.dial('db')
  const closed = once(cut.resume(), 'close')
  await own.close()
  await closed
  const gone = { instanceOf: ClientError, message: /was closed/ }
  await t.throwsAsync(own.dial('db'), gone)
  const [listening, dialled] = [web.listen(() => undefined, { host: HOST }), web.dial('db')]
  await Promise.all([web.close(), t.throwsAsync(listening, gone), t.throwsAsync(dialled)])
})

const mesh = (t: ExecutionContext) => openMesh(t, authority)

/** What comes back for a text; '' if the connection was closed. */
function answer(socket: TLSSocket, text: string): Promise<string> {
  return new Promise((resolve) => {
    socket.once('error', () => resolve(''))
    socket.once('close', () => resolve(''))
    socket.once('data', (piece) => resolve(String(piece)))
    socket.write(text)
  })
}

function body(get: typeof getHttp | typeof getHttps, options: RequestOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    get(options, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve(text))
      response.on('error', reject)
    }).on('error', reject)
  })
}

/** The `Agent` of the undici that Node's own fetch is made with. */
function undiciAgent(connector: unknown): { close(): Promise<void> } {
  const current = (globalThis as Record<symbol, unknown>)[Symbol.for('undici.globalDispatcher.1')]
  const { constructor: Dispatcher } = current as { constructor: new (options: object) => { close(): Promise<void> } }
  return new Dispatcher({ connect: connector })
}
