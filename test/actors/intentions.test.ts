import test from 'ava'
import fc from 'fast-check'
import { comparePrecedence, decide, precedenceOf, type Rule, WILDCARD } from '../../actors/intentions/decide.ts'
import { intentions } from '../../actors/intentions/index.ts'
import type { WrittenPermission } from '../../actors/intentions/permissions.ts'
import { intentionById, intentionExact, intentionList, intentionsFrom, intentionsTo } from '../../actors/intentions/queries.ts'
import { refused } from '../kit/asking.ts'
import { emptyTables } from '../kit/tables.ts'
import { tryActor } from '../kit/try-actor.ts'

const NAMES = ['web', 'db', 'api', WILDCARD]
const name = fc.constantFrom(...NAMES)
const rules = fc.uniqueArray(
  fc.record({ id: fc.constant(''), source: name, destination: name, action: fc.constantFrom('allow' as const, 'deny' as const) }),
  { selector: ({ source, destination }) => `${source}/${destination}` },
)
const service = fc.constantFrom('web', 'db', 'api', 'other')

test('the most exact matching rule decides, whatever the order of the list', (t) => {
  fc.assert(
    fc.property(rules, service, service, fc.boolean(), (list, source, destination, defaultAllow) => {
      const decision = decide(list, source, destination, defaultAllow)
      t.deepEqual(decide([...list].reverse(), source, destination, defaultAllow), decision)
      const wanted = [
        [source, destination],
        [WILDCARD, destination],
        [source, WILDCARD],
        [WILDCARD, WILDCARD],
      ].flatMap(([from, to]) => list.filter((rule) => rule.source === from && rule.destination === to))[0]
      t.is(decision.rule, wanted)
      t.is(decision.allowed, wanted ? wanted.action === 'allow' : defaultAllow)
    }),
  )
})

test('precedence is 9, 8, 6 or 5, and the list is in its order', (t) => {
  const rule = (source: string, destination: string): Rule => ({ id: '', source, destination, action: 'allow' })
  t.deepEqual([rule('a', 'b'), rule('*', 'b'), rule('a', '*'), rule('*', '*')].map(precedenceOf), [9, 8, 6, 5])
  fc.assert(
    fc.property(rules, (list) => {
      const ordered = [...list].sort(comparePrecedence)
      for (const [at, one] of ordered.entries()) {
        const next = ordered[at + 1]
        t.true(!next || precedenceOf(one) > precedenceOf(next) || `${one.source} ${one.destination}` < `${next.source} ${next.destination}`)
      }
    }),
  )
})

test('reasons are in the words of the reference', (t) => {
  const rule: Rule = { id: '', source: 'db', destination: 'web', action: 'deny' }
  t.is(decide([rule], 'db', 'web', true).reason, 'Matched L4 intention: default/db => default/web (Precedence: 9, Action: DENY)')
  t.is(
    decide([{ ...rule, id: 'x-1' }], 'db', 'web', true).reason,
    'Matched L4 intention: default/db => default/web (ID: x-1, Precedence: 9, Action: DENY)',
  )
  t.is(decide([], 'db', 'web', true).reason, 'ACLs disabled, access is allowed by default')
  t.is(decide([], 'db', 'web', false).reason, 'Default behavior configured by ACLs')
})

const create = (id: string, source: string, destination: string, action: 'allow' | 'deny' = 'allow') => ({
  kind: 'intentions.create',
  atMs: 1_000,
  request: { id, source, destination, action, description: '', meta: {} },
})
const put = (source: string, destination: string, action: 'allow' | 'deny' = 'allow') => ({
  kind: 'intentions.put',
  atMs: 1_000,
  request: { source, destination, action, description: '' },
})

test('a source is named once for each destination', (t) => {
  const tables = emptyTables()
  tables.apply([create('1', 'web', 'db'), put('*', 'db')])
  t.like(refused(tables.apply([create('2', 'web', 'db', 'deny')])[0]), {
    refused: 'conflict',
    why: 'Sources[1] defines "web" more than once',
  })
  t.like(refused(tables.apply([create('3', '*', 'db')])[0]), { why: 'Sources[2] defines "*" more than once' })
  t.is(intentionList(tables.view()).intentions.length, 2)
})

