import test from 'ava'
import fc from 'fast-check'
import { explain } from '../../actors/intentions/explain.ts'
import { encodeReply } from '../../src/http/encode-reply.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { asked, read, run } from '../kit/http.ts'
import { emptyTables } from '../kit/tables.ts'

const ID = 'dd803a7d-0000-4000-8000-000000000001'
const ALLOW = { SourceName: 'web', DestinationName: 'db', Action: 'allow' }

function filled() {
  const tables = emptyTables()
  const request = { id: ID, source: 'web', destination: 'db', action: 'allow', description: '', meta: {} }
  tables.apply([{ kind: 'intentions.create', atMs: Date.UTC(2026, 10, 23, 6, 40, 39, 370), request }])
  tables.apply([{ kind: 'intentions.put', atMs: 0, request: { source: '*', destination: '*', action: 'deny', description: 'closed' } }])
  return tables.view()
}

test('an intention is shown with the keys and in the order of the reference', (t) => {
  const { json, index } = read(filled(), '/v1/connect/intentions')
  t.is(index, 2)
  const [first, second] = json as Record<string, unknown>[]
  t.regex(String(first?.['Hash']), /^[A-Za-z0-9+/]{43}=$/)
  t.is(
    JSON.stringify({ ...first, Hash: 'h' }),
    `{"CreatedAt":"2026-11-23T06:40:39.37Z","UpdatedAt":"2026-11-23T06:40:39.37Z","ID":"${ID}","SourceNS":"default","SourceName":"web","DestinationNS":"default","DestinationName":"db","SourceType":"consul","Action":"allow","Precedence":9,"Hash":"h","CreateIndex":1,"ModifyIndex":1}`,
  )
  t.is(
    JSON.stringify(second),
    '{"Description":"closed","SourceNS":"default","SourceName":"*","DestinationNS":"default","DestinationName":"*","SourceType":"consul","Action":"deny","Precedence":5,"CreateIndex":2,"ModifyIndex":2}',
  )
})

test('one intention is found by its id and by its names', (t) => {
  const view = filled()
  t.like(read(view, `/v1/connect/intentions/${ID}`), { json: { ID } })
  t.like(read(view, '/v1/connect/intentions/exact?source=web&destination=default/db'), { json: { ID } })
  t.like(read(view, `/v1/connect/intentions/${ID.replace('1', '2')}`), { status: 404, text: 'Intention not found' })
  t.like(read(view, '/v1/connect/intentions/exact?source=web&destination=no'), { status: 404, text: 'Intention not found' })
  t.like(read(view, '/v1/connect/intentions/short'), {
    status: 400,
    text: 'Bad request: failed config entry lookup: index error: UUID must be 36 characters',
  })
})

test('matching names each list, and has null for a name without one', (t) => {
  const tables = emptyTables()
  tables.apply([{ kind: 'intentions.put', atMs: 0, request: { source: 'web', destination: 'db', action: 'allow', description: '' } }])
  const match = (query: string) => read(tables.view(), `/v1/connect/intentions/match?${query}`)
  t.like(match('by=destination&name=db&name=zz'), { index: 1, json: { db: [{ SourceName: 'web' }], zz: null } })
  t.like(match('by=source&name=web'), { json: { web: [{ DestinationName: 'db' }] } })
  t.like(match('name=db'), { status: 500, text: `required query parameter 'by' not set` })
  t.like(match('by=both&name=db'), { status: 500, text: `'by' parameter must be one of 'source' or 'destination'` })
  t.like(match('by=source'), { status: 500, text: `required query parameter 'name' not set` })
  t.like(match('by=source&name=foo/web'), {
    status: 400,
    text: 'Bad request: Invalid name(foo): Namespaces is a Consul Enterprise feature',
  })
})

test('a body of the older interface becomes a request to the actor', (t) => {
  t.like(asked('POST', '/v1/connect/intentions', { ...ALLOW, Description: 'd', Meta: { a: 'b' }, CreateIndex: 4 }), {
    name: 'create',
    request: { source: 'web', destination: 'db', action: 'allow', description: 'd', meta: { a: 'b' }, token: '' },
  })
  t.like(asked('PUT', `/v1/connect/intentions/${ID}`, { ...ALLOW, ID }), { name: 'update', request: { id: ID } })
  t.like(asked('DELETE', `/v1/connect/intentions/${ID}`), { name: 'delete', request: { id: ID } })
})

