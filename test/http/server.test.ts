import test from 'ava'
import { startHttp } from '../../net/http/server.ts'
import type { Config } from '../../src/config/config.ts'
import type { Route } from '../../src/http/route.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { ask } from '../kit/agents.ts'
import { freePorts } from '../kit/free-ports.ts'
import { testHosts } from '../kit/hosts.ts'
import { apiConfig } from '../kit/http.ts'

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
  const { hosts, printed } = testHosts({ threads: 1, actors: [], place: () => 0 })
  const [host] = hosts
  if (!host) throw new Error('a host was made')
  const port = (await freePorts()).next()
  const config = { ...apiConfig, ports: { http: port }, addresses: { http: ['127.0.0.1'] } } as unknown as Config
  const server = await startHttp({ host, config, layout: [['edge']], routes, filesDirectory: '' })
  if (isRefused(server)) throw new Error(server.why)
  t.teardown(() => server.close())
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
