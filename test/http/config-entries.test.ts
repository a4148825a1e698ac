import test from 'ava'
import fc from 'fast-check'
import { configEntryOf } from '../../src/config/entries/index.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { asked, read } from '../kit/http.ts'
import { emptyTables } from '../kit/tables.ts'

/** The status and the text with which a body is refused, or the entry that the actor is asked to write. */
function put(body: unknown, query = ''): unknown {
  const found = asked('PUT', `/v1/config${query}`, body)
  return 'to' in found ? found.request : found
}

test('names of fields may be written in any way, and empty ones are left out', (t) => {
  t.deepEqual(put({ kind: 'service-defaults', name: 'web', protocol: 'HTTP', mesh_gateway: { mode: 'local' }, external_sni: '' }), {
    entry: { kind: 'service-defaults', name: 'web', content: { Protocol: 'http', MeshGateway: { Mode: 'local' } } },
    token: '',
  })
  const blocks = { Kind: 'proxy-defaults', Name: 'x', Config: [{ a: [{ b: 1 }] }], Expose: [{ Paths: { Path: '/x', ListenerPort: '8' } }] }
  t.like(put(blocks, '?cas=4'), {
    entry: {
      kind: 'proxy-defaults',
      name: 'global',
      content: { Config: { a: [{ b: 1 }] }, Expose: { Paths: [{ Path: '/x', ListenerPort: 8 }] } },
    },
    cas: 4,
  })
})

const decoding = 'Bad request: Request decoding failed: '
const REFUSED: [body: unknown, status: number, text: string][] = [
  [{}, 400, `${decoding}Payload does not contain a kind/Kind key at the top level`],
  [{ Kind: 'foo' }, 400, `${decoding}invalid config entry kind: foo`],
  [{ Kind: 'service-defaults', Name: 'a', Foo: 1 }, 400, `${decoding}1 error occurred:\n\t* invalid config key "Foo"\n\n`],
  [
    { Kind: 'service-defaults', Name: 'a', Namespace: 'x' },
    400,
    `${decoding}1 error occurred:\n\t* invalid config key "Namespace", namespaces are a consul enterprise feature\n\n`,
  ],
  [
    { Kind: 'service-defaults', Name: 'a', Protocol: {} },
    400,
    `${decoding}1 error(s) decoding:\n\n* 'Protocol' expected type 'string', got unconvertible type 'map[string]interface {}'`,
  ],
  [{ Kind: 'service-router', Name: 'a' }, 500, 'config entries of the kind "service-router" are not supported by this version'],
  [{ Kind: 'service-defaults' }, 500, 'Name is required'],
  [{ Kind: 'service-defaults', Name: '*' }, 500, 'name must be the name of a service, and not a wildcard'],
  [{ Kind: 'proxy-defaults', MeshGateway: { Mode: 'x' } }, 500, '1 error occurred:\n\t* Invalid Mesh Gateway Mode: "x"\n\n'],
  [{ Kind: 'service-intentions', Name: 'db' }, 500, 'At least one source is required'],
  [{ Kind: 'service-intentions', Name: 'd*', Sources: [] }, 500, `Name: wildcard character '*' cannot be used with partial values`],
  [{ Kind: 'service-intentions', Name: 'db', Sources: [{ Name: 'a' }] }, 500, `Sources[0].Action must be set to 'allow' or 'deny'`],
  [
    {
      Kind: 'service-intentions',
      Name: 'db',
      Sources: [
        { Name: 'a', Action: 'allow' },
        { Name: 'a', Action: 'deny' },
      ],
    },
    500,
    'Sources[1] defines "a" more than once',
  ],
  [
    { Kind: 'service-intentions', Name: 'db', Sources: [{ Name: 'a', Action: 'allow', LegacyMeta: { a: 'b' } }] },
    500,
    'Sources[0].LegacyMeta must be omitted',
  ],
  [
    { Kind: 'service-intentions', Name: 'db', Sources: [{ Name: 'a', Permissions: [{ Action: 'allow' }] }] },
    500,
    'Sources[0].Permissions[0].HTTP is required',
  ],
]

for (const [body, status, text] of REFUSED) {
  test(`refused with ${status}: ${text.replaceAll('\n', ' ')}`, (t) => {
    t.deepEqual(put(body), { status, text })
  })
}

test('entries are shown in the order of the reference', (t) => {
  const tables = emptyTables()
  t.deepEqual(read(tables.view(), '/v1/config/proxy-defaults/global'), {
    index: 0,
    status: 404,
    text: 'Config entry not found for "proxy-defaults" / "global"',
  })
  tables.apply([
    { kind: 'config.set', atMs: 0, request: { kind: 'proxy-defaults', name: 'global', content: { Expose: { Checks: true } } } },
  ])
  t.is(
    JSON.stringify(read(tables.view(), '/v1/config/proxy-defaults/global').json),
    '{"Kind":"proxy-defaults","Name":"global","Config":{},"TransparentProxy":{},"MeshGateway":{},"Expose":{"Checks":true},"CreateIndex":1,"ModifyIndex":1}',
  )
  t.deepEqual(read(tables.view(), '/v1/config/service-splitter'), { index: 1, json: [] })
  t.deepEqual(read(tables.view(), '/v1/config/foo'), { status: 500, text: 'invalid config entry kind: foo' })
  t.is((read(tables.view(), '/v1/config/').json as object[]).length, 1)
})

test('deleting needs a kind and a name', (t) => {
  t.deepEqual(asked('DELETE', '/v1/config/service-defaults'), { status: 404, text: 'Must provide both a kind and name to delete' })
  t.deepEqual(asked('DELETE', '/v1/config/foo/x'), { status: 400, text: 'Bad request: invalid config entry kind: foo' })
})

test('any entry is understood or refused, never a crash', (t) => {
  const kind = fc.constantFrom('service-defaults', 'proxy-defaults', 'service-intentions', 'mesh', 'x')
  const value = fc.jsonValue()
  const fields = fc.constantFrom(
    'Name',
    'Sources',
    'Config',
    'Expose',
    'UpstreamConfig',
    'Meta',
    'mesh_gateway',
    'TransparentProxy',
    'Mode',
  )
  fc.assert(
    fc.property(kind, fc.dictionary(fields, value), (Kind, rest) => {
      const entry = configEntryOf({ Kind, ...rest })
      return isRefused(entry) ? entry.why !== '' : entry.kind === Kind
    }),
  )
  t.pass()
})