test('wrong bodies are refused with the texts of the reference', (t) => {
  const created = (body: unknown) => {
    const { status, text } = asked('POST', '/v1/connect/intentions', body) as { status: number; text: string }
    return [status, text]
  }
  t.deepEqual(created({ ...ALLOW, Action: '' }), [500, `1 error occurred:\n\t* Action must be set to 'allow' or 'deny'\n\n`])
  t.deepEqual(created({ ...ALLOW, SourceName: '' }), [500, '1 error occurred:\n\t* SourceName must be set\n\n'])
  t.deepEqual(created({ ...ALLOW, SourceName: 'w*' }), [
    500,
    `1 error occurred:\n\t* SourceName: wildcard character '*' cannot be used with partial values\n\n`,
  ])
  t.deepEqual(created({ Action: 'x', SourceType: 'y' }), [
    500,
    `4 errors occurred:\n\t* SourceName must be set\n\t* DestinationName must be set\n\t* Action must be set to 'allow' or 'deny'\n\t* SourceType must be set to 'consul'\n\n`,
  ])
  t.deepEqual(created({ ...ALLOW, ID }), [500, 'ID must be empty when creating a new intention'])
  t.deepEqual(created({ ...ALLOW, SourceNS: 'foo' }), [
    400,
    'Bad request: Invalid SourceNS(foo): Namespaces is a Consul Enterprise feature',
  ])
  t.deepEqual(created({ ...ALLOW, Foo: 1 }), [400, 'Bad request: Request decode failed: json: unknown field "Foo"'])
  t.deepEqual(created({ ...ALLOW, Meta: { a: 1 } }), [
    400,
    'Bad request: Request decode failed: json: cannot unmarshal number into field Meta.a of type string',
  ])
  t.deepEqual(created(''), [400, 'Bad request: Request decode failed: EOF'])
  t.like(asked('POST', '/v1/connect/intentions', { ...ALLOW, Permissions: [{}], Action: '' }), {
    name: 'create',
    request: { permissions: 1 },
  })
})

test('permissions of a body are read by kind, and shown in place of an action', (t) => {
  const url = '/v1/connect/intentions/exact?source=web&destination=db'
  const Permissions = [{ Action: 'allow', HTTP: { PathPrefix: '/v1', Header: [{ Name: 'a', Present: true }], Methods: ['GET'] } }]
  t.like(asked('PUT', url, { Permissions }), { name: 'put', request: { permissions: Permissions } })
  t.like(asked('PUT', url, { Permissions: [{ action: 'deny' }] }), { request: { permissions: [{ Action: 'deny' }] } })
  const failed = (permission: unknown) => {
    const { status, text } = asked('PUT', url, { Permissions: [permission] }) as { status: number; text: string }
    return [status, text.replace('Bad request: Request decode failed: ', '')]
  }
  t.deepEqual(failed({ Foo: 1 }), [400, 'json: unknown field "Foo"'])
  t.deepEqual(failed(3), [400, 'json: cannot unmarshal number into an object'])
  t.deepEqual(failed({ HTTP: { Header: [{ Present: 'x' }] } }), [400, 'json: cannot unmarshal string into field Present of type boolean'])
  t.deepEqual(failed({ HTTP: { Methods: [1] } }), [400, 'json: cannot unmarshal number into field Permissions.HTTP.Methods of type string'])
  const tables = emptyTables()
  const request = { source: 'web', destination: 'db', action: 'deny', description: '', permissions: Permissions }
  tables.apply([{ kind: 'config.set', atMs: 0, request: { kind: 'service-defaults', name: 'db', content: { Protocol: 'http' } } }])
  tables.apply([{ kind: 'intentions.put', atMs: 0, request }])
  const shown = read(tables.view(), url).json as Record<string, unknown>
  t.deepEqual([shown['Action'], shown['Permissions'], shown['Precedence']], [undefined, Permissions, 9])
  const entry = read(tables.view(), '/v1/config/service-intentions/db').json as { Sources: object[] }
  t.deepEqual(entry.Sources, [{ Name: 'web', Permissions, Precedence: 9, Type: 'consul' }])
})

