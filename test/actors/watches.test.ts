import test from 'ava'
import { watches } from '../../actors/watches/index.ts'
import type { WatchDefinition, WatchQuestion } from '../../actors/watches/protocol.ts'
import { NOTHING_SEEN, payloadOf, seenAfter, urlOf } from '../../actors/watches/questions.ts'
import type { OwnApiAnswer } from '../../src/kernel/ports.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import { tryActor } from '../kit/try-actor.ts'

const KEY: WatchDefinition = {
  question: { type: 'key', key: 'a' },
  datacenter: '',
  token: 'secret',
  stale: false,
  handler: { kind: 'script', args: ['tell', 'me'] },
}
const HOOK: WatchDefinition = {
  question: { type: 'nodes' },
  datacenter: 'dc2',
  token: '',
  stale: true,
  handler: { kind: 'http', url: 'http://h/', method: 'PUT', headers: { 'x-consul-index': ['mine'] }, timeoutMs: 5, tlsSkipVerify: true },
}
const PASSED = { status: 'passing', output: '' } as const

function answer(text: string, index = '1', status = 200): OwnApiAnswer {
  return { status, index, hash: '', text }
}

function following(...definitions: WatchDefinition[]) {
  const a = tryActor(watches, { args: { watches: definitions } })
  const urls = () => a.acts('api').map((request) => (request as { url: string }).url)
  return { a, urls }
}

test('the first answer and each other one are told, one after the other', (t) => {
  const { a, urls } = following(KEY)
  t.deepEqual(a.acts('api'), [{ do: 'get', asker: JSON.stringify(KEY), url: '/v1/kv/a', token: 'secret' }])
  a.outcome('api', answer('', '7', 404))
  const script = { kind: 'script', args: ['tell', 'me'], timeoutMs: 86_400_000, outputMax: 4_096 }
  t.deepEqual(a.acts('probes'), [{ ...script, env: { CONSUL_INDEX: '7' }, input: 'null\n' }])
  t.deepEqual(urls(), [], 'nothing is asked while the handler runs')
  a.outcome('probes', PASSED)
  t.deepEqual(urls(), ['/v1/kv/a?index=7'])

  a.outcome('api', answer('', '9', 404))
  t.deepEqual([urls(), a.acts('probes')], [['/v1/kv/a?index=9'], []], 'the same again is not told')
  a.outcome('api', answer('[{"Key":"a","Value":null,"CreateIndex":10}]', '10'))
  t.like(a.acts('probes')[0], { env: { CONSUL_INDEX: '10' }, input: '{"Key":"a","Value":null,"Session":"","CreateIndex":10}\n' })
})

test('a web hook gets the answer as its body, and what is configured goes before what is usual', (t) => {
  const { a, urls } = following(HOOK)
  t.deepEqual(urls(), ['/v1/catalog/nodes?dc=dc2&stale='])
  a.outcome('api', answer('[]', '3'))
  t.deepEqual(a.acts('probes'), [
    {
      kind: 'http',
      url: 'http://h/',
      method: 'PUT',
      headers: { 'User-Agent': ['Tribune'], 'Content-Type': ['application/json'], 'x-consul-index': ['mine'] },
      body: '[]\n',
      timeoutMs: 5,
      outputMax: 4_096,
      tlsServerName: '',
      tlsSkipVerify: true,
      disableRedirects: false,
    },
  ])
})

test('a handler that fails is logged, and told of the next change', (t) => {
  const { a } = following(KEY)
  let index = 0
  for (const [result, said] of [
    [{ status: 'warning', output: 'oh\n' }, { output: 'oh' }],
    [refuse('invalid', 'args: must name a program to run'), { error: 'args: must name a program to run' }],
  ] as const) {
    a.outcome('api', answer(`[{"n":"${result}${said}"}]`, String((index += 1))))
    a.effects()
    a.outcome('probes', result)
    const printed = a.effects().filter(({ did }) => did === 'print')
    t.deepEqual(printed, [{ did: 'print', level: 'error', line: 'Watch handler failed', facts: { handler: 'tell me', ...said } }])
    a.outcome('api', answer(`[{"m":"${said}"}]`, String((index += 1))))
    t.is(a.acts('probes').length, 1)
    a.outcome('probes', PASSED)
  }
})

