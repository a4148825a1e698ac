// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of prepared queries have places of this form.
import fc from 'fast-check'
import type { Route } from '../../src/http/route.ts'
import { isObject } from '../../src/kernel/plain.ts'
import type { ApiAsked } from './api-agent.ts'
import { SEED_BODIES } from './seed-bodies.ts'

/** Requests to an endpoint as no client should send them, and some as it may. */
export function wildRequest(route: Route): fc.Arbitrary<ApiAsked> {
  return fc
    .record({
      method: fc.oneof({ weight: 12, arbitrary: fc.constant<string>(route.method) }, { weight: 1, arbitrary: fc.constantFrom(...METHODS) }),
      rest: route.path.includes('*') ? restOfPath : fc.constant(''),
      query: fc.oneof({ weight: 1, arbitrary: fc.constant('') }, { weight: 2, arbitrary: queryText }),
      headers: fc.oneof({ weight: 4, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: fc.constantFrom(...HEADERS) }),
      body: route.method === 'GET' ? fc.constant('') : bodyFor(route.path),
    })
    .map(({ method, rest, query, headers, body }) => {
      const [before = ''] = route.path.split('*')
      return { method, url: `${before}${rest}${query === '' ? '' : `?${query}`}`, headers, body: Buffer.from(body) }
    })
}

const METHODS = ['GET', 'PUT', 'POST', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'TRACE']
const HEADERS: readonly Record<string, string>[] = [
  { 'x-consul-token': 'nobody' },
  { authorization: 'Bearer nobody' },
  { authorization: 'Basic' },
  { 'x-consul-namespace': 'other' },
  { 'cache-control': 'max-age=x' },
  { 'cache-control': 'max-age=0, stale-if-error=5' },
  { accept: 'text/plain' },
  { accept: 'application/openmetrics-text' },
  { 'x-forwarded-for': ',,,' },
]

const UUID = '11111111-2222-4333-8444-555555555555'
/** Names of things that are there, and of some that are not. */
const NAMES = [
  'n1',
  'ext',
  'web',
  'api',
  'kept/a',
  'q1',
  'service-defaults',
  'proxy-defaults',
  'global',
  'service:api',
  'any',
  'passing',
  UUID,
]
const WILD_TEXTS = [
  ...[
    '',
    '0',
    '1',
    '-1',
    '+1',
    '1.5',
    '1e9',
    '1_0',
    '0x10',
    'NaN',
    'Infinity',
    '9'.repeat(400),
    ' ',
    'true',
    'False',
    'x',
    'null',
    '{}',
    '[]',
  ],
  ...['18446744073709551615', '18446744073709551616', '9007199254740993', '10s', '-10s', '1ms', '9999999h', '1h1', '5'],
  ...[
    'ü€😀',
    '\u0000',
    'a\u0000b',
    'a\nb',
    '\u00a0',
    '\u2028',
    '\ufeff',
    '*',
    '(',
    '[[[[',
    '(a|b)*\\1',
    '((a+)+)+$',
    'a'.repeat(2_500),
    'é'.repeat(2_500),
  ],
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', '../..', '/', '//', 'a/b', '.', '..', '%2e%2e', '<script>', '"', "'", '\\'],
  ...[
    '${name.full}',
    '_agent',
    '_ip',
    'dc1',
    'DC1',
    'dc2',
    '127.0.0.1',
    '0.0.0.0',
    '::',
    '::1',
    '10.0.0.1:8300',
    'source',
    'k:v',
    ':',
    'k:',
  ],
  ...[
    'ServiceName == "x"',
    'Node == n1',
    'Foo == 1',
    'ServiceTags contains "',
    'Meta["a"] matches "("',
    `not ${'('.repeat(500)}`,
    'Node != a and '.repeat(300),
  ],
  ...['default', 'agent', 'prometheus', 'text', 'debug', 'consul'],
]
const RAW_TEXTS = ['%', '%zz', '%00', '%ff', '%c3%28', '%ed%a0%80', '+', '&&', '=', ';', '%25', '%u0041']
const PARAMETERS = [
  ...[
    'acquire',
    'address',
    'by',
    'cached',
    'cas',
    'connect',
    'consistent',
    'dc',
    'destination',
    'enable',
    'filter',
    'flags',
    'format',
    'hash',
    'id',
  ],
  ...[
    'index',
    'keys',
    'leader',
    'limit',
    'local-only',
    'logjson',
    'loglevel',
    'max_stale',
    'name',
    'near',
    'node',
    'node-meta',
    'note',
    'ns',
  ],
  ...['passing', 'pem', 'pretty', 'prune', 'raw', 'reason', 'recurse', 'relay-factor', 'release', 'replace-existing-checks', 'segment'],
  ...['separator', 'seperator', 'service', 'source', 'source-type', 'stale', 'tag', 'token', 'wait', 'wan', '__proto__', ''],
]

