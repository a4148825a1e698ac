import test from 'ava'
import fc from 'fast-check'
import { kvGet } from '../../actors/kv/queries.ts'
import { sessionId } from '../../actors/sessions/ids.ts'
import { sessions } from '../../actors/sessions/index.ts'
import { sessionById } from '../../actors/sessions/queries.ts'
import { dependentTable, heldTable, lockDelayTable, type SessionRecord, sessionTable, termTable } from '../../actors/sessions/tables.ts'
import { isRefused, refuse } from '../../src/kernel/refusal.ts'
import { check, instance, registration } from '../kit/catalog.ts'
import { emptyTables, type TestTables } from '../kit/tables.ts'
import { tryActor } from '../kit/try-actor.ts'

const ARGS = { ttlMinMs: 10_000, ttlRange: '10s=24h0m0s' }
const FIRST = '11111111-2222-4333-8444-555555555555'
const SECOND = '22222222-2222-4333-8444-555555555555'
const NOTHING = Buffer.alloc(0)

function wish(given: Partial<SessionRecord> = {}) {
  return {
    name: '',
    node: 'n1',
    lockDelayMs: 15_000,
    behavior: 'release' as const,
    ttl: '',
    ttlMs: 0,
    nodeChecks: ['serfHealth'],
    serviceChecks: null,
    checks: null,
    ...given,
  }
}

/** A node with a check of its own, and a service with one. */
function cluster(): TestTables {
  const tables = emptyTables()
  const checks = [check({ checkId: 'serfHealth' }), check({ checkId: 'web-up', serviceId: 'web' }), check({ checkId: 'disk' })]
  apply(tables, 'catalog.register', registration({ service: instance({ name: 'web' }), checks }))
  return tables
}

function apply(tables: TestTables, kind: string, request: object): unknown {
  return tables.apply([{ kind, atMs: 0, request }])[0]
}

const create = (tables: TestTables, id: string, given: Partial<SessionRecord> = {}) =>
  apply(tables, 'sessions.create', { id, ...wish(given) })
const lock = (tables: TestTables, key: string, session: string, value = '') =>
  apply(tables, 'kv.lock', { key, value: Buffer.from(value), flags: 0n, session })
const unlock = (tables: TestTables, key: string, session: string) => apply(tables, 'kv.unlock', { key, value: NOTHING, flags: 0n, session })
const entry = (tables: TestTables, key: string) => kvGet(tables.view(), key).entry

test('a lock has one holder, who may write again; its index counts the holders', (t) => {
  const tables = cluster()
  create(tables, FIRST)
  create(tables, SECOND)
  t.deepEqual(lock(tables, 'k', FIRST, 'one'), { applied: true })
  t.like(entry(tables, 'k'), { session: FIRST, lockIndex: 1, createIndex: 4, modifyIndex: 4 })
  t.deepEqual(lock(tables, 'k', SECOND), { applied: false })
  t.deepEqual(lock(tables, 'k', FIRST, 'one'), { applied: true })
  t.like(entry(tables, 'k'), { modifyIndex: 4 }, 'the same again changes nothing')
  t.deepEqual(lock(tables, 'k', FIRST.toUpperCase(), 'two'), { applied: true })
  t.like(entry(tables, 'k'), { session: FIRST, lockIndex: 1, modifyIndex: 5 })
  t.deepEqual(unlock(tables, 'k', SECOND), { applied: false })
  t.deepEqual(unlock(tables, 'k', FIRST), { applied: true })
  t.like(entry(tables, 'k'), { session: '', lockIndex: 1, modifyIndex: 6 })
  t.deepEqual(unlock(tables, 'k', FIRST), { applied: false })
  t.deepEqual(lock(tables, 'k', SECOND), { applied: true })
  t.like(entry(tables, 'k'), { session: SECOND, lockIndex: 2 })
})

test('who has no lock may write and delete a locked key; a deleted one is held by nobody', (t) => {
  const tables = cluster()
  create(tables, FIRST)
  lock(tables, 'k', FIRST)
  apply(tables, 'kv.put', { key: 'k', value: Buffer.from('x'), flags: 1n })
  t.like(entry(tables, 'k'), { session: FIRST, lockIndex: 1 })
  apply(tables, 'kv.delete', { key: 'k' })
  t.deepEqual([...tables.view().range(heldTable)], [])
  lock(tables, 'k', FIRST)
  apply(tables, 'kv.delete-tree', { prefix: '' })
  t.deepEqual([...tables.view().range(heldTable)], [])
  create(tables, SECOND)
  t.deepEqual(lock(tables, 'k', SECOND), { applied: true })
})

