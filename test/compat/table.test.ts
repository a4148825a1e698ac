import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { commands } from '../../src/cli/index.ts'
import { routes } from '../../src/http/routes/index.ts'
import { commandRows, compatibilityPage, endpointRows, keyRows, PAGE } from './table.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** These name everything, and test nothing. */
const LISTS = ['reference.ts', 'table.ts', 'table.test.ts', 'write-table.ts']
const TESTS = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.(ts|py|sh)$/.test(file) && !LISTS.some((name) => file === join('compat', name)))
  .map((file) => readFileSync(join(ROOT, 'test', file), 'utf8'))

test(`${PAGE} is up to date`, async (t) => {
  t.is(readFileSync(join(ROOT, PAGE), 'utf8'), await compatibilityPage(), 'write it anew: npm run compatibility')
})

test('every endpoint has a test that names it', (t) => {
  const paths = [...new Set(routes.map(({ path }) => path.split('*')[0] ?? path))]
  t.deepEqual(
    paths.filter((path) => !TESTS.some((text) => text.includes(path))),
    [],
  )
})

test('every command has a test that names it', (t) => {
  const named = (name: string) => {
    const words = new RegExp(`\\b${name.replaceAll(' ', "(?: |', '|\\('|: ')")}\\b`)
    return TESTS.some((text) => words.test(text))
  }
  t.deepEqual(
    commands.map(({ name }) => name).filter((name) => !named(name)),
    [],
  )
})

test('the table tells what works from what is refused, ignored or our own', async (t) => {
  const states = new Map([...endpointRows(), ...(await commandRows())].map(({ name, state }) => [name, state]))
  t.is(states.get('GET /v1/kv/:key'), 'works')
  t.is(states.get('PUT /v1/txn'), 'works')
  t.is(states.get('GET /v1/internal/ui/nodes'), 'refused: 404')
  t.regex(states.get('GET /v1/acl/tokens') ?? '', /^refused: 401, ACL support disabled/)
  t.is(states.get('kv get'), 'works')
  t.is(states.get('sim'), 'own')
  t.deepEqual(
    keyRows({
      a: { type: 'string' },
      b: { type: 'string', now: 'harmless' },
      c: { type: 'string', now: 'refused' },
      d: { type: 'string', now: { only: ['x', ''], why: 'only x' } },
      e: { type: 'list', of: { f: { type: 'int', now: 'enterprise' } } },
      g: { type: 'object', fields: { f: { type: 'int' } } },
    }),
    [
      { name: 'a', state: 'works' },
      { name: 'b', state: 'ignored' },
      { name: 'c', state: 'refused: c is not supported by this version' },
      { name: 'd', state: 'works: "x", ""; refused: only x' },
      { name: 'e[].f', state: 'ignored, with a warning' },
      { name: 'g', state: 'as e[]' },
    ],
  )
})