const encoded = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...WILD_TEXTS, ...NAMES).map(encodeURIComponent) },
  { weight: 2, arbitrary: fc.constantFrom(...NAMES) },
  { weight: 1, arbitrary: fc.constantFrom(...RAW_TEXTS) },
)
const restOfPath = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...NAMES) },
  { weight: 4, arbitrary: encoded },
  {
    weight: 2,
    arbitrary: fc.tuple(encoded, fc.constantFrom('/execute', '/explain', '/clone', '/', '/n1', '/web')).map((parts) => parts.join('')),
  },
)
const parameter = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constantFrom(...PARAMETERS), encoded).map((pair) => pair.join('=')) },
  { weight: 2, arbitrary: fc.constantFrom(...PARAMETERS) },
  { weight: 1, arbitrary: encoded },
)
/** What waits for an index does not wait for minutes. */
const queryText = fc
  .array(parameter, { minLength: 1, maxLength: 4 })
  .map((parameters) => (parameters.some((one) => /^(index|hash)/.test(one)) ? ['wait=10ms', ...parameters] : parameters).join('&'))

/** JSON texts by themselves, as values. */
const WILD_VALUES = [
  ...[
    'null',
    'true',
    'false',
    '""',
    '0',
    '-1',
    '1.5',
    '1e308',
    '1e400',
    '-1e400',
    '-0',
    '18446744073709551616',
    '9007199254740993',
    '65536',
    '[]',
    '{}',
  ],
  ...[
    '[null]',
    '[{}]',
    '[[]]',
    '["x"]',
    '{"":""}',
    '{"x":null}',
    '{"x":1}',
    '"x"',
    '"10s"',
    '"-1s"',
    '"\\ud800"',
    '"\\u0000"',
    '"ü€😀"',
    '" "',
    '"*"',
    '"("',
  ],
  ...['{"__proto__":{"x":1}}', '{"constructor":"x"}', '{"a":1,"a":2}', '{"Name":"a","name":"b"}', `${'['.repeat(60)}${']'.repeat(60)}`],
  ...[
    `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`,
    JSON.stringify('y'.repeat(3_000)),
    '"127.0.0.1"',
    '"0.0.0.0"',
    '"api"',
    '"web"',
    '"n1"',
    '"${match(1"',
  ],
  ...WILD_TEXTS.map((text) => JSON.stringify(text)),
]
const WILD_BODIES = [
  '',
  ' ',
  '\u0000',
  'x',
  '{',
  '[',
  '"',
  '{"a":1}{"a":2}',
  '{"a":1,}',
  '\ufeff{}',
  '{"a":tru',
  'nul',
  '{"a" 1}',
  '\u00ff',
  ...WILD_VALUES,
]
const LARGE_BODY = 'x'.repeat(600_000)

/** One change of a body: somewhere in it, by a number. */
type Edit = { at: number; how: 'replace' | 'remove' | 'add' | 'case' | 'twice'; value: string; key: string }

const edit: fc.Arbitrary<Edit> = fc.record({
  at: fc.nat(1_000),
  how: fc.constantFrom('replace', 'replace', 'replace', 'remove', 'add', 'case', 'twice'),
  value: fc.constantFrom(...WILD_VALUES),
  key: fc.constantFrom('Foo', 'Namespace', '__proto__', 'ID', 'Name', 'Checks', 'constructor', ''),
})

function bodyFor(path: string): fc.Arbitrary<string> {
  const seeds = SEED_BODIES[path] ?? [{}]
  const edited = fc
    .tuple(fc.constantFrom(...seeds), fc.array(edit, { maxLength: 2 }))
    .map(([seed, edits]) => textOf(edits.reduce(changed, seed)))
  return fc.oneof(
    { weight: 16, arbitrary: edited },
    { weight: 4, arbitrary: fc.constantFrom(...WILD_BODIES) },
    { weight: 1, arbitrary: fc.constant(LARGE_BODY) },
  )
}

/** Stands for a JSON text that JSON.stringify would not write. */
class Raw {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

function changed(body: unknown, { at, how, value, key }: Edit): unknown {
  const copy = structuredCloneOf(body)
  const holders: (Record<string, unknown> | unknown[])[] = []
  const collect = (one: unknown): void => {
    if (!isObject(one) && !Array.isArray(one)) return
    if (one instanceof Raw) return
    holders.push(one)
    for (const inner of Object.values(one)) collect(inner)
  }
  collect(copy)
  const holder = holders[at % Math.max(holders.length, 1)]
  if (!holder) return new Raw(value)
  const keys = Object.keys(holder)
  const own = keys[at % Math.max(keys.length, 1)]
  const fields = holder as Record<string, unknown>
  if (how === 'add' || own === undefined) {
    if (Array.isArray(holder)) holder.push(new Raw(value))
    else Object.defineProperty(holder, key, { value: new Raw(value), enumerable: true, configurable: true, writable: true })
  } else if (how === 'replace') fields[own] = new Raw(value)
  else if (Array.isArray(holder)) holder.splice(at % holder.length, how === 'remove' ? 1 : 0, ...(how === 'twice' ? [holder[0]] : []))
  else if (how === 'remove') delete fields[own]
  else fields[own.toUpperCase()] = how === 'case' ? fields[own] : new Raw(value)
  return copy
}

function structuredCloneOf(value: unknown): unknown {
  if (value instanceof Raw || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(structuredCloneOf)
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, structuredCloneOf(inner)]))
}

function textOf(value: unknown): string {
  if (value instanceof Raw) return value.text
  if (typeof value === 'string' || typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(textOf).join(',')}]`
  return `{${Object.entries(value)
    .map(([key, inner]) => `${JSON.stringify(key)}:${textOf(inner)}`)
    .join(',')}}`
}
