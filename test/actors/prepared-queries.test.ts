// biome-ignore-all lint/suspicious/noTemplateCurlyInString: prepared queries have places of this form.
import test from 'ava'
import fc from 'fast-check'
import { preparedQueries } from '../../actors/prepared-queries/index.ts'
import { parseInterpolation, rendered } from '../../actors/prepared-queries/interpolation.ts'
import { queryById, queryList, resolveQuery } from '../../actors/prepared-queries/queries.ts'
import type { PreparedQuery } from '../../actors/prepared-queries/tables.ts'
import { renderTemplate } from '../../actors/prepared-queries/template.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { registration } from '../kit/catalog.ts'
import { preparedQuery, template } from '../kit/queries.ts'
import { emptyTables, type TestTables } from '../kit/tables.ts'
import { tryActor } from '../kit/try-actor.ts'

const [ID_1, ID_2, SESSION] = ['1', '2', '3'].map((digit) => `${digit.repeat(8)}-0000-4000-8000-000000000000`) as [string, string, string]

function write(tables: TestTables, kind: string, id: string, query: PreparedQuery) {
  return tables.apply([{ kind, atMs: 0, request: { id, query } }])[0]
}

test('a query is found by its id and by its name, whatever the case', (t) => {
  const tables = emptyTables()
  t.deepEqual(write(tables, 'queries.create', ID_1, preparedQuery({ name: 'Geo' })), { id: ID_1 })
  t.deepEqual(write(tables, 'queries.create', ID_1, preparedQuery({ name: 'Geo' })), { id: ID_1 }, 'said twice, done once')
  t.like(queryById(tables.view(), ID_1), { index: 1, query: { name: 'Geo', createIndex: 1, modifyIndex: 1 } })
  for (const name of ['geo', 'GEO', ID_1]) t.like(resolveQuery(tables.view(), name), { id: ID_1 }, name)
  for (const name of ['', 'ge', 'geo2', ID_2]) t.is(resolveQuery(tables.view(), name), undefined, name)
  t.is(write(tables, 'queries.update', ID_1, preparedQuery({ name: 'near' })), null)
  t.is(resolveQuery(tables.view(), 'geo'), undefined)
  t.like(resolveQuery(tables.view(), 'near'), { createIndex: 1, modifyIndex: 2 })
  t.is(tables.apply([{ kind: 'queries.delete', atMs: 0, request: { id: ID_1 } }])[0], null)
  t.deepEqual(queryList(tables.view()), { index: 3, queries: [] })
  t.is(resolveQuery(tables.view(), 'near'), undefined)
})

test('what cannot be written is refused in the words of Consul, and changes nothing', (t) => {
  const tables = emptyTables()
  write(tables, 'queries.create', ID_1, preparedQuery())
  write(tables, 'queries.create', SESSION, preparedQuery({ name: '', ...template() }))
  const refused: [kind: string, query: PreparedQuery, why: string][] = [
    ['queries.create', preparedQuery({ name: 'Q1' }), `raft apply failed: name 'Q1' aliases an existing query name`],
    ['queries.create', preparedQuery({ name: ID_1 }), `raft apply failed: name '${ID_1}' aliases an existing query ID`],
    ['queries.create', preparedQuery({ name: '', ...template() }), 'raft apply failed: a query template with an empty name already exists'],
    ['queries.create', preparedQuery({ name: 'x', session: 'nope' }), 'raft apply failed: invalid session "nope"'],
    [
      'queries.create',
      preparedQuery({ name: 'x', template: { type: 'foo', regexp: '', removeEmptyTags: false } }),
      `raft apply failed: failed compiling template: Bad Template.Type 'foo'`,
    ],
    [
      'queries.create',
      preparedQuery({ name: 'x', ...template('(') }),
      'raft apply failed: failed compiling template: Bad Regexp: error parsing regexp: missing closing ): `(`',
    ],
    ['queries.update', preparedQuery(), `Cannot modify non-existent prepared query: '${ID_2}'`],
  ]
  for (const [kind, query, why] of refused) t.like(write(tables, kind, ID_2, query), { why }, why)
  t.like(tables.apply([{ kind: 'queries.delete', atMs: 0, request: { id: ID_2 } }])[0], {
    why: `Cannot modify non-existent prepared query: '${ID_2}'`,
  })
  t.is(queryList(tables.view()).index, 2)
})

