import test from 'ava'
import { configEntries } from '../../actors/config-entries/index.ts'
import { intentions } from '../../actors/intentions/index.ts'
import { ledger } from '../../actors/ledger.ts'
import { type ApiAnswer, createApi } from '../../src/http/api.ts'
import { routes } from '../../src/http/routes/index.ts'
import type { LogRequest } from '../../src/kernel/ports.ts'
import { testHosts } from '../kit/hosts.ts'
import { apiConfig } from '../kit/http.ts'
import { report, tell, withSidecar } from '../kit/reports.ts'
import { emptyTables } from '../kit/tables.ts'

const LIMITS = { ...apiConfig.limits, kvMaxValueSize: 10_000 }

/** Sidecars of db on two nodes and one of web, and the API beside the actors that write. */
function agent() {
  const tables = emptyTables()
  for (const [node, name] of [
    ['n1', 'db'],
    ['n2', 'db'],
    ['n2', 'web'],
  ] as const)
    withSidecar(tables, node, name)
  const log = {
    perform({ commands }: LogRequest, done: (outcome: never) => void) {
      const outcomes = tables.apply(commands)
      kit.hosts[0]?.notify(tables.notice)
      done({ outcomes, notice: tables.notice } as never)
    },
  }
  const kit = testHosts({ threads: 1, actors: [ledger, intentions, configEntries], place: () => 0, tables, devices: { log } })
  const [host] = kit.hosts
  if (!host) throw new Error('a host was made')
  host.start('ledger', '', null)
  host.start('intentions', '', { defaultAllow: true })
  host.start('config-entries', '', { bootstrap: [] })
  kit.settle()
  const api = createApi({ host, config: { ...apiConfig, limits: LIMITS }, layout: [['edge']], routes })
  const request = (method: string, url: string, body: unknown = '') => {
    const answers: ApiAnswer[] = []
    const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
    const giveUp = api.handle({ method, url, headers: {}, from: '127.0.0.1', readBody: (_bytesMax, done) => done(bytes) }, (answer) =>
      answers.push(answer),
    )
    kit.settle()
    return { answers, giveUp }
  }
  /** A sidecar tells what it has in force. */
  const says = (node: string, service: string, intentionIndex: number, closedConnections = 0) => {
    tell(tables, node, [report({ serviceId: service, intentionIndex, closedConnections })])
    host.notify(tables.notice)
    kit.settle()
  }
  const index = () => tables.notice.index
  return { ...kit, host, tables, request, says, index }
}

const proofOf = ({ headers }: ApiAnswer) =>
  Object.fromEntries(
    headers.flatMap((name, at) =>
      at % 2 === 0 && name.startsWith('X-Tribune-') ? [[name.slice('X-Tribune-'.length), headers[at + 1]]] : [],
    ),
  )
const ENTRY = { Kind: 'service-intentions', Name: 'db', Sources: [{ Name: 'web', Action: 'deny' }] }
const EXACT = '/v1/connect/intentions/exact?source=web&destination=db'

test('a write that waits is answered once every sidecar of the destination has it in force, its body as ever', (t) => {
  const { request, says, advance, index, host } = agent()
  const { answers } = request('PUT', `${EXACT}&wait-enforced`, { Action: 'deny' })
  const written = index()
  t.deepEqual(answers, [])
  advance(30)
  says('n1', 'db', written, 14)
  says('n2', 'web', written, 9)
  t.deepEqual(answers, [])
  advance(8)
  says('n2', 'db', written)
  t.is(answers[0]?.bytes.toString(), 'true')
  t.deepEqual(answers.map(proofOf), [
    {
      Enforced: 'true',
      'Intention-Index': String(written),
      'Enforced-Proxies': '2/2',
      'Enforced-Ms': '38',
      'Closed-Connections': '14',
      'Silent-Proxies': '0',
    },
  ])
  t.is(host.waiters.size, 0)
})

test('when the time is over it is answered with who has it', (t) => {
  const { request, says, advance, index } = agent()
  const { answers } = request('PUT', `${EXACT}&wait-enforced=2s`, { Action: 'deny' })
  const written = index()
  says('n1', 'db', written)
  advance(1_999)
  t.deepEqual(answers, [])
  advance(1)
  t.like(answers.map(proofOf)[0], { Enforced: 'false', 'Enforced-Proxies': '1/2' })
  const { answers: found } = request('GET', `/v1/tribune/enforcement?destination=db&intention-index=${written}`)
  const shown = JSON.parse(found[0]?.bytes.toString() ?? '') as { Enforced: boolean; Proxies: { Node: string; Enforced: boolean }[] }
  t.like(shown, { Destination: 'db', IntentionIndex: written, Enforced: false, Silent: [] })
  t.deepEqual(
    shown.Proxies.map(({ Node, Enforced }) => [Node, Enforced]),
    [
      ['n1', true],
      ['n2', false],
    ],
  )
})

const WRITES: [what: string, before: [string, string, unknown] | undefined, method: string, url: string, body: unknown][] = [
  [
    'by the older interface',
    undefined,
    'POST',
    '/v1/connect/intentions?wait-enforced',
    { SourceName: 'web', DestinationName: 'db', Action: 'deny' },
  ],
  ['exact', undefined, 'PUT', `${EXACT}&wait-enforced`, { Action: 'deny' }],
  ['as an entry', undefined, 'PUT', '/v1/config?wait-enforced', ENTRY],
  ['that removes one', ['PUT', EXACT, { Action: 'deny' }], 'DELETE', `${EXACT}&wait-enforced`, ''],
  ['that removes an entry', ['PUT', '/v1/config', ENTRY], 'DELETE', '/v1/config/service-intentions/db?wait-enforced', ''],
]

