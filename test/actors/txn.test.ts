import test from 'ava'
import fc from 'fast-check'
import { catalogNode, serviceInstances } from '../../actors/catalog/queries.ts'
import { lastIndex } from '../../actors/command.ts'
import { kvGet, kvList } from '../../actors/kv/queries.ts'
import { lockDelayTable, sessionTable } from '../../actors/sessions/tables.ts'
import { txn } from '../../actors/txn/index.ts'
import type { TxnOperation, TxnOutcome } from '../../actors/txn/protocol.ts'
import type { Transaction } from '../../src/kernel/tables.ts'
import { check, instance } from '../kit/catalog.ts'
import { emptyTables, type TestTables } from '../kit/tables.ts'
import { tryActor } from '../kit/try-actor.ts'

const SESSION = '11111111-1111-1111-1111-111111111111'

function kv(verb: string, key: string, given: { value?: string; index?: number; session?: string } = {}): TxnOperation {
  return { on: 'kv', verb, key, value: Buffer.from(given.value ?? ''), flags: 0n, index: given.index ?? 0, session: given.session ?? '' }
}
function node(verb: string, given: { node?: string; id?: string; index?: number; address?: string } = {}): TxnOperation {
  const { node: name = 'n1', id = '', index = 0, address = '10.0.0.1' } = given
  return { on: 'node', verb, node: { node: name, id, address, taggedAddresses: null, meta: null }, index }
}
function service(verb: string, name: string, index = 0, port = 0): TxnOperation {
  return { on: 'service', verb, node: 'n1', service: instance({ name, port }), index }
}
function checkOf(verb: string, checkId: string, given: { serviceId?: string; index?: number; node?: string } = {}): TxnOperation {
  const { serviceId = '', index = 0, node: name = 'n1' } = given
  return { on: 'check', verb, check: check({ checkId, serviceId, node: name }), index }
}
function applied(tables: TestTables, ...operations: TxnOperation[]): TxnOutcome {
  return tables.apply([{ kind: 'txn.apply', atMs: 0, request: { operations } }])[0] as TxnOutcome
}
function whys(outcome: TxnOutcome): string[] {
  return outcome.errors.map(({ at, why }) => `${at}: ${why}`)
}

test('all operations have one index, and each sees what those before it did', (t) => {
  const tables = emptyTables()
  const outcome = applied(tables, kv('set', 'a', { value: '1' }), kv('get', 'a'), kv('set', 'b/c'), kv('get-tree', ''), kv('delete', 'b/c'))
  t.deepEqual(
    outcome.results.map((result) => 'entry' in result && [result.key, result.entry.value.byteLength, result.entry.modifyIndex]),
    [
      ['a', 0, 1],
      ['a', 1, 1],
      ['b/c', 0, 1],
      ['a', 1, 1],
      ['b/c', 0, 1],
    ],
  )
  t.deepEqual(
    kvList(tables.view(), '').entries.map(([key]) => key),
    ['a'],
  )
  t.is(lastIndex(tables.view()), 1)
})

test('with an error nothing changes and no index is taken; all errors are told', (t) => {
  const tables = emptyTables()
  applied(tables, kv('set', 'a'))
  const outcome = applied(
    tables,
    kv('set', 'new'),
    kv('cas', 'a', { index: 9 }),
    kv('check-index', 'a', { index: 112 }),
    kv('check-index', 'none', { index: 1 }),
    kv('check-session', 'a', { session: SESSION }),
    kv('check-session', 'none'),
    kv('check-not-exists', 'new'),
    kv('get', 'none'),
    kv('delete-cas', 'a', { index: 7 }),
    kv('unlock', 'a', { session: SESSION }),
    kv('lock', 'a', { session: SESSION }),
    kv('foo', 'a'),
  )
  t.deepEqual(whys(outcome), [
    '1: failed to set key "a", index is stale',
    '2: failed index check for key "a", current modify index 1 != 112',
    `3: failed to check index, key "none" doesn't exist`,
    `4: failed session check for key "a", current session "" != "${SESSION}"`,
    `5: failed to check session, key "none" doesn't exist`,
    '6: key "new" exists',
    `7: key "none" doesn't exist`,
    '8: failed to delete key "a", index is stale',
    `9: failed to unlock key "a", lock isn't held, or is held by another session`,
    `10: invalid session "${SESSION}"`,
    '11: unknown KV verb "foo"',
  ])
  t.deepEqual(outcome.results, [])
  t.is(kvGet(tables.view(), 'new').entry, undefined)
  t.is(lastIndex(tables.view()), 1)
})

