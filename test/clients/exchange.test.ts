import test from 'ava'
import { exchange } from '../../actors/exchange/index.ts'
import type { AnswerTurn } from '../../net/dns/answer.ts'
import { askFar } from '../../net/dns/far.ts'
import { dnsSettings } from '../../net/dns/settings.ts'
import type { ApiAnswer } from '../../src/http/api.ts'
import { createApi } from '../../src/http/api.ts'
import type { HttpRequest, Route } from '../../src/http/route.ts'
import type { Devices, OwnApiAnswer } from '../../src/kernel/ports.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { table } from '../../src/kernel/tables.ts'
import { ownApi } from '../../src/own-api.ts'
import { type Asking, apiRequest } from '../kit/api-request.ts'
import { apiConfig } from '../kit/http.ts'
import { linkedHosts } from '../kit/linked-hosts.ts'
import { tryActor } from '../kit/try-actor.ts'

const things = table<string>('things', 1)
const LONG = 'abcdefg'.repeat(500_000)
const TURN: AnswerTurn = { nowMs: 0, chance: () => 0, ip: '', edns: false, answersMax: 10 }
const LAYOUT = [['main', 'state', 'edge']] as const

test('a request to a client agent is answered by the server as it was asked', (t) => {
  const { ask, seen } = agents()
  const answers = ask('PUT', '/v1/thing?near=_agent', { headers: { 'x-consul-token': 'secret' }, body: 'abc' })
  t.deepEqual(shown(answers), ['200 {"body":"abc","node":"web1"}'])
  t.deepEqual(
    seen.map(({ token, from, query }) => ({ token, from, near: query.get('near') })),
    [{ token: 'secret', from: '10.9.9.9', near: 'web1' }],
  )
  t.deepEqual(
    answers[0]?.headers.filter((_value, at) => answers[0]?.headers[at - 1] === 'X-Thing'),
    ['yes'],
  )
})

test('what is about the agent is answered by it', (t) => {
  const { ask, use } = agents()
  use(undefined)
  t.deepEqual(shown(ask('GET', '/v1/agent/thing')), ['200 "web1"'])
})

test('members here are asked about their keys for another datacenter, and only what is a question', (t) => {
  const a = tryActor(exchange, { args: undefined })
  const key = Buffer.alloc(32, 1).toString('base64')
  const asked = a.call('keyring', { do: 'install', key })
  t.like(a.pending(), [{ to: 'membership', name: 'keyring', request: { do: 'install', key } }])
  const answers = [{ name: 'n1', isServer: true, keys: [key], why: '' }]
  a.answer('keyring', answers)
  t.deepEqual(asked.result, answers)
  for (const wrong of [null, {}, { do: 'forget', key }, { do: 'use' }, { do: 'use', key: 7 }]) {
    t.like(a.call('keyring', wrong as never).result, { refused: 'invalid' })
  }
  t.deepEqual(a.pending(), [])
})

test('without a server the API says so', (t) => {
  const { ask, use } = agents()
  use(undefined)
  t.deepEqual(shown(ask('PUT', '/v1/thing')), ['500 No known Consul servers'])
  t.deepEqual(shown(ask('GET', '/v1/thing')), ['500 No known Consul servers'])
})

test('a body above the limit is refused where it came', (t) => {
  const { ask, seen } = agents()
  t.is(ask('PUT', '/v1/thing', { body: 'a'.repeat(101) })[0]?.status, 413)
  t.deepEqual(seen, [])
})

test('a blocking query waits at the server, and is asked again at another one', (t) => {
  const { ask, use, kit, change } = agents()
  const waiting = ask('GET', '/v1/thing?index=7')
  t.deepEqual(waiting, [])
  use('s2')
  kit.settle()
  t.deepEqual(waiting, [])
  kit.advance(1_000)
  t.deepEqual(waiting, [], 'it waits there')
  change('s2')
  t.deepEqual(shown(waiting), ['200 "new"'])
})

test('a write whose server went away is not repeated', (t) => {
  const { ask, use, kit, seen } = agents()
  const answers = ask('PUT', '/v1/never')
  use('s2')
  kit.advance(2_000)
  t.deepEqual(shown(answers), ['500 rpc error making call: another server is used'])
  t.is(seen.length, 1)
})

