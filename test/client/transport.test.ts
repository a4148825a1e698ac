import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { createServer as createPlainServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { ClientError, type ClientOptions, ConnectionError, createClient, ResponseError } from '../../src/client/index.ts'
import { writeFiles } from '../kit/agents.ts'
import { selfSigned } from '../kit/self-signed.ts'
import { closedPort, listening } from '../kit/servers.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'

type Seen = { line: string; headers: IncomingMessage['headers']; body: string }

/** Answers each request with the next of these, and tells what was asked. */
function answering(answers: readonly { status?: number; text?: string }[]): { server: Server; seen: Seen[] } {
  const seen: Seen[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
    request.on('end', () => {
      const { status = 200, text = '[]' } = answers[seen.length] ?? {}
      seen.push({ line: `${request.method} ${request.url}`, headers: request.headers, body })
      response.writeHead(status).end(text)
    })
  })
  return { server, seen }
}

async function clientOf(t: ExecutionContext, server: Server, env: Record<string, string> = {}) {
  const port = await listening(t, server)
  const client = createClient({ env: { CONSUL_HTTP_ADDR: `127.0.0.1:${port}`, ...env } })
  t.teardown(() => client.close())
  return { client, port }
}

test('the environment says what the options do not', async (t) => {
  const { server, seen } = answering([])
  const env = { CONSUL_HTTP_TOKEN: 'secret', CONSUL_HTTP_AUTH: 'me:word', CONSUL_NAMESPACE: 'team' }
  const { client, port } = await clientOf(t, server, env)
  await client.catalog.nodes()
  await client.catalog.nodes({
    token: 'other',
    datacenter: 'dc2',
    consistency: 'stale',
    filter: 'Node == "a"',
    nodeMeta: { a: 'b', c: '' },
  })
  t.like(seen[0], { line: 'GET /v1/catalog/nodes?ns=team' })
  t.like(seen[0]?.headers, { 'x-consul-token': 'secret', authorization: 'Basic bWU6d29yZA==', host: `127.0.0.1:${port}` })
  t.is(seen[1]?.line, 'GET /v1/catalog/nodes?dc=dc2&ns=team&filter=Node+%3D%3D+%22a%22&node-meta=a%3Ab&node-meta=c%3A&stale=')
  t.is(seen[1]?.headers['x-consul-token'], 'other')

  const chosen = createClient({ address: `http://127.0.0.1:${port}`, token: 'mine', datacenter: 'dc3', stale: true, env })
  await chosen.health.service('web', { tags: ['a', 'b'], passing: true, near: '_agent', consistency: 'consistent' })
  await chosen.health.service('a/b c')
  await chosen.kv.put('x', 'y')
  t.deepEqual(
    seen.slice(2).map(({ line, headers }) => [line, headers['x-consul-token']]),
    [
      ['GET /v1/health/service/web?dc=dc3&ns=team&near=_agent&tag=a&tag=b&passing=&consistent=', 'mine'],
      ['GET /v1/health/service/a/b%20c?dc=dc3&ns=team&stale=', 'mine'],
      ['PUT /v1/kv/x?dc=dc3&ns=team', 'mine'],
    ],
  )
  t.deepEqual(seen.at(-1)?.body, 'y')
})

test('a UNIX socket does as well', async (t) => {
  const { server, seen } = answering([{ text: '["dc1"]' }])
  const path = join(temporaryDirectory(t), 'agent.sock')
  await new Promise<void>((resolve) => server.listen(path, resolve))
  t.teardown(() => server.close())
  const client = createClient({ address: `unix://${path}`, env: {} })
  t.teardown(() => client.close())
  t.deepEqual(await client.catalog.datacenters(), ['dc1'])
  t.is(seen[0]?.headers.host, 'localhost')
})