test('conditions that hold let the rest happen', (t) => {
  const tables = emptyTables()
  applied(tables, kv('set', 'a'), kv('set', 'tree/1'), kv('set', 'tree/2'))
  const outcome = applied(
    tables,
    kv('check-index', 'a', { index: 1 }),
    kv('check-session', 'a'),
    kv('check-not-exists', 'none'),
    kv('cas', 'a', { value: 'x', index: 1 }),
    kv('cas', 'b'),
    kv('delete-tree', 'tree/'),
    kv('delete-cas', 'gone', { index: 5 }),
  )
  t.deepEqual(whys(outcome), [])
  t.deepEqual(
    outcome.results.map((result) => 'entry' in result && result.key),
    ['a', 'a', 'a', 'b'],
  )
  t.deepEqual(
    kvList(tables.view(), '').entries.map(([key, { modifyIndex }]) => [key, modifyIndex]),
    [
      ['a', 2],
      ['b', 2],
    ],
  )
})

test('locks are taken, checked and given back; one that is held or delayed is not', (t) => {
  const tables = emptyTables()
  const other = SESSION.replaceAll('1', '2')
  const tx = tables.view() as Transaction
  const session = { name: '', node: 'n1', lockDelayMs: 0, behavior: 'release' as const, ttl: '', ttlMs: 0, nodeChecks: [] }
  for (const id of [SESSION, other]) {
    tx.put(sessionTable, id, { ...session, serviceChecks: null, checks: null, createIndex: 1, modifyIndex: 1 })
  }
  const locked = applied(tables, kv('lock', 'a', { session: SESSION }), kv('check-session', 'a', { session: SESSION }))
  t.like(locked.results, [{ entry: { session: SESSION, lockIndex: 1 } }, { entry: { session: SESSION } }])
  t.deepEqual(whys(applied(tables, kv('lock', 'a', { session: other }), kv('unlock', 'a', { session: other }))), [
    '0: failed to lock key "a", lock is already held',
    `1: failed to unlock key "a", lock isn't held, or is held by another session`,
  ])
  t.like(applied(tables, kv('unlock', 'a', { session: SESSION })).results, [{ entry: { session: '', lockIndex: 1 } }])
  tx.put(lockDelayTable, 'a', { index: 1, delayMs: 15_000 })
  const a = tryActor(txn, { args: { valueBytesMax: 10 }, tables })
  const delayed = a.call('apply', { operations: [kv('lock', 'a', { session: SESSION })], token: '' })
  t.like(delayed.result, { errors: [{ at: 0, why: 'failed to lock key "a" due to lock delay' }] })
})

test('nodes, services and checks are registered and removed', (t) => {
  const tables = emptyTables()
  const made = applied(tables, node('set'), service('set', 'web', 0, 80), checkOf('set', 'up', { serviceId: 'web' }), service('get', 'web'))
  t.deepEqual(whys(made), [])
  t.like(made.results, [
    { node: { name: 'n1', modifyIndex: 1 } },
    { service: { port: 80, modifyIndex: 1 } },
    { check: { node: 'n1', check: { checkId: 'up' }, service: { id: 'web' } } },
    { service: { checks: [{ checkId: 'up' }] } },
  ])
  t.like(applied(tables, service('cas', 'web', 1, 81), checkOf('get', 'up'), node('get')).results, [
    { service: { port: 81, modifyIndex: 2 } },
    { check: { check: { checkId: 'up' } } },
    { node: { name: 'n1' } },
  ])
  t.deepEqual(applied(tables, checkOf('delete', 'up'), service('delete-cas', 'web', 2)), { results: [], errors: [] })
  t.deepEqual(serviceInstances(tables.view(), 'web').instances, [])
  t.deepEqual(applied(tables, node('delete'), node('delete'), service('delete', 'web'), checkOf('delete', 'up')).errors, [])
  t.is(catalogNode(tables.view(), 'n1').node, undefined)
})

