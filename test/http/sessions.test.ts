import test from 'ava'
import { check, registration } from '../kit/catalog.ts'
import { asked, read, requested } from '../kit/http.ts'
import { emptyTables } from '../kit/tables.ts'

const ID = '11111111-2222-4333-8444-555555555555'
const OTHER = '00000000-2222-4333-8444-555555555555'

/** Two sessions on two nodes. */
function tables() {
  const tables = emptyTables()
  const plain = { name: '', lockDelayMs: 15_000, behavior: 'release', ttl: '', ttlMs: 0, serviceChecks: null, checks: null }
  tables.apply([
    { kind: 'catalog.register', atMs: 0, request: registration({ checks: [check({ checkId: 'serfHealth' })] }) },
    { kind: 'catalog.register', atMs: 0, request: registration({ node: 'n2' }) },
    { kind: 'sessions.create', atMs: 0, request: { ...plain, id: ID, node: 'n1', ttl: '30s', ttlMs: 30_000, nodeChecks: ['serfHealth'] } },
    { kind: 'sessions.create', atMs: 0, request: { ...plain, id: OTHER, node: 'n2', nodeChecks: [] } },
  ])
  return tables
}

function created(body: unknown): unknown {
  const question = asked('PUT', '/v1/session/create', body)
  return 'to' in question ? question.request : question
}

test('a session is shown byte for byte as Consul shows it', (t) => {
  const view = tables().view()
  t.is(
    JSON.stringify(read(view, `/v1/session/info/${ID.toUpperCase()}`).json),
    `[{"ID":"${ID}","Name":"","Node":"n1","LockDelay":15000000000,"Behavior":"release","TTL":"30s","NodeChecks":["serfHealth"],"ServiceChecks":null,"CreateIndex":3,"ModifyIndex":3}]`,
  )
  t.deepEqual(read(view, `/v1/session/info/${ID.replace('1', '2')}`), { index: 4, json: [] })
  const ids = (url: string) => (read(view, url).json as { ID: string }[]).map((session) => session.ID)
  t.deepEqual(ids('/v1/session/list'), [OTHER, ID])
  t.deepEqual(ids('/v1/session/node/N2'), [OTHER])
  t.deepEqual(ids('/v1/session/node/n3'), [])
  t.is(read(view, '/v1/session/node/n3').index, 4)
})

test('without a body a session lives by this agent', (t) => {
  t.deepEqual(created(''), {
    name: '',
    node: 'n1',
    lockDelayMs: 15_000,
    behavior: 'release',
    ttl: '',
    ttlMs: 0,
    nodeChecks: ['serfHealth'],
    serviceChecks: null,
    checks: null,
    token: '',
  })
})

test('null says nothing, as no body does', (t) => {
  t.deepEqual(created('null'), created(''))
})

test('what is no session of this edition, and no time that can be said, is refused', (t) => {
  const why = 'json: unknown field "Namespace" - Namespaces are a Consul Enterprise feature'
  t.deepEqual(created({ Namespace: 'x' }), { status: 400, text: `Request decode failed: ${why}` })
  for (const delay of [1e300, -1e300]) {
    t.deepEqual(created({ LockDelay: delay }), { status: 400, text: `Request decode failed: LockDelay is out of range: ${delay}` })
  }
})

test('a body says what else; letter case of its keys does not count', (t) => {
  const body = { name: 'x', NODE: 'n2', LockDelay: '1m', Behavior: 'delete', TTL: '90s', NodeChecks: ['a'], ServiceChecks: [{ ID: 'b' }] }
  t.like(created(body), { name: 'x', node: 'n2', lockDelayMs: 60_000, behavior: 'delete', ttl: '90s', ttlMs: 90_000, nodeChecks: ['a'] })
  t.like(created(body), { serviceChecks: [{ id: 'b', namespace: '' }] })
  t.like(created({ Checks: [] }), { nodeChecks: [] })
  t.like(created({ Checks: ['old'] }), { nodeChecks: ['old'], checks: ['old'] })
  t.like(created({ Checks: ['old'], NodeChecks: ['new'] }), { nodeChecks: ['new'] })
  t.like(created({ Behavior: '', TTL: '' }), { behavior: 'release', ttlMs: 0 })
  for (const [given, lockDelayMs] of [
    [15, 15_000],
    [0, 0],
    [1_000_000, 1],
    [15_000_000_000, 15_000],
    ['0s', 0],
  ]) {
    t.like(created({ LockDelay: given }), { lockDelayMs })
  }
})

