import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { temporaryDirectory } from '../kit/temporary-directory.ts'
import { runCommand, tryCommand } from './kit.ts'

const TRUE = { 'PUT /v1/config': { text: 'true' } }

test('write takes HCL and JSON, from a file and from standard input', async (t) => {
  const file = join(temporaryDirectory(t), 'web.hcl')
  writeFileSync(file, 'Kind = "service-defaults"\nName = "web"\nProtocol = "http"\n')
  const hcl = await tryCommand(['config', 'write', file], TRUE)
  t.is(hcl.out, 'Config entry written: service-defaults/web\n')
  t.deepEqual(hcl.seen, ['PUT /v1/config {"Kind":"service-defaults","Name":"web","Protocol":"http"}'])
  const json = await tryCommand(['config', 'write', '-'], TRUE, { stdin: '{"kind":"proxy-defaults","name":"global"}' })
  t.is(json.out, 'Config entry written: proxy-defaults/global\n')
})

test('write with cas says when it lost', async (t) => {
  const stdin = '{"Kind":"service-defaults","Name":"cw"}'
  const lost = await tryCommand(['config', 'write', '-cas', '-modify-index=7', '-'], { 'PUT /v1/config': { text: 'false' } }, { stdin })
  t.is(lost.code, 1)
  t.is(lost.err, 'Config entry not updated: service-defaults/cw\n')
  t.regex(lost.seen[0] ?? '', /^PUT \/v1\/config\?cas=7 /)
})

test('write refuses what it cannot read', async (t) => {
  t.is((await runCommand(['config', 'write'])).err, 'Must provide exactly one positional argument to specify the config entry to write\n')
  t.regex((await runCommand(['config', 'write', '-'], { stdin: 'a = {' })).err, /^Failed to decode config entry input: /)
  t.regex((await runCommand(['config', 'write', '-'], { stdin: '{"a":1}' })).err, /does not contain a kind\/Kind key/)
  t.regex((await runCommand(['config', 'write', '/nowhere'])).err, /^Failed to load data: /)
})

test('read, list and delete name one entry or a kind', async (t) => {
  const read = await tryCommand(['config', 'read', '-kind', 'service-defaults', '-name', 'web'], {
    'GET /v1/config/service-defaults/web': { json: { Kind: 'service-defaults', Name: 'web' } },
  })
  t.is(read.out, '{\n    "Kind": "service-defaults",\n    "Name": "web"\n}\n')
  const list = await tryCommand(['config', 'list', '-kind', 'service-defaults'], {
    'GET /v1/config/service-defaults': { json: [{ Name: 'a' }, { Name: 'b' }] },
  })
  t.is(list.out, 'a\nb\n')
  const deleted = await tryCommand(['config', 'delete', '-kind', 'service-defaults', '-name', 'web'], {
    'DELETE /v1/config/service-defaults/web': { text: '{}' },
  })
  t.is(deleted.out, 'Config entry deleted: service-defaults/web\n')
  const missing = await tryCommand(['config', 'read', '-kind', 'service-defaults', '-name', 'zz'], {
    'GET /v1/config/service-defaults/zz': { status: 404, text: 'Config entry not found for "service-defaults" / "zz"' },
  })
  t.is(
    missing.err,
    'Error reading config entry service-defaults/zz: Unexpected response code: 404 (Config entry not found for "service-defaults" / "zz")\n',
  )
  t.is((await runCommand(['config', 'list'])).err, 'Must specify the -kind parameter\n')
  t.is((await runCommand(['config', 'delete', '-kind=x'])).err, 'Must specify the -name parameter\n')
})