test('what cannot be done in the catalog is said for each operation', (t) => {
  const tables = emptyTables()
  applied(tables, node('set'))
  const outcome = applied(
    tables,
    node('get', { node: 'zz' }),
    node('cas', { index: 9 }),
    node('delete-cas', { index: 9 }),
    node('foo'),
    service('get', 'web'),
    service('cas', 'web', 3),
    service('delete-cas', 'web', 3),
    service('foo', 'web'),
    checkOf('get', 'up'),
    checkOf('cas', 'up', { index: 4 }),
    checkOf('delete-cas', 'up', { index: 4 }),
    checkOf('foo', 'up'),
    checkOf('set', 'up', { node: 'zz' }),
    checkOf('set', 'up', { serviceId: 'web' }),
  )
  t.deepEqual(whys(outcome), [
    `0: node "zz" doesn't exist`,
    '1: failed to set node "n1", index is stale',
    '2: failed to delete node "n1", index is stale',
    '3: unknown Node verb "foo"',
    `4: service "web" on node "n1" doesn't exist`,
    '5: failed to set service "web" on node "n1", index is stale',
    '6: failed to delete service "web" on node "n1", index is stale',
    '7: unknown Service verb "foo"',
    `8: check "up" on node "n1" doesn't exist`,
    '9: failed to set check "up" on node "n1", index is stale',
    '10: failed to delete check "up" on node "n1", index is stale',
    '11: unknown Check verb "foo"',
    '12: Missing node registration',
    '13: Missing service registration on node "n1"',
  ])
})

test('a transaction that only reads makes no command; one that writes makes one', (t) => {
  const tables = emptyTables()
  const a = tryActor(txn, { args: { valueBytesMax: 10 }, tables, commits: 'keep' })
  applied(tables, kv('set', 'a', { value: '1' }))
  const read = a.call('apply', { operations: [kv('get', 'a'), kv('foo', 'b')], token: '' })
  t.like(read.result, { readOnly: true, errors: [{ at: 1, why: 'unknown KV verb "foo"' }] })
  const write = a.call('apply', { operations: [kv('get', 'a'), kv('set', 'b')], token: '' })
  t.is(write.result, undefined)
})

test('an operation of the wrong form is refused before anything is tried', (t) => {
  const a = tryActor(txn, { args: { valueBytesMax: 3 } })
  const errors = (...operations: TxnOperation[]) => {
    const { result } = a.call('apply', { operations, token: '' })
    return result && 'errors' in result ? whys(result) : undefined
  }
  t.deepEqual(errors(kv('get', 'none'), kv('set', ''), kv('set', 'k', { value: '1234' }), kv('set', 'x'.repeat(2_000))), [
    '1: Must provide key',
    '2: Value for key "k" is too large (4 > 3 bytes)',
    '3: Key is too long (2000 > 1900 bytes)',
  ])
  t.deepEqual(errors(node('set', { node: '' }), node('set', { id: 'nope' }), service('delete', ''), node('set', { node: 'a\u0000' })), [
    '0: Must provide node',
    '1: Bad node ID: uuid string is wrong length: 4',
    '2: Must provide service name with ID',
    '3: Node name contains the character U+0000',
  ])
})

const anyWrite = fc.oneof(
  fc.record({ verb: fc.constant('set' as const), key: fc.constantFrom('a', 'a/b', 'b'), value: fc.constantFrom('', 'x', 'y') }),
  fc.record({ verb: fc.constant('delete' as const), key: fc.constantFrom('a', 'a/b', 'b'), value: fc.constant('') }),
  fc.record({ verb: fc.constant('delete-tree' as const), key: fc.constantFrom('', 'a', 'b'), value: fc.constant('') }),
)

test('a transaction leaves what its operations leave one after the other', (t) => {
  fc.assert(
    fc.property(fc.array(anyWrite, { maxLength: 12 }), (writes) => {
      const together = emptyTables()
      const alone = emptyTables()
      applied(together, ...writes.map(({ verb, key, value }) => kv(verb, key, { value })))
      for (const { verb, key, value } of writes) {
        const request = verb === 'set' ? { key, value: Buffer.from(value), flags: 0n } : verb === 'delete' ? { key } : { prefix: key }
        alone.apply([{ kind: verb === 'set' ? 'kv.put' : `kv.${verb}`, atMs: 0, request }])
      }
      const left = (tables: TestTables) => kvList(tables.view(), '').entries.map(([key, { value }]) => [key, value.toString()])
      t.deepEqual(left(together), left(alone))
      t.true(lastIndex(together.view()) <= 1)
    }),
  )
})
