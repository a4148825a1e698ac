import test from 'ava'
import type { ReadRoute, Route } from '../src/http/route.ts'
import type { OwnApiAnswer, OwnApiRequest } from '../src/kernel/ports.ts'
import type { Result } from '../src/kernel/refusal.ts'
import { table } from '../src/kernel/tables.ts'
import { ownApi } from '../src/own-api.ts'
import { testHosts } from './kit/hosts.ts'
import { apiConfig } from './kit/http.ts'

const things = table<string>('things', 1)
const REFUSED = { refused: 'gone', why: 'its asker asked for something else' } as const

function asking(read: ReadRoute['read']) {
  const kit = testHosts({ threads: 1, actors: [], place: () => 0 })
  const [host] = kit.hosts
  if (!host) throw new Error('a host was made')
  const routes: Route[] = [{ method: 'GET', path: '/v1/thing', read }]
  const device = ownApi({ options: () => ({ host, config: { ...apiConfig, devMode: true }, layout: [['edge']], routes }) })
  const ask = (request: OwnApiRequest): Result<OwnApiAnswer>[] => {
    const answers: Result<OwnApiAnswer>[] = []
    device.perform(
      request,
      (answer) => answers.push(answer),
      () => undefined,
    )
    return answers
  }
  return { ...kit, host, ask, get: (asker: string, url: string, token = '') => ask({ do: 'get', asker, url, token }) }
}

test('a question is answered as that of a client, on one line', (t) => {
  const { get } = asking(({ token }) => ({ index: 7, json: { token }, headers: { 'X-Consul-Contenthash': 'abc' } }))
  t.deepEqual(get('a', '/v1/thing', 'secret'), [{ status: 200, index: '7', hash: 'abc', text: '{"token":"secret"}' }])
  t.deepEqual(get('a', '/v1/nothing'), [{ status: 404, index: '', hash: '', text: '' }])
})

test('a question waits until there is another answer', (t) => {
  let found = { index: 7, json: 'old' }
  const { get, host, settle, advance } = asking((_request, view) => {
    view.get(things, 'a')
    return found
  })
  const waiting = get('a', '/v1/thing?index=7&wait=1s')
  const late = get('b', '/v1/thing?index=8&wait=1s')
  t.deepEqual([waiting, late], [[], []])
  found = { index: 8, json: 'new' }
  host.notify({ index: 8, touched: [[1, 'a']] as never })
  settle()
  const answer = { status: 200, index: '8', hash: '', text: '"new"' }
  t.deepEqual([waiting, late], [[answer], []])
  advance(2_000)
  t.deepEqual(late, [answer])
})

test('an asker has one question under way', (t) => {
  const { get, ask, advance } = asking(() => ({ index: 7, json: null }))
  const first = get('a', '/v1/thing?index=7')
  const other = get('b', '/v1/thing?index=7&wait=1m')
  const second = get('a', '/v1/thing?index=7')
  t.deepEqual([first, second, other], [[REFUSED], [], []])
  t.deepEqual(ask({ do: 'forget', asker: 'a' }), [{ status: 204, index: '', hash: '', text: '' }])
  t.deepEqual([first, second, other], [[REFUSED], [REFUSED], []])
  advance(600_000)
  t.deepEqual([first.length, second.length, other.length], [1, 1, 1])
})