test('a session that cannot hold anything is refused in the words of Consul', (t) => {
  const tables = cluster()
  const why = (result: unknown) => (isRefused(result) ? result.why : result)
  t.is(why(lock(tables, 'k', '')), 'raft apply failed: missing session')
  t.is(why(lock(tables, 'k', FIRST)), `raft apply failed: invalid session "${FIRST}"`)
  t.is(why(lock(tables, 'k', 'x')), 'raft apply failed: failed session lookup: index error: UUID must be 36 characters')
  t.deepEqual(unlock(tables, 'k', 'x'), { applied: false })
  t.is(why(create(tables, FIRST, { node: 'n2' })), 'apply failed: Missing node registration')
  t.is(why(create(tables, FIRST, { nodeChecks: ['nope'] })), "apply failed: Missing check 'nope' registration")
  apply(tables, 'catalog.register', registration({ checks: [check({ checkId: 'disk', status: 'critical' })] }))
  t.is(why(create(tables, FIRST, { serviceChecks: [{ id: 'disk', namespace: '' }] })), "apply failed: Check 'disk' is in critical state")
  t.is(tables.view().get(sessionTable, FIRST), undefined)
})

const ENDINGS: [what: string, given: Partial<SessionRecord>, kind: string, request: object][] = [
  ['it is destroyed', {}, 'sessions.destroy', { id: FIRST }],
  ['its node goes', {}, 'catalog.deregister', { node: 'N1', serviceId: '', checkId: '' }],
  ['its node goes, which is all it lives by', { nodeChecks: [] }, 'catalog.deregister', { node: 'n1', serviceId: '', checkId: '' }],
  ['a check of it goes', { nodeChecks: ['disk'] }, 'catalog.deregister', { node: 'n1', serviceId: '', checkId: 'disk' }],
  ['the service of its check goes', { nodeChecks: ['web-up'] }, 'catalog.deregister', { node: 'n1', serviceId: 'web', checkId: '' }],
  [
    'a check of it is critical',
    { serviceChecks: [{ id: 'web-up', namespace: '' }] },
    'catalog.register',
    registration({ checks: [check({ checkId: 'web-up', serviceId: 'web', status: 'critical' })] }),
  ],
  ['its time is over', { ttl: '10s', ttlMs: 10_000 }, 'sessions.expire', { id: FIRST, began: 2 }],
]

for (const [what, given, kind, request] of ENDINGS) {
  test(`a session ends and leaves nothing behind when ${what}`, (t) => {
    const tables = cluster()
    create(tables, FIRST, given)
    lock(tables, 'k', FIRST, 'kept')
    t.is(entry(tables, 'k')?.session, FIRST)
    apply(tables, kind, request)
    for (const table of [sessionTable, dependentTable, heldTable, termTable]) t.deepEqual([...tables.view().range<unknown>(table)], [])
    t.like(entry(tables, 'k'), { session: '', lockIndex: 1, modifyIndex: 4 })
    t.is(entry(tables, 'k')?.value.toString(), 'kept')
    t.deepEqual(tables.view().get(lockDelayTable, 'k'), { index: 4, delayMs: 15_000 })
    t.is(sessionById(tables.view(), FIRST).index, 4)
  })
}

test('a warning, another check and a renewed time do not end a session', (t) => {
  const tables = cluster()
  create(tables, FIRST, { ttl: '10s', ttlMs: 10_000 })
  apply(tables, 'catalog.register', registration({ checks: [check({ checkId: 'serfHealth', status: 'warning' })] }))
  apply(tables, 'catalog.register', registration({ checks: [check({ checkId: 'disk', status: 'critical' })] }))
  apply(tables, 'catalog.deregister', { node: 'n1', serviceId: 'web', checkId: '' })
  apply(tables, 'sessions.renew', { id: FIRST })
  t.deepEqual(apply(tables, 'sessions.expire', { id: FIRST, began: 2 }), { ended: false })
  t.is(sessionById(tables.view(), FIRST).sessions.length, 1)
})

test('behavior delete deletes what is held, and only that', (t) => {
  const tables = cluster()
  create(tables, FIRST, { behavior: 'delete', lockDelayMs: 100_000 })
  lock(tables, 'a', FIRST)
  lock(tables, 'b', FIRST)
  unlock(tables, 'b', FIRST)
  apply(tables, 'sessions.destroy', { id: FIRST })
  t.is(entry(tables, 'a'), undefined)
  t.like(entry(tables, 'b'), { session: '' })
  t.deepEqual([...tables.view().range(lockDelayTable)], [['a', { index: 6, delayMs: 60_000 }]], 'and never for more than a minute')
})

test('after a loss nobody takes the key until the delay is over; after a release it is free', (t) => {
  const tables = cluster()
  create(tables, FIRST)
  create(tables, SECOND)
  lock(tables, 'free', FIRST)
  unlock(tables, 'free', FIRST)
  lock(tables, 'lost', FIRST)
  apply(tables, 'sessions.destroy', { id: FIRST })
  t.deepEqual(lock(tables, 'free', SECOND), { applied: true })
  t.deepEqual(lock(tables, 'lost', SECOND), { applied: false })
  apply(tables, 'sessions.end-lock-delay', { key: 'lost', began: 3 })
  t.deepEqual(lock(tables, 'lost', SECOND), { applied: false }, 'another delay is over')
  apply(tables, 'sessions.end-lock-delay', { key: 'lost', began: 7 })
  t.deepEqual(lock(tables, 'lost', SECOND), { applied: true })
})