test('a query ends with the session it is bound to', (t) => {
  const tables = emptyTables()
  tables.apply([{ kind: 'catalog.register', atMs: 0, request: registration() }])
  const session = { name: '', node: 'n1', lockDelayMs: 0, behavior: 'release', ttl: '', ttlMs: 0, nodeChecks: [], serviceChecks: null }
  tables.apply([{ kind: 'sessions.create', atMs: 0, request: { id: SESSION, ...session, checks: null } }])
  t.deepEqual(write(tables, 'queries.create', ID_1, preparedQuery({ name: '', session: SESSION })), { id: ID_1 })
  write(tables, 'queries.create', ID_2, preparedQuery())
  tables.apply([{ kind: 'sessions.destroy', atMs: 0, request: { id: SESSION } }])
  t.deepEqual(
    queryList(tables.view()).queries.map(({ id }) => id),
    [ID_2],
  )
})

test('the template with the longest prefix answers names that nobody else has', (t) => {
  const tables = emptyTables()
  write(tables, 'queries.create', ID_1, preparedQuery({ name: '', ...template() }, { service: '${name.full}' }))
  write(tables, 'queries.create', ID_2, preparedQuery({ name: 'geo-', ...template() }, { service: '${name.suffix}' }))
  write(tables, 'queries.create', SESSION, preparedQuery({ name: 'geo-exact' }, { service: 'exact' }))
  const asked = (name: string) => {
    const query = resolveQuery(tables.view(), name)
    return query && !isRefused(query) ? query.service.service : query
  }
  t.is(asked('geo-db'), 'db')
  t.is(asked('GEO-DB'), 'GEO-DB', 'the prefix is cut off in the case in which it is written')
  t.is(asked('web'), 'web')
  t.is(asked('geo-exact'), 'exact')
  t.is(asked('geo'), 'geo')
  t.is(asked('x'.repeat(3_000)), 'x'.repeat(3_000))
})

test('a template fills in every text of the service', (t) => {
  const query = preparedQuery(
    { name: 'geo-', ...template('^geo-(.*?)-([^-]+)$', true) },
    {
      service: '${match(2)}',
      failover: { nearestN: 1, datacenters: ['${match(1)}', 'dc2'] },
      near: '${name.prefix}x',
      tags: ['${match(1)}', '${match(9)}', ' ', '$${x}', '!${agent.segment}'],
      nodeMeta: { a: '${name.suffix}' },
      serviceMeta: { b: '${match( 1 + 2 * 1 - 1 )}' },
      ignoreCheckIds: ['${match(0)}'],
    },
  )
  t.like(renderTemplate(query, 'geo-eu-db'), {
    name: 'geo-',
    service: {
      service: 'db',
      failover: { nearestN: 1, datacenters: ['eu', 'dc2'] },
      near: 'geo-x',
      tags: ['eu', '${x}', '!'],
      nodeMeta: { a: 'eu-db' },
      serviceMeta: { b: 'db' },
      ignoreCheckIds: ['geo-eu-db'],
    },
  })
})

test('a text that cannot be filled in says where it is and why', (t) => {
  const wrong: [text: string, why: string][] = [
    ['${x', 'unknown variable accessed: x'],
    ['${name.full', 'expected "}"'],
    ['${}', 'expected a name at position 3'],
    ['${foo(1)}', 'unknown function called: foo'],
    ['${match("a")}', 'match: expected a whole number at position 9'],
    ['${"a', 'a text in quotes has no end'],
  ]
  for (const [text, why] of wrong) {
    t.deepEqual(
      renderTemplate(preparedQuery(template(), { tags: ['ok', text] }), 'q1'),
      { refused: 'invalid', why: `Bad format '${text}' in Service.Tags[1]: ${why}` },
      text,
    )
  }
  t.deepEqual(parsed('a "${"b ${name.full} \\"c\\""}"', 'N'), 'a "b N "c""')
})