test('a client that goes away ends the wait at the server', (t) => {
  const { begin, kit, host } = agents()
  const { giveUp, answers } = begin('GET', '/v1/thing?index=7')
  kit.settle()
  const waiting = host('s1').waiters.size
  giveUp()
  kit.settle()
  t.is(host('s1').waiters.size, waiting - 1)
  t.deepEqual(answers, [])
})

test('questions of DNS do not end requests that wait, nor do those of the agent itself', (t) => {
  const { ask, kit, host, change, own } = agents()
  const waiting = ask('GET', '/v1/thing?index=7')
  const answers: unknown[] = []
  for (let round = 0; round < 3; round++) {
    askFar(host('web1'))({ name: 'web.service.consul.', type: 1 }, dnsSettings(), TURN, (answer) => answers.push(answer))
  }
  own('/v1/thing?index=7', (answer) => answers.push(answer.text))
  kit.settle()
  t.deepEqual(answers, [{ rcode: 0 }, { rcode: 0 }, { rcode: 0 }])
  change('s1')
  t.deepEqual(shown(waiting), ['200 "new"'])
  t.deepEqual(answers.slice(3), ['"new"'])
})

test('a long answer comes in pieces and whole', (t) => {
  const { ask, kit } = agents()
  const [answer] = ask('GET', '/v1/long')
  t.is(answer?.bytes.toString(), LONG)
  t.deepEqual(kit.printed, [])
})

function shown(answers: readonly ApiAnswer[]): string[] {
  return answers.map(({ status, bytes }) => `${status} ${bytes.toString()}`)
}

function agents() {
  const seen: HttpRequest[] = []
  const values = new Map([
    ['s1', { index: 7, json: 'old' }],
    ['s2', { index: 7, json: 'old' }],
  ])
  const routesOf = (node: string): Route[] => [
    {
      method: 'GET',
      path: '/v1/thing',
      read(_request, view) {
        view.get(things, 'a')
        return values.get(node) ?? { index: 1, json: null }
      },
    },
    {
      method: 'PUT',
      path: '/v1/thing',
      ask(request, settings) {
        seen.push(request)
        return { json: { body: request.body.toString(), node: settings.node }, headers: { 'X-Thing': 'yes' } }
      },
      reply: () => ({}),
    },
    {
      method: 'PUT',
      path: '/v1/never',
      begin(request) {
        seen.push(request)
      },
    },
    { method: 'GET', path: '/v1/long', ask: () => ({ text: LONG }), reply: () => ({}) },
    { method: 'GET', path: '/v1/agent/thing', ask: (_request, { node: own }) => ({ json: own }), reply: () => ({}) },
  ]
  const partsOf = (node: string, server: boolean) => ({
    host: kit.host(node),
    config: { ...apiConfig, server, node: { name: node } } as never,
    layout: LAYOUT,
    routes: routesOf(node),
  })
  const apiOf = (node: string): Partial<Devices> => ({
    api: ownApi({ options: () => partsOf(node, true), answerDns: (_node, _question, done) => done({ rcode: 0 }) }),
  })
  const kit = linkedHosts([
    { node: 's1', server: true, actors: [exchange], devices: apiOf('s1') },
    { node: 's2', server: true, actors: [exchange], devices: apiOf('s2') },
    { node: 'web1', server: false, actors: [] },
  ])
  for (const server of ['s1', 's2']) kit.host(server).start('exchange', '', undefined)
  kit.use('web1', 's1')
  kit.settle()
  const api = createApi(partsOf('web1', false))
  const watching = ownApi({ options: () => partsOf('web1', false) })
  const own = (url: string, done: (answer: OwnApiAnswer) => void) => {
    watching.perform(
      { do: 'get', asker: 'watch', url, token: '' },
      (answer) => !isRefused(answer) && done(answer),
      () => undefined,
    )
  }
  const begin = (method: string, url: string, asking: Asking = {}) => {
    const answers: ApiAnswer[] = []
    const giveUp = api.handle(apiRequest(method, url, asking), (answer) => answers.push(answer))
    return { giveUp, answers }
  }
  return {
    kit,
    seen,
    begin,
    own,
    host: (node: string) => kit.host(node),
    use: (server: string | undefined) => kit.use('web1', server),
    ask(...of: Parameters<typeof begin>) {
      const { answers } = begin(...of)
      kit.settle()
      return answers
    },
    change(node: string) {
      values.set(node, { index: 8, json: 'new' })
      kit.host(node).notify({ index: 8, touched: [[1, 'a']] as never })
      kit.settle()
    },
  }
}
