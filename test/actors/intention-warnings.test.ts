import test from 'ava'
import type { Rule } from '../../actors/intentions/decide.ts'
import { explain, OTHERS_MAX } from '../../actors/intentions/explain.ts'
import type { Permission } from '../../actors/intentions/permissions.ts'
import { writeWarnings } from '../../actors/intentions/warnings.ts'
import { instance, proxyTo, registration } from '../kit/catalog.ts'
import { emptyTables } from '../kit/tables.ts'

const put = (source: string, destination: string, action: 'allow' | 'deny', permissions?: Permission[]) => ({
  kind: 'intentions.put',
  atMs: 0,
  request: { source, destination, action, description: '', ...(permissions && { permissions }) },
})
const register = (service: Parameters<typeof instance>[0]) => ({
  kind: 'catalog.register',
  atMs: 0,
  request: registration({ service: instance(service) }),
})

/** What is said of the last of these. */
function warned(...written: ReturnType<typeof put>[]): string[] {
  const tables = emptyTables()
  for (const one of written) tables.apply([one])
  const { source = '', destination = '' } = written.at(-1)?.request ?? {}
  return writeWarnings(tables.view(), destination, [source])
}

test('what is usual is no news', (t) => {
  t.deepEqual(warned(put('web', 'db', 'allow')), [])
  t.deepEqual(warned(put('*', '*', 'deny'), put('web', 'db', 'allow')), [], 'an exception from the rule for all')
  t.deepEqual(warned(put('*', 'db', 'allow'), put('web', 'db', 'deny')), [])
  t.deepEqual(warned(put('web', 'other', 'deny'), put('*', 'db', 'allow')), [])
})

test('a rule that a more precise one decides in place of says so', (t) => {
  t.deepEqual(warned(put('web', 'db', 'allow'), put('api', 'db', 'deny'), put('*', 'db', 'deny')), [
    '* => db (deny) does not decide where a more precise one says the opposite: web => db (allow)',
    '* => db (deny) does not decide where a more precise one says the same already: api => db (deny)',
  ])
  t.deepEqual(warned(put('*', 'db', 'allow'), put('web', 'api', 'deny'), put('web', '*', 'deny')), [
    'web => * (deny) does not decide where a more precise one says the opposite: * => db (allow)',
    'web => * (deny) does not decide where a more precise one says the same already: web => api (deny)',
  ])
  const many = ['a', 'b', 'c', 'd', 'e'].map((name) => put(name, 'db', 'allow'))
  t.deepEqual(warned(...many, put('*', '*', 'deny')), [
    '* => * (deny) does not decide where a more precise one says the opposite: a => db (allow), b => db (allow), c => db (allow) and 2 more',
  ])
})

test('a rule for a destination contradicts one for a source', (t) => {
  t.deepEqual(warned(put('web', '*', 'deny'), put('*', 'db', 'allow')), [
    '* => db (allow) contradicts web => * (deny), and decides for "db" because the destination counts first',
  ])
  t.deepEqual(warned(put('web', '*', 'deny'), put('*', 'db', 'deny')), [])
})

test('names that no connection has are told from names that are not there yet', (t) => {
  const tables = emptyTables()
  tables.apply([register({ name: 'web' }), register({ name: 'web-sidecar-proxy', ...proxyTo('web') })])
  const said = (source: string, destination = 'new') => {
    tables.apply([put(source, destination, 'allow')])
    return writeWarnings(tables.view(), destination, [source])
  }
  t.deepEqual(said('web'), [])
  t.deepEqual(said('later'), [])
  t.deepEqual(said('Web'), [
    'letter case counts in intentions: the catalog has "web" and no "Web", so this does not match connections of "web"',
  ])
  t.deepEqual(said('web-sidecar-proxy'), [
    '"web-sidecar-proxy" is a proxy: its connections are those of "web", so this never matches; name "web"',
  ])
  t.deepEqual(said('web '), ['"web " begins or ends with a space, and the catalog has no service of that name'])
  t.is(said('x', 'WEB').length, 1)
})

test('permissions that do nothing are named', (t) => {
  const tables = emptyTables()
  const permissions: Permission[] = [
    { Action: 'allow', HTTP: { PathPrefix: '/' } },
    { Action: 'deny', HTTP: { PathRegex: '/(', Header: [{ Name: 'a', Regex: '[' }] } },
  ]
  tables.apply([{ kind: 'config.set', atMs: 0, request: { kind: 'service-defaults', name: 'db', content: { Protocol: 'http' } } }])
  tables.apply([put('web', 'db', 'deny', permissions)])
  const [about, ...rest] = writeWarnings(tables.view(), 'db', ['web'])
  t.regex(about ?? '', /^web => db has permissions for requests/)
  t.deepEqual(rest, [
    'Permissions[1] of web => db never decides: Permissions[0] fits all its requests',
    'Permissions[1].HTTP.PathRegex of web => db never fits: error parsing regexp: missing closing ): `/(`',
    'Permissions[1].HTTP.Header[0].Regex of web => db never fits: error parsing regexp: missing closing ]: `[`',
  ])
})

const rule = (source: string, destination: string, action: 'allow' | 'deny'): Rule => ({ id: '', source, destination, action })

test('an explanation names the place that decides, and why each other does not', (t) => {
  const rules = [rule('*', 'db', 'deny'), rule('*', '*', 'allow'), rule('api', 'db', 'allow')]
  const { decision, candidates, fallback, others } = explain(rules, 'web', 'db', true)
  t.false(decision.allowed)
  t.deepEqual(
    candidates.map(({ precedence, source, destination, decides, why }) => [precedence, `${source} => ${destination}`, decides, why]),
    [
      [9, 'web => db', false, 'there is none'],
      [8, '* => db', true, 'decides: it is the first that matches'],
      [6, 'web => *', false, 'there is none'],
      [5, '* => *', false, 'one with the precedence 8 comes first'],
    ],
  )
  t.deepEqual(fallback, { allow: true, decides: false })
  t.deepEqual(others, { sources: ['api'], count: 1 })
  t.deepEqual(explain([], 'web', 'db', false).fallback, { allow: false, decides: true })
})

test('an explanation has no place twice, and names what differs in letter case first', (t) => {
  t.is(explain([], '*', '*', true).candidates.length, 1)
  const many = Array.from({ length: 30 }, (_, at) => rule(`s${at}`, 'db', 'allow'))
  const { others } = explain([...many, rule('Web', 'db', 'deny')], 'web', 'db', true)
  t.is(others.sources[0], 'Web')
  t.deepEqual([others.sources.length, others.count], [OTHERS_MAX, 31])
})
