import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { temporaryDirectory } from '../kit/temporary-directory.ts'
import { runCommand, tryCommand } from './kit.ts'

const PAIR = { LockIndex: 0, Key: 'foo', Flags: 0, Value: 'YmFy', CreateIndex: 93, ModifyIndex: 94 }
const TRUE = { text: 'true' }

test('put writes data and says so', async (t) => {
  const { code, out, seen } = await tryCommand(['kv', 'put', 'foo', 'bar'], { 'PUT /v1/kv/foo': TRUE })
  t.is(code, 0)
  t.is(out, 'Success! Data written to: foo\n')
  t.deepEqual(seen, ['PUT /v1/kv/foo bar'])
})

test('put without data writes an empty value', async (t) => {
  const { code, seen } = await tryCommand(['kv', 'put', 'foo'], { 'PUT /v1/kv/foo': TRUE })
  t.is(code, 0)
  t.deepEqual(seen, ['PUT /v1/kv/foo'])
})

test('put takes data from a file, from standard input, and with escaped signs', async (t) => {
  const file = join(temporaryDirectory(t), 'data')
  writeFileSync(file, 'from a file')
  const answers = { 'PUT /v1/kv/foo': TRUE }
  t.deepEqual((await tryCommand(['kv', 'put', 'foo', `@${file}`], answers)).seen, ['PUT /v1/kv/foo from a file'])
  t.deepEqual((await tryCommand(['kv', 'put', 'foo', '-'], answers, { stdin: 'piped' })).seen, ['PUT /v1/kv/foo piped'])
  t.deepEqual((await tryCommand(['kv', 'put', 'foo', '\\-'], answers)).seen, ['PUT /v1/kv/foo -'])
  t.deepEqual((await tryCommand(['kv', 'put', 'foo', '\\@x'], answers)).seen, ['PUT /v1/kv/foo @x'])
  t.deepEqual((await tryCommand(['kv', 'put', 'foo', '-5'], answers)).seen, ['PUT /v1/kv/foo -5'])
  const missing = await tryCommand(['kv', 'put', 'foo', '@/nowhere/data'], answers)
  t.is(missing.code, 1)
  t.is(missing.err, 'Error! Failed to read file: open /nowhere/data: no such file or directory\n')
})

test('put decodes Base64 and refuses what is none', async (t) => {
  const answers = { 'PUT /v1/kv/foo': TRUE }
  t.deepEqual((await tryCommand(['kv', 'put', '-base64', 'foo', 'aGk='], answers)).seen, ['PUT /v1/kv/foo hi'])
  const bad = await tryCommand(['kv', 'put', '-base64', 'foo', 'a!'], answers)
  t.is(bad.code, 1)
  t.regex(bad.err, /^Error! Cannot base 64 decode data/)
  t.deepEqual(bad.seen, [])
})

test('put with cas tells the two ways to lose apart', async (t) => {
  const no = { 'PUT /v1/kv/foo': { text: 'false' } }
  const create = await tryCommand(['kv', 'put', '-cas', 'foo', '1'], no)
  t.is(create.err, 'Error! Did not write to foo: CAS performed with index=0 and key already exists.\n')
  t.is(create.code, 1)
  const update = await tryCommand(['kv', 'put', '-cas', '-modify-index=12', 'foo', '1'], no)
  t.is(update.err, 'Error! Did not write to foo: CAS failed\n')
  t.deepEqual(update.seen, ['PUT /v1/kv/foo?cas=12 1'])
})

test('put acquires and releases locks for a session', async (t) => {
  const yes = { 'PUT /v1/kv/foo': TRUE }
  const no = { 'PUT /v1/kv/foo': { text: 'false' } }
  t.is((await tryCommand(['kv', 'put', '-acquire', '-session=s1', 'foo'], yes)).out, 'Success! Lock acquired on: foo\n')
  t.is((await tryCommand(['kv', 'put', '-release', '-session=s1', 'foo'], yes)).out, 'Success! Lock released on: foo\n')
  const lost = await tryCommand(['kv', 'put', '-acquire', '-session', 's1', 'foo', 'x'], no)
  t.is(lost.err, 'Error! Did not acquire lock\n')
  t.deepEqual(lost.seen, ['PUT /v1/kv/foo?acquire=s1 x'])
  const without = await runCommand(['kv', 'put', '-acquire', 'foo'])
  t.is(without.code, 1)
  t.regex(without.err, /^Error! Missing -session \(required with -acquire and -release\)\n\nUsage: tribune kv put/)
})