test('a question that fails is asked again, later and later, from the start', (t) => {
  const { a, urls } = following(KEY)
  a.outcome('api', answer('[{"Key":"a"}]', '5'))
  a.outcome('probes', PASSED)
  const failures = [answer('No cluster leader', '', 500), refuse('busy', 'full'), ...Array(6).fill(answer('', '', 500))]
  for (const [waitMs, failure] of [5_000, 20_000, 45_000, 80_000, 125_000, 180_000, 180_000].map((ms, at) => [ms, failures[at]] as const)) {
    a.outcome('api', failure)
    a.wait(waitMs - 1)
    t.deepEqual(urls(), [])
    a.wait(1)
    t.deepEqual(urls(), ['/v1/kv/a'])
  }
  a.outcome('api', answer('[{"Key":"a"}]', '5'))
  t.deepEqual([a.acts('probes'), urls()], [[], ['/v1/kv/a?index=5']], 'what was told before is not told again')
  a.outcome('api', failures[0])
  a.wait(5_000)
  t.deepEqual(urls(), ['/v1/kv/a'])
})

test('an answer that cannot be waited for is asked for at intervals', (t) => {
  const { a, urls } = following(KEY)
  a.outcome('api', answer('', '', 404))
  t.like(a.acts('probes')[0], { env: { CONSUL_INDEX: '0' } })
  a.outcome('probes', PASSED)
  a.outcome('api', answer('', '', 404))
  t.deepEqual(urls(), [])
  a.wait(5_000)
  t.deepEqual(urls(), ['/v1/kv/a'])
})

test('a reload leaves alone what stays; equal watches are several', (t) => {
  const { a, urls } = following(KEY, KEY)
  t.deepEqual(urls(), ['/v1/kv/a', '/v1/kv/a'])
  a.outcome('api', answer('', '5', 404))
  a.outcome('probes', PASSED)
  t.deepEqual(urls(), ['/v1/kv/a', '/v1/kv/a?index=5'])
  a.effects()
  t.is(a.call('reload', { watches: [KEY, HOOK] }).result, null)
  t.deepEqual(
    a.effects().filter(({ did }) => did === 'act'),
    [
      { did: 'act', device: 'api', request: { do: 'forget', asker: `${JSON.stringify(KEY)} 2` } },
      { did: 'act', device: 'api', request: { do: 'get', asker: JSON.stringify(HOOK), url: '/v1/catalog/nodes?dc=dc2&stale=', token: '' } },
    ],
  )
})

test('what a watch that is gone still hears changes nothing', (t) => {
  const { a, urls } = following(KEY)
  a.call('reload', { watches: [] })
  a.call('reload', { watches: [KEY] })
  t.deepEqual(urls(), ['/v1/kv/a', undefined as unknown as string, '/v1/kv/a'])
  a.outcome('api', refuse('gone', 'its asker asked for something else'))
  t.deepEqual([a.timers(), a.acts('probes')], [[], []])
  a.outcome('api', { status: 204, index: '', hash: '', text: '' })
  a.outcome('api', answer('', '5', 404))
  a.call('reload', { watches: [] })
  a.outcome('probes', PASSED)
  t.deepEqual(a.acts('api').length, 1, 'only the `forget`')
})