test('what a writer should know comes in headers, one for each sentence, in ASCII', async (t) => {
  const answers = { create: { id: ID, warnings: ['one, two', 'Zürich\u0001'] }, put: { warnings: [] } }
  t.deepEqual(await run('POST', '/v1/connect/intentions', answers, {}, ALLOW), {
    json: { ID },
    headers: { 'X-Tribune-Warning': ['one, two', 'Z\\u00fcrich\\u0001'] },
  })
  t.deepEqual(await run('PUT', '/v1/connect/intentions/exact?source=a&destination=b', answers, {}, { Action: 'deny' }), { json: true })
  const { headers } = encodeReply({ json: true, headers: { A: ['1', '2'], B: '3' } }, false, [])
  t.deepEqual(headers, ['A', '1', 'A', '2', 'B', '3'])
})

test('/v1/tribune/intentions/explain shows every place that an intention could be in', async (t) => {
  const rule = { id: '', source: '*', destination: 'db', action: 'deny' as const }
  const url = '/v1/tribune/intentions/explain?source=web&destination=db'
  t.like(asked('GET', url), { name: 'explain', request: { source: 'web', destination: 'db' } })
  t.deepEqual(await run('GET', url, { explain: explain([rule], 'web', 'db', true) }), {
    json: {
      Allowed: false,
      Reason: 'Matched L4 intention: default/* => default/db (Precedence: 8, Action: DENY)',
      Decides: { SourceName: '*', DestinationName: 'db', Action: 'deny', Precedence: 8 },
      Candidates: [
        { SourceName: 'web', DestinationName: 'db', Precedence: 9, Intention: null, Decides: false, Why: 'there is none' },
        {
          SourceName: '*',
          DestinationName: 'db',
          Precedence: 8,
          Intention: { SourceName: '*', DestinationName: 'db', Action: 'deny', Precedence: 8 },
          Decides: true,
          Why: 'decides: it is the first that matches',
        },
        { SourceName: 'web', DestinationName: '*', Precedence: 6, Intention: null, Decides: false, Why: 'there is none' },
        { SourceName: '*', DestinationName: '*', Precedence: 5, Intention: null, Decides: false, Why: 'there is none' },
      ],
      Default: { Action: 'allow', Decides: false },
      OtherSources: [],
      OtherSourcesCount: 0,
    },
  })
  t.like(asked('GET', '/v1/tribune/intentions/explain?source=web'), { status: 400, text: `required query parameter 'destination' not set` })
})

test('an exact write takes its names from the query', (t) => {
  t.like(asked('PUT', '/v1/connect/intentions/exact?source=web&destination=db', { Action: 'deny' }), {
    name: 'put',
    request: { source: 'web', destination: 'db', action: 'deny', permissions: [], description: '', token: '' },
  })
  t.like(asked('PUT', '/v1/connect/intentions/exact?source=web', { Action: 'deny' }), {
    status: 500,
    text: `required query parameter 'destination' not set`,
  })
  t.like(asked('PUT', '/v1/connect/intentions/exact?source=web&destination=db', { SourceName: 'api', Action: 'deny' }), { status: 400 })
  t.like(asked('DELETE', '/v1/connect/intentions/exact?source=web&destination=db'), { name: 'deleteExact' })
})

test('a check names both sides', (t) => {
  t.like(asked('GET', '/v1/connect/intentions/check?source=web&destination=db'), {
    name: 'check',
    request: { source: 'web', destination: 'db', token: '' },
  })
  t.like(asked('GET', '/v1/connect/intentions/check?source=web&destination=db&source-type=foo'), {
    status: 500,
    text: 'unsupported SourceType: "foo"',
  })
  t.like(asked('GET', '/v1/connect/intentions/check?destination=db'), { status: 500, text: `required query parameter 'source' not set` })
})

test('any body is understood or refused, never a crash', (t) => {
  const field = fc.constantFrom('SourceName', 'DestinationName', 'Action', 'Meta', 'Permissions', 'SourceNS', 'ID', '__proto__', 'x')
  const bodies = fc.oneof(
    fc.string(),
    fc.json(),
    fc.dictionary(field, fc.jsonValue()).map((value) => JSON.stringify(value)),
  )
  fc.assert(
    fc.property(bodies, fc.constantFrom('/v1/connect/intentions', '/v1/agent/connect/authorize'), (body, path) => {
      const answer = asked('POST', path, body)
      t.true(isRefused(answer) || 'to' in answer || (answer.status ?? 200) >= 400)
    }),
  )
})
