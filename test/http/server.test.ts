import { once } from 'node:events'
import { statSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { createClientTable } from '../../net/http/client-limit.ts'
import { startHttp } from '../../net/http/server.ts'
import type { Config } from '../../src/config/config.ts'
import type { Route } from '../../src/http/route.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { ask } from '../kit/agents.ts'
import { freePorts } from '../kit/free-ports.ts'
import { testHosts } from '../kit/hosts.ts'
import { apiConfig } from '../kit/http.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'

const broken = (): never => {
  throw new Error('on purpose')
}
const routes: Route[] = [
  { method: 'GET', path: '/v1/broken/read', read: broken },
  { method: 'PUT', path: '/v1/broken/ask', ask: broken, reply: broken },
  { method: 'GET', path: '/v1/broken/run', run: async () => broken() },
  { method: 'GET', path: '/v1/kv/*key', read: ({ rest }) => ({ index: 7, json: rest }) },
]

test('an endpoint that breaks a promise answers 500, and the connections of others go on', async (t) => {
  const { port, printed } = await serving(t)
  const asked = (path: string, method = 'GET') => ask(`http://127.0.0.1:${port}${path}`, method)

  for (const [method, path] of [
    ['GET', 'read'],
    ['PUT', 'ask'],
    ['GET', 'run'],
  ] as const) {
    t.like(await asked(`/v1/broken/${path}`, method), { status: 500, text: 'internal error; the log has it' }, path)
    t.is(printed.pop(), `error http: ${method} /v1/broken/${path} failed`)
  }
  t.like(await asked('/v1/kv/a%2Fb'), { status: 200, text: '"a/b"' })
  t.is((await asked('/v1/kv/a')).headers['x-consul-index'], '7')
  t.like(await asked('/v1//kv/a'), { status: 301, headers: { location: '/v1/kv/a' } })
  t.like(await asked('/v1/kv?keys'), { status: 301, headers: { location: '/v1/kv/?keys' } })
  t.like(await asked('/v1/kv/a', 'DELETE'), { status: 405, headers: { allow: 'OPTIONS,GET' }, text: 'method DELETE not allowed' })
  t.like(await asked('/v1/kv/a', 'OPTIONS'), { status: 200, headers: { allow: 'OPTIONS,GET' }, text: '' })
  t.like(await asked('/v1/nothing'), { status: 404, text: '' })
  t.like(await asked('/v1/kv/%00'), { status: 400, text: '' })
})

test('a long body is sent as gzip to whoever takes it', async (t) => {
  const { port } = await serving(t)
  const long = 'a'.repeat(2_000)
  const fetched = async (path: string, encoding: string) => {
    const [response] = await once(request({ port, path, headers: { 'accept-encoding': encoding } }).end(), 'response')
    const chunks: Buffer[] = await response.toArray()
    return { headers: response.headers, bytes: Buffer.concat(chunks) }
  }
  for (const _again of [1, 2]) {
    const { headers, bytes } = await fetched(`/v1/kv/${long}`, 'deflate, gzip;q=0.5')
    t.like(headers, { 'content-encoding': 'gzip', vary: 'Accept-Encoding', 'content-length': String(bytes.byteLength) })
    t.is(gunzipSync(bytes).toString(), `"${long}"`)
  }
  for (const [path, encoding] of [
    [`/v1/kv/${long}`, 'gzip;q=0'],
    [`/v1/kv/${long}`, 'br'],
    ['/v1/kv/short', 'gzip'],
  ] as const) {
    t.is((await fetched(path, encoding)).headers['content-encoding'], undefined)
  }
})

test('a URL may be as long as in Consul, or as the configuration says', async (t) => {
  const long = `/v1/kv/${'a'.repeat(100_000)}`
  const { port } = await serving(t)
  t.is((await ask(`http://127.0.0.1:${port}${long}`)).status, 200)
  const { port: narrow } = await serving(t, { http: { ...apiConfig.http, maxHeaderBytes: 8_192 } })
  t.is((await ask(`http://127.0.0.1:${narrow}${long}`)).status, 431)
})

test('a client that has too many connections open is refused more, and a new limit counts at once', async (t) => {
  const { port, server, config } = await serving(t, { limits: { ...apiConfig.limits, httpMaxConnsPerClient: 1 } })
  const first = connect(port, '127.0.0.1')
  await once(first, 'connect')
  t.teardown(() => first.destroy())
  t.is((await ask(`http://127.0.0.1:${port}/v1/kv/a`)).status, 429)
  server.reconfigure({ ...config, limits: { ...config.limits, httpMaxConnsPerClient: 9 } })
  t.is((await ask(`http://127.0.0.1:${port}/v1/kv/a`)).status, 200)
})

test('a socket belongs to whom the configuration says', async (t) => {
  const path = join(temporaryDirectory(t), 'http.sock')
  const at = (unixSockets: Config['unixSockets']) =>
    serving(t, { addresses: { http: [`unix://${path}`] } as unknown as Config['addresses'], unixSockets })
  const [user, group] = [String(process.getuid?.()), String(process.getgid?.())]
  const { server } = await at({ user, group, mode: '0640' })
  t.is(statSync(path).mode & 0o777, 0o640)
  const [response] = await once(request({ socketPath: path, path: '/v1/kv/a' }).end(), 'response')
  t.is(response.statusCode, 200)
  response.resume()
  await server.close()
  const why = (unixSockets: Config['unixSockets']) => t.throwsAsync(at(unixSockets)).then((error) => error?.message)
  t.regex(
    String(await why({ user: 'no such user', group: '', mode: '' })),
    /invalid user specified: no such user; set another with unix_sockets$/,
  )
  t.regex(String(await why({ user: '', group: 'no such group', mode: '' })), /invalid group specified: no such group/)
  t.regex(String(await why({ user: '', group: '', mode: '9' })), /invalid mode specified: 9/)
})

async function serving(t: ExecutionContext, given: Partial<Config> = {}) {
  const { hosts, printed } = testHosts({ threads: 1, actors: [], place: () => 0 })
  const [host] = hosts
  if (!host) throw new Error('a host was made')
  const port = (await freePorts()).next()
  const config = { ...apiConfig, ports: { http: port }, addresses: { http: ['127.0.0.1'] }, ...given } as unknown as Config
  const server = await startHttp({ host, config, layout: [['edge']], routes, filesDirectory: '', clients: createClientTable(1) })
  if (isRefused(server)) throw new Error(server.why)
  t.teardown(() => server.close())
  return { server, port, printed, config }
}