test('put keeps flags of 64 bits exact and refuses more', async (t) => {
  const answers = { 'PUT /v1/kv/foo': TRUE }
  const largest = await tryCommand(['kv', 'put', '-flags=0xffffffffffffffff', 'foo'], answers)
  t.deepEqual(largest.seen, ['PUT /v1/kv/foo?flags=18446744073709551615'])
  const tooLarge = await tryCommand(['kv', 'put', '-flags=18446744073709551616', 'foo'], answers)
  t.regex(tooLarge.err, /invalid value "18446744073709551616" for flag -flags: value out of range/)
  t.is((await tryCommand(['kv', 'put', '-flags=x', 'foo'], answers)).code, 1)
})

test('put refuses a key that is missing or begins with a slash', async (t) => {
  t.regex((await runCommand(['kv', 'put'])).err, /^Error! Missing KEY argument\n\nUsage:/)
  const slash = await runCommand(['kv', 'put', '/lead', 'x'])
  t.is(slash.err, "Error! Failed writing data: Invalid key. Key must not begin with a '/': /lead\n")
  t.is(slash.code, 1)
})

test('any flags survive export and import', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.string({ minLength: 1 }), async (flags, key) => {
      const pair = `[{"LockIndex":0,"Key":${JSON.stringify(key)},"Flags":${flags},"Value":"YQ==","CreateIndex":1,"ModifyIndex":1}]`
      const exported = await tryCommand(['kv', 'export'], { 'GET /v1/kv/': { text: pair } })
      const imported = await tryCommand(['kv', 'import', '-'], {}, { stdin: exported.out })
      const url = new URL(imported.requests[0]?.url ?? '', 'http://agent')
      return (url.searchParams.get('flags') ?? '0') === String(flags) && imported.requests[0]?.body === 'a'
    }),
    { numRuns: 25 },
  )
  t.pass()
})

test('get prints the value, and an error for a key that does not exist', async (t) => {
  const found = await tryCommand(['kv', 'get', '/foo'], { 'GET /v1/kv/foo': { json: [PAIR] } })
  t.is(found.out, 'bar\n')
  t.is(found.code, 0)
  const missing = await tryCommand(['kv', 'get', 'nope'], {})
  t.is(missing.err, 'Error! No key exists at: nope\n')
  t.is(missing.code, 1)
  t.regex((await runCommand(['kv', 'get'])).err, /^Error! Missing KEY argument\n/)
})

test('get shows details, Base64 and JSON', async (t) => {
  const answers = { 'GET /v1/kv/foo': { json: [PAIR] } }
  t.is(
    (await tryCommand(['kv', 'get', '-detailed', 'foo'], answers)).out,
    `CreateIndex      93
Flags            0
Key              foo
LockIndex        0
ModifyIndex      94
Session          -
Value            bar
`,
  )
  t.is((await tryCommand(['kv', 'get', '-base64', 'foo'], answers)).out, 'YmFy\n')
  t.deepEqual(JSON.parse((await tryCommand(['kv', 'get', '-format=json', 'foo'], answers)).out), [PAIR])
  t.is((await tryCommand(['kv', 'get', '-format=xml', 'foo'], answers)).err, 'Unknown format: xml\n')
})

test('get prints many entries', async (t) => {
  const answers = { 'GET /v1/kv/f': { json: [PAIR, { ...PAIR, Key: 'fox', Value: null }] } }
  const all = await tryCommand(['kv', 'get', '-recurse', 'f'], answers)
  t.is(all.out, 'foo:bar\nfox:\n')
  t.deepEqual(all.seen, ['GET /v1/kv/f?recurse='])
  t.regex((await tryCommand(['kv', 'get', '-recurse', '-detailed', 'f'], answers)).out, /Value {12}bar\n\nCreateIndex/)
  const none = await tryCommand(['kv', 'get', '-recurse', 'zz'], {})
  t.deepEqual([none.code, none.out], [0, ''])
})

test('get lists names of keys up to the separator', async (t) => {
  const answers = { 'GET /v1/kv/': { json: ['@/', 'foo', 'foo/'] } }
  const some = await tryCommand(['kv', 'get', '-keys'], answers)
  t.is(some.out, '@/\nfoo\nfoo/\n')
  t.deepEqual(some.seen, ['GET /v1/kv/?keys=&separator=%2F'])
  t.deepEqual((await tryCommand(['kv', 'get', '-keys', '-separator='], answers)).seen, ['GET /v1/kv/?keys=&separator='])
  t.is((await tryCommand(['kv', 'get', '-keys', 'zz'], {})).code, 0)
})