test('any text is filled in or refused; one without places is itself', (t) => {
  const unit = fc.constantFrom('a', '$', '{', '}', '"', '(', ')', 'match', 'name.full', '1', '+', '\\', ' ')
  fc.assert(
    fc.property(
      fc.array(unit).map((units) => units.join('')),
      (text) => {
        const result = parsed(text, 'N')
        if (!text.includes('${')) t.is(result, text)
      },
    ),
    { numRuns: 2_000 },
  )
  t.like(parseInterpolation('${"'.repeat(1_000), []), { why: 'it nests too deeply' })
  t.like(parseInterpolation(`\${match(${'('.repeat(1_000)}`, []), { why: 'it nests too deeply' })
})

test('a long sum takes no stack, and places do not make a text of any length', (t) => {
  t.is(parsed(`\${match(${'1+'.repeat(100_000)}1)}`, 'N'), 'm100001')
  const places = (count: number) =>
    preparedQuery({ name: '', ...template() }, { service: '${name.full}', tags: Array(count).fill('${name.full}') })
  const long = 'x'.repeat(100_000)
  t.like(renderTemplate(places(9), long), { service: { service: long } })
  t.deepEqual(renderTemplate(places(10), long), {
    refused: 'invalid',
    why: "Bad format '${name.full}' in Service.Tags[9]: it becomes too long",
  })
  t.is(parsed('${"${name.full}"}'.repeat(2), 'x'.repeat(501)), undefined)
})

test('a name longer than any key is looked for as fast as others', (t) => {
  const tables = emptyTables()
  write(tables, 'queries.create', ID_1, preparedQuery({ name: 'geo-', ...template() }, { service: '${name.suffix}' }))
  const long = 'y'.repeat(500_000)
  t.like(resolveQuery(tables.view(), `geo-${long}`), { service: { service: long } })
  t.is(resolveQuery(tables.view(), 'ü'.repeat(500_000)), undefined)
})

function parsed(text: string, name: string): string | undefined {
  const parts = parseInterpolation(text, ['name.full'])
  if (isRefused(parts)) return undefined
  const filled = rendered(parts, { variables: { 'name.full': name }, match: (number) => `m${number}` }, 1_000)
  return isRefused(filled) ? undefined : filled
}

test('the actor gives ids, and judges what is wrong with a query by itself', (t) => {
  const tables = emptyTables()
  const a = tryActor(preparedQueries, { args: undefined, tables })
  const created = a.call('create', { query: preparedQuery(), token: '' }).result
  if (!created || isRefused(created)) return t.fail(created?.why)
  t.regex(created.id, /^[0-9a-f-]{36}$/)
  t.is(a.call('update', { id: created.id, query: preparedQuery({ name: 'other' }), token: '' }).result, null)
  t.like(a.call('update', { id: ID_1, query: preparedQuery({ name: '' }), token: '' }).result, { refused: 'missing' })
  t.is(a.call('delete', { id: created.id, token: '' }).result, null)
  t.like(a.call('delete', { id: created.id, token: '' }).result, { refused: 'missing' })
  const wrong: [PreparedQuery, string][] = [
    [preparedQuery({ name: '' }), 'Must be bound to a session'],
    [preparedQuery({}, { service: '' }), 'Must provide a Service name to query'],
    [preparedQuery({}, { failover: { nearestN: -1, datacenters: null } }), `Bad NearestN '-1', must be >= 0`],
    [preparedQuery({ token: '<hidden>' }), `Bad Token '<hidden>', it looks like a query definition with a redacted token was submitted`],
    [preparedQuery({ name: 'x'.repeat(3_000) }), 'a key may have at most 1976 bytes, this one has 3001'],
  ]
  for (const [query, why] of wrong) {
    t.deepEqual(a.call('create', { query, token: '' }).result, { refused: 'invalid', why: `Invalid prepared query: ${why}` })
  }
})
