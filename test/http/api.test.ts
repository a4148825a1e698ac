import test from 'ava'
import type { Config } from '../../src/config/config.ts'
import { type ApiAnswer, type ApiRequest, createApi } from '../../src/http/api.ts'
import { jsonOf } from '../../src/http/parameters.ts'
import type { HttpRequest, ReadRoute, Route } from '../../src/http/route.ts'
import type { LogContact } from '../../src/kernel/ports.ts'
import { table } from '../../src/kernel/tables.ts'
import { testHosts } from '../kit/hosts.ts'
import { apiConfig } from '../kit/http.ts'

const things = table<string>('things', 1)

/** The API with one endpoint that reads. */
function reading(read: ReadRoute['read'], more: Partial<ReadRoute> = {}, config: Partial<Config> = {}) {
  const kit = testHosts({ threads: 1, actors: [], place: () => 0 })
  const [host] = kit.hosts
  if (!host) throw new Error('a host was made')
  const routes: Route[] = [{ method: 'GET', path: '/v1/thing', read, ...more }]
  const api = createApi({ host, config: { ...apiConfig, ...config }, layout: [['edge']], routes })
  /** What came of a request; empty while it waits. */
  const get = (url: string, headers: ApiRequest['headers'] = {}): ApiAnswer[] => {
    const kept = api.kept(url, headers)
    if (kept) return [kept]
    const answers: ApiAnswer[] = []
    api.handle({ method: 'GET', url, headers, from: '127.0.0.1', readBody: (_bytesMax, done) => done(0) }, (answer) => answers.push(answer))
    return answers
  }
  return { ...kit, host, get }
}

test('an answer is kept for whoever has the same token', (t) => {
  let reads = 0
  const { get } = reading(({ token }) => {
    reads++
    return { index: 1, text: `for ${token || 'anybody'}` }
  })
  const asked = (url: string, headers?: ApiRequest['headers']) => get(url, headers).map(({ bytes }) => bytes.toString())
  for (const _again of [1, 2]) {
    t.deepEqual(asked('/v1/thing'), ['for anybody'])
    t.deepEqual(asked('/v1/thing', { 'x-consul-token': 'a' }), ['for a'])
    t.deepEqual(asked('/v1/thing', { 'x-consul-token': '' }), ['for anybody'])
    t.deepEqual(asked('/v1/thing', { authorization: 'Bearer b' }), ['for b'])
    t.deepEqual(asked('/v1/thing', { authorization: 'bearer b c' }), ['for b'])
    t.deepEqual(asked('/v1/thing', { authorization: 'Basic b' }), ['for anybody'])
    t.deepEqual(asked('/v1/thing?token=a'), ['for a'])
    t.deepEqual(asked('/v1/thing?token=b', { 'x-consul-token': 'a' }), ['for b'])
    t.deepEqual(asked('/v1/thing?token=', { 'x-consul-token': 'a' }), ['for a'])
    t.deepEqual(asked('/v1/thing', { 'x-consul-token': 'a', authorization: 'Bearer b' }), ['for a'])
  }
  t.is(reads, 3)
})

test('an answer that is kept does not hide what is wrong with the headers', (t) => {
  const { get } = reading(() => ({ index: 1, text: 'well' }))
  t.is(get('/v1/thing')[0]?.status, 200)
  t.is(get('/v1/thing', { 'cache-control': 'max-age=x' })[0]?.status, 400)
})

test('an endpoint that breaks a promise while its readers wait answers them 500, and nothing waits any more', (t) => {
  let isBroken = false
  const { get, host, printed } = reading((_request, view) => {
    view.get(things, 'a')
    if (isBroken) throw new Error('on purpose')
    return { index: 1, text: 'well' }
  })
  const waiting = [get('/v1/thing?index=1'), get('/v1/thing?index=1&pretty')]
  t.deepEqual(waiting, [[], []])
  isBroken = true
  host.notify({ index: 9, touched: [[things.id, 'a']] })
  t.deepEqual(
    waiting.flat().map(({ status, bytes }) => [status, bytes.toString()]),
    Array(2).fill([500, 'internal error; the log has it']),
  )
  t.deepEqual(printed, Array(2).fill('error http: GET /v1/thing failed'))
  t.is(host.waiters.size, 0)
})