test('an update may change the source but not the destination', (t) => {
  const tables = emptyTables()
  tables.apply([create('1', 'web', 'db'), create('2', 'api', 'db')])
  const update = (id: string, source: string, destination: string) => ({
    ...create(id, source, destination, 'deny'),
    kind: 'intentions.update',
  })
  t.like(refused(tables.apply([update('1', 'web', 'other')])[0]), {
    why: 'Cannot modify DestinationNS or DestinationName for an intention once it exists.',
  })
  t.like(refused(tables.apply([update('1', 'api', 'db')])[0]), { why: 'Sources[1] defines "api" more than once' })
  t.like(refused(tables.apply([update('9', 'api', 'db')])[0]), { refused: 'missing' })
  tables.apply([update('1', 'mobile', 'db')])
  t.is(intentionExact(tables.view(), 'web', 'db').intention, undefined)
  t.like(intentionById(tables.view(), '1').intention, { source: 'mobile', action: 'deny' })
  t.deepEqual(intentionsFrom(tables.view(), 'web').intentions, [], 'the old source is forgotten')
})

test('an exact write replaces what was there, the same again changes nothing, and the last one takes its destination along', (t) => {
  const tables = emptyTables()
  tables.apply([create('1', 'web', 'db')])
  tables.apply([put('web', 'db', 'deny')])
  t.is(intentionById(tables.view(), '1').intention, undefined)
  t.like(intentionExact(tables.view(), 'web', 'db').intention, { action: 'deny', id: '', createIndex: 1, modifyIndex: 2 })
  tables.apply([put('web', 'db', 'deny')])
  t.deepEqual(tables.notice.touched, [])
  const remove = { kind: 'intentions.delete-exact', atMs: 0, request: { source: 'web', destination: 'db' } }
  tables.apply([remove, remove])
  t.deepEqual(intentionList(tables.view()), { index: 3, intentions: [] })
  t.is(intentionsTo(tables.view(), 'db').index, 3, 'an index never goes back')
  t.is(intentionsFrom(tables.view(), 'web').index, 3)
})

test('what a list says agrees with what its two lookups say', (t) => {
  const operation = fc.oneof(
    fc.record({ source: name, destination: name }).map(({ source, destination }) => put(source, destination)),
    fc
      .record({ source: name, destination: name, id: fc.constantFrom('1', '2', '3') })
      .map(({ id, source, destination }) => create(id, source, destination)),
    fc.record({ source: name, destination: name }).map((request) => ({ kind: 'intentions.delete-exact', atMs: 0, request })),
    fc.constantFrom('1', '2', '3').map((id) => ({ kind: 'intentions.delete', atMs: 0, request: { id } })),
  )
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 30 }), (operations) => {
      const tables = emptyTables()
      for (const one of operations) tables.apply([one])
      const view = tables.view()
      const { intentions: all } = intentionList(view)
      for (const one of ['web', 'db', 'api']) {
        t.deepEqual(
          intentionsTo(view, one).intentions,
          all.filter(({ destination }) => destination === one || destination === WILDCARD),
        )
        t.deepEqual(
          intentionsFrom(view, one).intentions,
          all.filter(({ source }) => source === one || source === WILDCARD),
        )
      }
      for (const one of all) if (one.id !== '') t.deepEqual(intentionById(view, one.id).intention, one)
    }),
  )
})

test('an intention on one destination does not touch what is known of another', (t) => {
  const tables = emptyTables()
  tables.apply([put('web', 'db')])
  const before = intentionsTo(tables.view(), 'api')
  tables.apply([put('web', 'cache')])
  t.deepEqual(intentionsTo(tables.view(), 'api'), before)
  t.is(intentionsTo(tables.view(), 'db').index, 1)
  tables.apply([put('web', '*')])
  t.is(intentionsTo(tables.view(), 'db').index, 3)
})

test('names that cannot be are refused before anything is proposed', (t) => {
  const a = tryActor(intentions, { args: { defaultAllow: true } })
  const texts = { action: 'allow', permissions: [], description: '', token: '' }
  for (const [source, destination, why] of [
    ['', 'db', 'SourceName must be set'],
    ['web', '', 'DestinationName must be set'],
    ['we*', 'db', `SourceName: wildcard character '*' cannot be used with partial values`],
    ['web', 'd\u0000b', 'DestinationName has characters that are not allowed'],
    ['w'.repeat(301), 'db', 'SourceName is longer than 300 characters'],
  ] as const) {
    t.is(refused(a.call('put', { source, destination, ...texts }).result).why, why)
  }
  const odd = (action: string, permissions: WrittenPermission[]) =>
    refused(a.call('put', { ...texts, source: 'web', destination: 'db', action, permissions }).result).why
  t.is(odd('maybe', []), `Sources[0].Action must be set to 'allow' or 'deny'`)
  t.is(odd('allow', [{}]), 'Sources[0].Action must be omitted if Permissions are specified')
  t.is(odd('', [{}]), `Sources[0].Permissions[0].Action must be set to 'allow' or 'deny'`)
  t.deepEqual(
    a.effects().filter(({ did }) => did === 'commit'),
    [],
  )
})
