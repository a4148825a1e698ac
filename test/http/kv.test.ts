import test from 'ava'
import { waitOf } from '../../src/http/blocking.ts'
import { asked, read, settings } from '../kit/http.ts'
import { emptyTables, type TestTables } from '../kit/tables.ts'

/** Tables with these keys, each written at an index of its own, beginning with 1. */
function keys(...names: string[]): TestTables {
  const tables = emptyTables()
  for (const key of names) {
    tables.apply([{ kind: 'kv.put', atMs: 0, request: { key, value: Buffer.from(`value of ${key}`), flags: 2n ** 64n - 1n } }])
  }
  return tables
}

test('an entry is shown byte for byte as Consul shows it, with all 64 bits of its flags', (t) => {
  const { view } = keys('a')
  const [shown] = read(view(), '/v1/kv/a').json as { Flags: bigint }[]
  t.deepEqual(Object.keys(shown ?? {}), ['LockIndex', 'Key', 'Flags', 'Value', 'CreateIndex', 'ModifyIndex'])
  t.is(shown?.Flags, 18_446_744_073_709_551_615n)
  t.deepEqual(read(view(), '/v1/kv/nope'), { index: 1, status: 404 })
  t.deepEqual(read(view(), '/v1/kv/'), { status: 400, text: 'Missing key name' })
})

test('raw gives the bytes, of the first entry when there are several', (t) => {
  const { view } = keys('a', 'b')
  const raw = {
    bytes: Buffer.from('value of a'),
    type: 'text/plain',
    headers: { 'X-Content-Type-Options': 'nosniff', 'Content-Security-Policy': 'sandbox' },
  }
  t.deepEqual(read(view(), '/v1/kv/a?raw'), { index: 1, ...raw })
  t.deepEqual(read(view(), '/v1/kv/?recurse&raw'), { index: 2, ...raw })
})

test('keys are cut at a separator, in both spellings of the parameter', (t) => {
  const { view } = keys('d/x', 'd/y', 'foo', 'foo/a')
  t.deepEqual(read(view(), '/v1/kv/?keys').json, ['d/x', 'd/y', 'foo', 'foo/a'])
  t.deepEqual(read(view(), '/v1/kv/?keys&separator=/').json, ['d/', 'foo', 'foo/'])
  t.deepEqual(read(view(), '/v1/kv/foo?keys&seperator=%2F').json, ['foo', 'foo/'])
  t.deepEqual(read(emptyTables().view(), '/v1/kv/?keys').json, [])
  t.like(read(view(), '/v1/kv/zz?keys'), { status: 404 })
})

test('parameters that exclude each other are all shown, by name', (t) => {
  t.deepEqual(asked('PUT', '/v1/kv/a?cas=1&acquire=x', ''), { status: 400, text: 'Conflicting flags: acquire=x&cas=1' })
  t.deepEqual(asked('DELETE', '/v1/kv/a?recurse&cas=1&dc=dc1'), { status: 400, text: 'Conflicting flags: cas=1&dc=dc1&recurse=' })
  t.deepEqual(asked('PUT', '/v1/kv/a?cas=zz', ''), { status: 500, text: 'strconv.ParseUint: parsing "zz": invalid syntax' })
  t.deepEqual(asked('PUT', '/v1/kv/a?flags=18446744073709551616', ''), {
    status: 500,
    text: 'strconv.ParseUint: parsing "18446744073709551616": value out of range',
  })
  t.like(asked('PUT', '/v1/kv/a?flags=18446744073709551615', ''), { request: { flags: 18_446_744_073_709_551_615n } })
})

test('an index has 64 bits, and a wait is bounded', (t) => {
  const wait = (text: string) => waitOf(new URLSearchParams(text), settings)
  t.deepEqual(wait(''), { index: 0, waitMs: 300_000 })
  t.deepEqual(wait('index=7&wait=10ms'), { index: 7, waitMs: 10 })
  t.deepEqual(wait('index=7&wait=20m'), { index: 7, waitMs: 600_000 })
  t.deepEqual(wait('index=7&wait=0s'), { index: 7, waitMs: 300_000 })
  t.like(wait('index=18446744073709551615'), { waitMs: 300_000 })
  for (const text of ['index=x', 'index=-1', 'index=1.5', 'index=18446744073709551616', `index=${'9'.repeat(400)}`]) {
    t.deepEqual(wait(text), { status: 400, text: 'Invalid index' })
  }
  for (const text of ['wait=x', 'wait=10']) t.deepEqual(wait(text), { status: 400, text: 'Invalid wait time' })
})