test('a body that makes no sense gets the status and the text of Consul', (t) => {
  t.deepEqual(created({ Foo: 1 }), { status: 400, text: 'Request decode failed: json: unknown field "Foo"' })
  t.deepEqual(created({ LockDelay: 'x' }), { status: 400, text: 'Request decode failed: time: invalid duration "x"' })
  t.like(created({ NodeChecks: [1] }), { status: 400 })
  t.like(created({ ServiceChecks: ['x'] }), { status: 400 })
  t.like(created('{'), { status: 400, text: 'Request decode failed: unexpected EOF' })
  for (const [body, why] of [
    [{ Behavior: 'foo' }, "Invalid Behavior setting 'foo'"],
    [{ TTL: 'x' }, `Session TTL 'x' invalid: time: invalid duration "x"`],
    [{ Node: '' }, 'Must provide Node'],
  ] as const) {
    t.deepEqual(created(body), { refused: 'conflict', why })
  }
})

test('an id that is missing, unknown or none', (t) => {
  const view = tables().view()
  for (const url of ['/v1/session/destroy/', '/v1/session/renew/']) t.deepEqual(asked('PUT', url), { status: 400, text: 'Missing session' })
  t.deepEqual(read(view, '/v1/session/info/'), { status: 400, text: 'Missing session' })
  t.deepEqual(read(view, '/v1/session/node/'), { status: 400, text: 'Missing node name' })
  t.deepEqual(asked('PUT', '/v1/session/destroy/nope'), { json: true })
  t.throws(() => read(view, '/v1/session/info/nope'), {
    message: 'refused: failed session lookup: index error: UUID must be 36 characters',
  })
  t.like(asked('PUT', `/v1/session/renew/${ID.toUpperCase()}`), { name: 'renew', request: { id: ID } })
})

test('a write that takes or gives back a lock asks for that', (t) => {
  t.like(asked('PUT', `/v1/kv/k?acquire=${ID}&flags=7`, 'v'), { name: 'lock', request: { key: 'k', session: ID, flags: 7n } })
  t.like(asked('PUT', `/v1/kv/k?release=${ID}`, 'v'), { name: 'unlock', request: { key: 'k', session: ID } })
  t.like(asked('PUT', '/v1/kv/k?acquire', 'v'), { name: 'lock', request: { session: '' } })
  t.deepEqual(asked('PUT', '/v1/kv/k?release=x&acquire=y', 'v'), { status: 400, text: 'Conflicting flags: acquire=y&release=x' })
})

test('a locked entry names its session', (t) => {
  const known = tables()
  known.apply([{ kind: 'kv.lock', atMs: 0, request: { key: 'k', value: Buffer.from('me'), flags: 0n, session: ID } }])
  t.is(
    JSON.stringify((read(known.view(), '/v1/kv/k').json as object[]).map((entry) => ({ ...entry, Flags: 0 }))),
    `[{"LockIndex":1,"Key":"k","Flags":0,"Value":"bWU=","Session":"${ID}","CreateIndex":5,"ModifyIndex":5}]`,
  )
})

test('only PUT changes a session', (t) => {
  for (const path of ['create', `destroy/${ID}`, `renew/${ID}`]) {
    t.throws(() => requested('POST', `/v1/session/${path}`), { message: /^no endpoint/ })
  }
})