test('HTTPS checks the certificate, shows one, and can be told to trust', async (t) => {
  const { cert, key } = selfSigned()
  const folder = temporaryDirectory(t)
  writeFiles(folder, { 'cert.pem': cert, 'key.pem': key })
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const server = createSecureServer({ cert, key, ca: cert, requestCert: true, rejectUnauthorized: false }, ({ socket }, response) => {
    response.end(JSON.stringify([socket instanceof TLSSocket && socket.authorized]))
  })
  const address = `https://127.0.0.1:${await listening(t, server)}`
  const isKnown = async (options: ClientOptions) => {
    const client = createClient({ address, env: {}, ...options })
    t.teardown(() => client.close())
    return (await client.request('GET', '/v1/x')).text
  }
  t.is(await isKnown({ caFile: certFile }), '[false]')
  t.is(await isKnown({ caFile: certFile, certFile, keyFile }), '[true]')
  t.is(await isKnown({ caFile: certFile, tlsServerName: 'localhost' }), '[false]')
  t.is(await isKnown({ env: { CONSUL_HTTP_SSL_VERIFY: 'false' } }), '[false]')
  t.like(await t.throwsAsync(isKnown({}), { instanceOf: ConnectionError }), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
  const elsewhere = isKnown({ caFile: certFile, tlsServerName: 'elsewhere' })
  t.like(await t.throwsAsync(elsewhere, { instanceOf: ConnectionError }), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
  t.throws(() => createClient({ address, certFile, env: {} }), { instanceOf: ClientError })
})

test('settings that make no sense are refused at once', (t) => {
  const wrong = [
    [{ address: 'ftp://a:1' }, 'Unknown protocol scheme: ftp'],
    [{ address: 'a:b:c' }, 'bad HTTP address "a:b:c": must be host:port'],
    [{ env: { CONSUL_HTTP_SSL: 'maybe' } }, 'could not parse CONSUL_HTTP_SSL: "maybe" is neither true nor false'],
  ] as const
  for (const [options, message] of wrong) t.throws(() => createClient({ env: {}, ...options }), { instanceOf: ClientError, message })
})

test('a refusal has its status and its text', async (t) => {
  const { server } = answering([{ status: 500, text: 'No cluster leader' }, { status: 403 }])
  const { client } = await clientOf(t, server)
  const refused = await t.throwsAsync(client.kv.get('a'), { instanceOf: ResponseError, message: 'GET /v1/kv/a: 500 (No cluster leader)' })
  t.like(refused, { status: 500, text: 'No cluster leader', method: 'GET', path: '/v1/kv/a' })
  t.like(await t.throwsAsync(client.agent.register({ Name: 'a' })), { status: 403, name: 'ResponseError' })
})

test('nobody there, no answer in time, and a connection that breaks are one kind of error', async (t) => {
  const port = await closedPort(createPlainServer())
  const nobody = createClient({ address: `127.0.0.1:${port}`, env: {} })
  t.like(await t.throwsAsync(nobody.kv.get('a'), { instanceOf: ConnectionError }), { code: 'ECONNREFUSED' })

  const open = new Set<Socket>()
  const silent = createPlainServer((socket) => void open.add(socket))
  t.teardown(() => {
    for (const socket of open) socket.destroy()
  })
  const address = `127.0.0.1:${await listening(t, silent)}`
  const late = await t.throwsAsync(createClient({ address, timeoutMs: 20, env: {} }).kv.put('a', ''), { instanceOf: ConnectionError })
  t.like(late, { code: 'ETIMEDOUT', message: 'PUT /v1/kv/a: no answer within 20 ms' })

  const rude = createPlainServer((socket) => socket.destroy())
  const broken = createClient({ address: `127.0.0.1:${await listening(t, rude)}`, env: {} })
  t.like(await t.throwsAsync(broken.kv.put('a', ''), { instanceOf: ConnectionError }), { code: 'ECONNRESET' })
})

test('a question is asked once more when the connection it was given turns out to be gone; a change is not', async (t) => {
  let requests = 0
  const server = createPlainServer((socket) => {
    let isFirst = true
    socket.on('data', () => {
      requests += 1
      if (!isFirst) return socket.destroy()
      isFirst = false
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntrue')
    })
  })
  const client = createClient({ address: `127.0.0.1:${await listening(t, server)}`, env: {} })
  t.teardown(() => client.close())
  t.true(await client.kv.put('a', ''))
  t.is((await client.request('GET', '/v1/x')).text, 'true')
  t.is(requests, 3)
  await t.throwsAsync(client.kv.put('a', ''), { instanceOf: ConnectionError })
  t.is(requests, 4)
})

test('a signal ends a request with its own reason', async (t) => {
  const arrived = Promise.withResolvers<void>()
  const server = createServer(() => arrived.resolve())
  const { client } = await clientOf(t, server)
  const reason = new Error('enough')
  await t.throwsAsync(client.kv.get('a', { signal: AbortSignal.abort(reason) }), { is: reason })
  const stop = new AbortController()
  const asked = client.kv.get('a', { signal: stop.signal })
  await arrived.promise
  stop.abort(reason)
  await t.throwsAsync(asked, { is: reason })
  server.closeAllConnections()
})