test('an endpoint of the cache says that its answer came from there, unless the client wants it from the servers', (t) => {
  const { get } = reading(() => ({ index: 1, text: 'well' }), { saysCache: true })
  const cache = (url: string, control?: string) => {
    const headers = get(url, control === undefined ? {} : { 'cache-control': control })[0]?.headers ?? []
    return ['X-Cache', 'Age'].map((name) => headers[headers.indexOf(name) + 1 || headers.length])
  }
  for (const _again of [1, 2]) {
    t.deepEqual(cache('/v1/thing'), [undefined, undefined])
    t.deepEqual(cache('/v1/thing?cached'), ['HIT', '0'])
    t.deepEqual(cache('/v1/thing?cached', 'max-age=60'), ['HIT', '0'])
    t.deepEqual(cache('/v1/thing?cached', 'max-age=0'), ['MISS', undefined])
    t.deepEqual(cache('/v1/thing?cached', 'stale-if-error=5, must-revalidate'), ['MISS', undefined])
  }
  const { get: uncached } = reading(
    () => ({ index: 1, text: 'well' }),
    { saysCache: true },
    { http: { ...apiConfig.http, useCache: false } },
  )
  t.false(uncached('/v1/thing?cached')[0]?.headers.includes('X-Cache'))
})

test('only some requests to an endpoint may be about the cache', (t) => {
  const { get } = reading(() => ({ index: 1, text: 'well' }), { saysCache: ({ query }) => query.has('execute') })
  t.false(get('/v1/thing?cached')[0]?.headers.includes('X-Cache'))
  t.true(get('/v1/thing?cached&execute')[0]?.headers.includes('X-Cache'))
})

test('an answer that hides its index is waited for like others', (t) => {
  const { get, host } = reading((_request, view) => {
    const found = view.get(things, 'a')
    return { index: 7, showsIndex: false, status: found === undefined ? 404 : 200 }
  })
  t.false(get('/v1/thing')[0]?.headers.includes('X-Consul-Index'))
  t.deepEqual(get('/v1/thing?index=7'), [])
  t.is(host.waiters.size, 2)
})

test('a request is measured under the name that Consul has for it too', (t) => {
  const { get, host } = reading(() => ({ text: 'well' }), { metric: ({ query }) => query.get('as') ?? undefined })
  for (const url of ['/v1/thing', '/v1/thing?as=prepared-query.execute', '/v1/thing?as=prepared-query.execute']) get(url)
  t.deepEqual(
    host.samples.take().map(([name, { count }]) => [name, count]),
    [
      ['api.http;method=GET;path=v1.thing', 3],
      ['prepared-query.execute', 2],
    ],
  )
})

test('an answer says how consistent it had to be', (t) => {
  const consistency = (url: string, discoveryMaxStaleMs = 0) => {
    const query = { ...apiConfig.query, discoveryMaxStaleMs }
    const { get } = reading(() => ({ index: 1, text: 'well' }), { path: '/v1/catalog/thing', saysConsistency: true }, { query })
    const headers = get(`/v1/catalog/thing?${url}`)[0]?.headers ?? []
    return headers[headers.indexOf('X-Consul-Effective-Consistency') + 1]
  }
  t.deepEqual(
    ['', 'consistent', 'stale', 'max_stale=5s', 'max_stale=0s', 'leader'].map((url) => consistency(url)),
    ['leader', 'consistent', 'stale', 'stale', 'leader', 'leader'],
  )
  t.deepEqual(
    ['', 'leader', 'cached', 'consistent'].map((url) => consistency(url, 1_000)),
    ['stale', 'leader', 'leader', 'consistent'],
  )
})