for (const [what, before, method, url, body] of WRITES) {
  test(`every write of intentions can wait: one ${what}`, (t) => {
    const { request, says, index } = agent()
    if (before) request(...before)
    const { answers } = request(method, url, body)
    const written = index()
    for (const node of ['n1', 'n2']) {
      t.deepEqual(answers, [])
      says(node, 'db', written)
    }
    t.is(answers[0]?.status, 200)
    t.like(answers.map(proofOf)[0], { Enforced: 'true', 'Intention-Index': String(written), 'Enforced-Proxies': '2/2' })
  })
}

test('an intention with an id can be waited for when it changes and when it goes', (t) => {
  const { request, says, index } = agent()
  const intention = { SourceName: 'web', DestinationName: 'db', Action: 'allow' }
  const { ID } = JSON.parse(request('POST', '/v1/connect/intentions', intention).answers[0]?.bytes.toString() ?? '') as { ID: string }
  const url = `/v1/connect/intentions/${ID}?wait-enforced`
  for (const [method, body] of [
    ['PUT', { ...intention, Action: 'deny' }],
    ['DELETE', ''],
  ] as const) {
    const { answers } = request(method, url, body)
    t.deepEqual(answers, [])
    const written = index()
    for (const node of ['n1', 'n2']) says(node, 'db', written)
    t.like(answers.map(proofOf)[0], { Enforced: 'true' })
  }
  t.is(request('DELETE', url).answers[0]?.status, 500, 'there is nothing to wait for')
})

test('an intention on any destination waits for every sidecar', (t) => {
  const { request, says, index } = agent()
  const { answers } = request('PUT', '/v1/connect/intentions/exact?source=*&destination=*&wait-enforced', { Action: 'deny' })
  const written = index()
  says('n1', 'db', written)
  says('n2', 'db', written)
  t.deepEqual(answers, [])
  says('n2', 'web', written)
  t.like(answers.map(proofOf)[0], { Enforced: 'true', 'Enforced-Proxies': '3/3' })
})

test('what was in force already is answered at once, and counts no connections of earlier changes', (t) => {
  const { request, says, index } = agent()
  request('PUT', EXACT, { Action: 'deny' })
  for (const node of ['n1', 'n2']) says(node, 'db', index(), 7)
  const { answers } = request('PUT', `${EXACT}&wait-enforced`, { Action: 'deny' })
  t.like(answers.map(proofOf)[0], { Enforced: 'true', 'Closed-Connections': '0' })
  t.deepEqual(proofOf(request('PUT', EXACT, { Action: 'allow' }).answers[0] as ApiAnswer), {})
})

test('a client that goes away leaves nobody waiting', (t) => {
  const { request, host, advance } = agent()
  const { answers, giveUp } = request('PUT', `${EXACT}&wait-enforced`, { Action: 'deny' })
  t.true(host.waiters.size > 0)
  giveUp()
  t.is(host.waiters.size, 0)
  advance(60_000)
  t.deepEqual(answers, [])
})

test('a time that is none is refused before anything is written, with the reason', (t) => {
  const { request, index } = agent()
  const before = index()
  const said = (written: string) =>
    request('PUT', `${EXACT}&wait-enforced=${written}`, { Action: 'deny' }).answers.map(({ status, bytes }) => `${status} ${bytes}`)
  t.deepEqual(said('soon'), ['400 Invalid wait-enforced: time: invalid duration "soon"'])
  t.deepEqual(said('5'), ['400 Invalid wait-enforced: time: missing unit in duration "5"'])
  t.deepEqual(said('0s'), ['400 Invalid wait-enforced: "0s" is not above 0'])
  t.is(index(), before)
  const asked = (query: string) =>
    request('GET', `/v1/tribune/enforcement?${query}`).answers.map(({ status, bytes }) => `${status} ${bytes}`)
  t.deepEqual(asked(''), [`400 required query parameter 'destination' not set`])
  t.deepEqual(asked('destination=db&intention-index=x'), ['400 Invalid intention-index'])
  t.regex(asked('destination=other/db')[0] ?? '', /^400 Bad request: Invalid destination\(other\)/)
})

test('enforcement can be waited for like any reading', (t) => {
  const { request, says, index } = agent()
  request('PUT', EXACT, { Action: 'deny' })
  const written = index()
  const { answers } = request('GET', `/v1/tribune/enforcement?destination=db&index=${written}`)
  t.deepEqual(answers, [])
  says('n1', 'db', written)
  t.is(answers.length, 1)
})

test('the radar shows leaves and roots by the clock of whoever is asked', (t) => {
  const { request, tables, clock } = agent()
  tell(tables, 'n1', [report({ serviceId: 'db', leafIssuedMs: 0, leafRenewAtMs: 700, leafValidUntilMs: 1_000 })])
  clock.nowMs = 950
  const shown = JSON.parse(request('GET', '/v1/tribune/connect/expiry').answers[0]?.bytes.toString() ?? '') as Record<string, unknown>
  t.like(shown, { Now: '1970-01-01T00:00:00.95Z', Roots: [], Silent: [] })
  t.like((shown['AtRisk'] as object[])[0], {
    Node: 'n1',
    ServiceID: 'db',
    SerialNumber: '01',
    ValidBefore: '1970-01-01T00:00:01Z',
    LifeSpent: 0.95,
    Risk: 'it is past 90 % of its life and was not renewed',
  })
  t.is((shown['WithoutLeaf'] as object[]).length, 2)
})