test('delete says what it deleted', async (t) => {
  const one = await tryCommand(['kv', 'delete', 'foo'], { 'DELETE /v1/kv/foo': TRUE })
  t.is(one.out, 'Success! Deleted key: foo\n')
  const many = await tryCommand(['kv', 'delete', '-recurse', 'foo'], { 'DELETE /v1/kv/foo': TRUE })
  t.is(many.out, 'Success! Deleted keys with prefix: foo\n')
  t.deepEqual(many.seen, ['DELETE /v1/kv/foo?recurse='])
})

test('delete with cas needs an index and may lose', async (t) => {
  const lost = await tryCommand(['kv', 'delete', '-cas', '-modify-index=3', 'foo'], { 'DELETE /v1/kv/foo': { text: 'false' } })
  t.is(lost.err, 'Error! Did not delete key foo: CAS failed\n')
  t.deepEqual(lost.seen, ['DELETE /v1/kv/foo?cas=3'])
  t.regex(
    (await runCommand(['kv', 'delete', '-cas', 'foo'])).err,
    /^Cannot delete a key that does not exist\. Provide a -modify-index greater/,
  )
})

test('export prints a list with tabs, and an empty one for nothing', async (t) => {
  const some = await tryCommand(['kv', 'export', 'foo'], { 'GET /v1/kv/foo': { json: [PAIR] } })
  t.is(some.out, '[\n\t{\n\t\t"key": "foo",\n\t\t"flags": 0,\n\t\t"value": "YmFy"\n\t}\n]\n')
  t.is((await tryCommand(['kv', 'export'], {})).out, '[]\n')
})

test('import writes every entry, under a prefix if there is one', async (t) => {
  const data = '[{"key":"a","flags":7,"value":"aGk="},{"key":"b/","flags":0,"value":""}]'
  const done = await tryCommand(['kv', 'import', '-prefix=imp', data], { 'PUT /v1/kv/imp/a': TRUE, 'PUT /v1/kv/imp/b/': TRUE })
  t.is(done.out, 'Imported: imp/a\nImported: imp/b/\n')
  t.deepEqual(done.seen, ['PUT /v1/kv/imp/a?flags=7 hi', 'PUT /v1/kv/imp/b/'])
})

test('import takes what the API answers, whose names are written otherwise and whose empty values are null', async (t) => {
  const data = '[{"LockIndex":0,"Key":"a","Flags":18446744073709551615,"Value":"aGk="},{"Key":"b","Flags":0,"Value":null}]'
  const done = await tryCommand(['kv', 'import', data], { 'PUT /v1/kv/a': TRUE, 'PUT /v1/kv/b': TRUE })
  t.deepEqual(done.seen, ['PUT /v1/kv/a?flags=18446744073709551615 hi', 'PUT /v1/kv/b'])
})

test('import says what is wrong with its data and writes nothing', async (t) => {
  const errorOf = async (data: string) => (await tryCommand(['kv', 'import', data], {})).err
  t.regex((await runCommand(['kv', 'import'])).err, /^Error! Missing DATA argument\n/)
  t.is(await errorOf('[{"key":'), 'Cannot unmarshal data: unexpected end of JSON input\n')
  t.is(await errorOf('{'), 'Cannot unmarshal data: unexpected end of JSON input\n')
  t.is(await errorOf('{}'), 'Cannot unmarshal data: must be a list of entries with key, flags and value\n')
  t.is(await errorOf('[{"flags":0,"value":""}]'), 'Cannot unmarshal data: entry 1: key must be a string that is not empty\n')
  t.is(
    await errorOf('[{"key":"a","flags":-1,"value":""}]'),
    'Cannot unmarshal data: entry 1: flags must be a whole number that is not negative\n',
  )
  t.is(await errorOf('[{"key":"a","flags":0,"value":"%"}]'), 'Cannot unmarshal data: entry 1: value must be Base64\n')
})

test('import answers noise with an error and never with a request', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string({ minLength: 1 }), fc.json()), async (noise) => {
      const { code, err } = await runCommand(['kv', 'import', '-'], { stdin: noise, env: { CONSUL_HTTP_ADDR: 'unix:///nowhere' } })
      return code === 0 ? noise.trim() === '[]' : err.startsWith('Cannot unmarshal data: ')
    }),
  )
  t.pass()
})