test('a server that shares its log says how long it has not heard of it; what may not be as old as that is asked for', (t) => {
  const etcd = { own: undefined, endpoints: [], caFile: '', certFile: '', keyFile: '', holdMs: 1 }
  let reads = 0
  const { get, host } = reading(() => ({ index: 1, text: `${reads++}` }), {}, { etcd })
  let contact: LogContact = { isLed: true, silentMs: 700, overdueMs: 0, term: 1 }
  host.ports.contact = () => contact
  const told = (url: string) => {
    const headers = get(url)[0]?.headers ?? []
    return ['X-Consul-Knownleader', 'X-Consul-Lastcontact'].map((name) => headers[headers.indexOf(name) + 1])
  }
  t.deepEqual(told('/v1/thing?stale'), ['true', '0'])
  t.deepEqual(told('/v1/thing?stale'), ['true', '0'])
  t.is(reads, 1)
  contact = { isLed: true, silentMs: 1_500, overdueMs: 300, term: 1 }
  t.deepEqual(told('/v1/thing?stale'), ['true', '300'])
  contact = { isLed: false, silentMs: 9_000, overdueMs: 7_800, term: 1 }
  t.deepEqual(told('/v1/thing?stale'), ['false', '7800'])
  t.deepEqual(told('/v1/thing?max_stale=10s'), ['false', '7800'])
  // There is nobody to ask here.
  t.is(get('/v1/thing?max_stale=8s')[0]?.status, 503)
  t.is(get('/v1/thing')[0]?.status, 503)
  contact = { isLed: true, silentMs: 100, overdueMs: 0, term: 1 }
  t.deepEqual(told('/v1/thing?max_stale=1s'), ['true', '0'])
  t.is(get('/v1/thing?max_stale=50ms')[0]?.status, 503)
})

test('nobody is named as the leader while nobody is known to be it', (t) => {
  let isLed = true
  const { get, host } = reading((_request, _view, settings) => ({ json: settings.isLed?.() ? 'n1' : '' }))
  host.ports.contact = () => ({ isLed, silentMs: 0, overdueMs: 0, term: 1 })
  const told = () => get('/v1/thing').map(({ bytes }) => bytes.toString())
  t.deepEqual([told(), told()], [['"n1"'], ['"n1"']])
  isLed = false
  t.deepEqual(told(), ['""'])
})

test('what no actor can be told is wrong with the request, whatever its endpoint answers else', (t) => {
  const [host] = testHosts({ threads: 1, actors: [], place: () => 0 }).hosts
  if (!host) throw new Error('a host was made')
  const ask = ({ body }: HttpRequest) => ({ to: { actor: 'things', key: '' }, name: 'put', request: jsonOf(body), withinMs: 1_000 })
  const put: Route = { method: 'PUT', path: '/v1/thing', statusOf: { invalid: 500 }, ask, reply: () => ({}) }
  const api = createApi({ host, config: apiConfig, layout: [['edge']], routes: [put] })
  const answers: ApiAnswer[] = []
  const body = Buffer.from('{"a":{"__proto__":1}}')
  api.handle({ method: 'PUT', url: '/v1/thing', headers: {}, from: '', readBody: (_bytesMax, done) => done(body) }, (answer) =>
    answers.push(answer),
  )
  t.deepEqual(
    answers.map(({ status, bytes }) => [status, bytes.toString()]),
    [[400, 'value.a.__proto__: a field cannot have this name']],
  )
})

test('headers are sent as bytes: whatever a name has in it, the line goes on', (t) => {
  const { get } = reading(() => ({ status: 404, headers: { 'X-Consul-Reason': 'ServiceId ü€\n\u0000 not found' } }))
  const headers = get('/v1/thing')[0]?.headers ?? []
  const sent = headers[headers.indexOf('X-Consul-Reason') + 1] ?? ''
  t.is(Buffer.from(sent, 'latin1').toString(), 'ServiceId ü€   not found')
})