const URLS: [WatchQuestion, string][] = [
  [{ type: 'key', key: 'a b/c?#%' }, '/v1/kv/a%20b/c%3F%23%25'],
  [{ type: 'keyprefix', prefix: 'a/' }, '/v1/kv/a/?recurse='],
  [{ type: 'services' }, '/v1/catalog/services'],
  [{ type: 'service', service: 'web', tags: ['a', 'b&c'], passingOnly: true }, '/v1/health/service/web?tag=a&tag=b%26c&passing=1'],
  [{ type: 'service', service: 'web', tags: [], passingOnly: false }, '/v1/health/service/web'],
  [{ type: 'checks', service: 'web', state: '' }, '/v1/health/checks/web'],
  [{ type: 'checks', service: '', state: 'warning' }, '/v1/health/state/warning'],
  [{ type: 'checks', service: '', state: '' }, '/v1/health/state/any'],
  [{ type: 'event', name: '' }, '/v1/event/list'],
  [{ type: 'event', name: 'deploy' }, '/v1/event/list?name=deploy'],
  [{ type: 'connect_roots' }, '/v1/agent/connect/ca/roots'],
  [{ type: 'connect_leaf', service: 'web' }, '/v1/agent/connect/ca/leaf/web'],
  [{ type: 'agent_service', serviceId: 'web-1' }, '/v1/agent/service/web-1'],
  [{ type: 'connect_proxy_config', proxyServiceId: 'web-proxy' }, '/v1/agent/connect/proxy/web-proxy'],
]
for (const [question, url] of URLS) {
  test(`${JSON.stringify(question)} asks ${url}`, (t) => {
    t.is(urlOf({ question, datacenter: '', stale: false }, NOTHING_SEEN), url)
    t.true(URL.canParse(url, 'http://agent'))
  })
}

test('what was seen is waited on: indexes that went back count from the start, and none is 0', (t) => {
  const seen = { index: '18446744073709551615', hash: '' }
  t.deepEqual(seenAfter(NOTHING_SEEN, seen), seen)
  t.deepEqual(seenAfter(seen, { index: '18446744073709551614', hash: '' }), NOTHING_SEEN)
  t.deepEqual(seenAfter(NOTHING_SEEN, { index: '0', hash: '' }), { index: '1', hash: '' })
  t.deepEqual(seenAfter(seen, { index: '', hash: 'abc' }), { index: '0', hash: 'abc' })
  const question = { type: 'agent_service', serviceId: 'web' } as const
  t.is(urlOf({ question, datacenter: '', stale: false }, { index: '0', hash: 'abc' }), '/v1/agent/service/web?hash=abc')
})

test('handlers get what clients of the API make of its answers', (t) => {
  const entry = '{"Key":"\\"Value\\":null,\\"CreateIndex\\":","Value":"YQ==","CreateIndex":1}'
  const shown = entry.replace('"YQ==",', '"YQ==","Session":"",')
  const held = '{"Key":"b","Value":null,"Session":"s","CreateIndex":1}'
  const prefix = { type: 'keyprefix', prefix: 'a' } as const
  t.is(payloadOf({ type: 'key', key: 'a' }, answer(`[${entry}]`)), `${shown}\n`)
  t.is(payloadOf(prefix, answer(`[${entry},${held}]`)), `[${shown},${held}]\n`)
  t.is(payloadOf(prefix, answer('', '1', 404)), 'null\n')
  t.is(payloadOf({ type: 'nodes' }, answer('', '1', 404)), undefined)
  const id = '00000000-0000-0000-0000-000000000001'
  const events = `[{"ID":"${id}","Name":"a"},{"ID":"${id}","Name":"b"}]`
  t.is(payloadOf({ type: 'event', name: '' }, answer(events)), `${events}\n`)
  t.is(payloadOf({ type: 'event', name: 'b' }, answer(events)), `[{"ID":"${id}","Name":"b"}]\n`)
  t.is(payloadOf({ type: 'event', name: 'b' }, answer('null')), '[]\n')
})

test('of events only the new ones are told, and none again when the wait is over', (t) => {
  const event = (id: string, name = 'deploy') => ({ ID: `00000000-0000-0000-0000-00000000000${id}`, Name: name })
  const { a } = following({ ...KEY, question: { type: 'event', name: 'deploy' } })
  const told = () => a.acts('probes').map((request) => JSON.parse((request as { input: string }).input))
  const answered = (index: string, ...events: object[]) => a.outcome('api', answer(JSON.stringify(events), index))
  answered('2', event('1'), event('2'))
  t.deepEqual(told(), [[event('1'), event('2')]])
  a.outcome('probes', PASSED)
  answered('2', event('1'), event('2'))
  t.deepEqual(told(), [])
  answered('4', event('2'), event('3'), event('4'))
  t.deepEqual(told(), [[event('3'), event('4')]])
  a.outcome('probes', PASSED)
  answered('9', event('8'), event('9'))
  t.deepEqual(told(), [[event('8'), event('9')]], 'all, where the one that was seen is gone')
})