test('without a delay a lost key is free at once', (t) => {
  const tables = cluster()
  create(tables, FIRST, { lockDelayMs: 0 })
  create(tables, SECOND)
  lock(tables, 'k', FIRST)
  apply(tables, 'sessions.destroy', { id: FIRST })
  t.deepEqual(lock(tables, 'k', SECOND), { applied: true })
})

test('a session that is not renewed expires after twice its time, whatever the clock says', (t) => {
  const a = tryActor(sessions, { args: ARGS, tables: cluster() })
  const made = a.call('create', { ...wish({ ttl: '10s', ttlMs: 10_000 }), token: '' }).result
  const { id } = made as { id: string }
  a.setClock(3_600_000)
  a.wait(15_000)
  t.like(a.call('renew', { id, token: '' }).result, { id, node: 'n1', ttl: '10s' })
  a.setClock(-7_200_000)
  a.wait(19_999)
  t.is(sessionById(a.tables.view(), id).sessions.length, 1)
  a.wait(1)
  t.is(sessionById(a.tables.view(), id).sessions.length, 0)
  t.like(a.call('renew', { id, token: '' }).result, { refused: 'missing' })
  t.deepEqual(a.call('destroy', { id, token: '' }).result, null)
})

test('after a restart the time begins anew, and is not forgotten', (t) => {
  const a = tryActor(sessions, { args: ARGS, tables: cluster() })
  a.call('create', { ...wish({ ttl: '10s', ttlMs: 10_000 }), token: '' })
  a.wait(19_000)
  a.restart()
  a.wait(19_999)
  t.is([...a.tables.view().range(sessionTable)].length, 1)
  a.wait(1)
  t.is([...a.tables.view().range(sessionTable)].length, 0)
})

test('what the log refuses is proposed again', (t) => {
  const a = tryActor(sessions, { args: ARGS, tables: cluster(), commits: 'keep' })
  a.commit('sessions.create', { id: FIRST, ...wish({ ttl: '10s', ttlMs: 10_000 }) })
  a.wait(20_000)
  a.answer('commit', refuse('busy', 'the disk is full'))
  t.deepEqual(a.pending(), [])
  a.wait(1_000)
  t.deepEqual(a.pending(), [{ did: 'commit', kind: 'sessions.expire', request: { id: FIRST, began: 2 } }])
})

test('a lock delay ends by itself, also when another begins meanwhile', (t) => {
  const a = tryActor(sessions, { args: ARGS, tables: cluster() })
  a.commit('sessions.create', { id: FIRST, ...wish({ lockDelayMs: 5_000 }) })
  a.commit('kv.lock', { key: 'k', value: NOTHING, flags: 0n, session: FIRST })
  a.commit('sessions.destroy', { id: FIRST })
  a.wait(4_999)
  t.is([...a.tables.view().range(lockDelayTable)].length, 1)
  a.wait(1)
  t.is([...a.tables.view().range(lockDelayTable)].length, 0)
  t.is(a.state.delays.size, 0)
})

test('a time outside the limits is refused with both', (t) => {
  const a = tryActor(sessions, { args: ARGS, tables: cluster() })
  for (const ttlMs of [1_000, 86_400_001, -1]) {
    t.deepEqual(
      a.call('create', { ...wish({ ttl: 'x', ttlMs }), token: '' }).result,
      refuse('conflict', `Invalid Session TTL '${ttlMs * 1e6}', must be between [10s=24h0m0s]`),
    )
  }
  for (const ttlMs of [10_000, 86_400_000])
    t.truthy('id' in (a.call('create', { ...wish({ ttl: 'x', ttlMs }), token: '' }).result as object))
})

test('an id is read as Consul reads it', (t) => {
  t.is(sessionId(FIRST.toUpperCase()), FIRST)
  const FAILED = 'failed session lookup: index error: '
  for (const [text, why] of [
    ['', 'UUID must be 36 characters'],
    [`${FIRST}0`, 'UUID must be 36 characters'],
    ['1111-111-2222-4333-8444-555555555555', 'UUID should have maximum of 4 "-"; got 5'],
    ['11111111-2222-4333-84440555555555555', 'UUID (without hyphens) must be even length'],
    ['1111111g-2222-4333-8444-555555555555', "invalid UUID: encoding/hex: invalid byte: U+0067 'g'"],
  ] as const) {
    const read = sessionId(text)
    t.is(isRefused(read) ? read.why : read, FAILED + why)
  }
})

test('an id is itself in any letter case, and any other text is an id or refused', (t) => {
  fc.assert(
    fc.property(fc.uuid(), (id) => {
      t.is(sessionId(id), id)
      t.is(sessionId(id.toUpperCase()), id)
    }),
  )
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ minLength: 36, maxLength: 36, unit: 'binary' })), (text) => {
      const id = sessionId(text)
      t.true(isRefused(id) || /^[0-9a-f-]+$/.test(id))
    }),
  )
})
