import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { SnapshotRow } from '../../src/snapshot/format.ts'
import { writeSnapshot } from '../../src/snapshot/write.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'
import { runCommand } from './kit.ts'

/** A snapshot of a few keys, as a file. */
async function snapshotFile(t: ExecutionContext): Promise<string> {
  const path = join(temporaryDirectory(t), 'a.snap')
  const keys = ['vault/core/a', 'vault/core/b', 'vault/logical/c', 'web/x']
  const rows: SnapshotRow[] = keys.map((key) => [10, key, { value: Buffer.alloc(300) }])
  const tables = [
    { id: 10, name: 'kv', rows: 4 },
    { id: 20, name: 'catalog-nodes', rows: 1 },
    { id: 99, name: 'something-else', rows: 0 },
  ]
  const header = { version: 1, id: '1-150-1795413630171', index: 150, timeMs: 1_795_413_630_171, tables }
  async function* portions() {
    yield rows
    yield [[20, 'n1', ['', 'n1']]] as SnapshotRow[]
  }
  await writeSnapshot(path, header, portions())
  return path
}

/** An agent that has this snapshot, and takes what it is given. */
async function agent(t: ExecutionContext, answer: { status: number; bytes: Buffer }) {
  const taken: string[] = []
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      taken.push(`${request.method} ${request.url} ${Buffer.concat(chunks).byteLength}`)
      response.writeHead(answer.status)
      response.end(answer.bytes)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return { env: { CONSUL_HTTP_ADDR: `127.0.0.1:${(server.address() as AddressInfo).port}` }, taken }
}

test('save writes a file that only its owner can read, once it is verified', async (t) => {
  const bytes = readFileSync(await snapshotFile(t))
  const path = join(temporaryDirectory(t), 'b.snap')
  const { env } = await agent(t, { status: 200, bytes })
  t.deepEqual(await runCommand(['snapshot', 'save', path], { env }), {
    code: 0,
    out: 'Saved and verified snapshot to index 150\n',
    err: '',
  })
  t.true(readFileSync(path).equals(bytes))
  t.is(statSync(path).mode & 0o777, 0o600)
})

test('what cannot be verified is not saved', async (t) => {
  const bytes = readFileSync(await snapshotFile(t))
  const path = join(temporaryDirectory(t), 'b.snap')
  bytes[40]! ^= 1
  const damaged = await runCommand(['snapshot', 'save', path], { env: (await agent(t, { status: 200, bytes })).env })
  t.deepEqual(damaged, {
    code: 1,
    out: '',
    err: 'Error verifying snapshot file: failed to read snapshot: its SHA-256 does not match, so it was damaged\n',
  })
  const refused = await runCommand(['snapshot', 'save', path], { env: (await agent(t, { status: 500, bytes: Buffer.from('no') })).env })
  t.deepEqual(refused, { code: 1, out: '', err: 'Error saving snapshot: Unexpected response code: 500 (no)\n' })
  const { env } = await agent(t, { status: 200, bytes })
  const nowhere = await runCommand(['snapshot', 'save', '/nowhere/b.snap'], { env })
  t.is(nowhere.code, 1)
  t.regex(nowhere.err, /no such file or directory/)
  t.false(existsSync(path) || existsSync(`${path}.unverified`))
})

test('restore sends the file', async (t) => {
  const path = await snapshotFile(t)
  const { env, taken } = await agent(t, { status: 200, bytes: Buffer.alloc(0) })
  t.deepEqual(await runCommand(['snapshot', 'restore', path], { env }), { code: 0, out: 'Restored snapshot\n', err: '' })
  t.deepEqual(taken, [`PUT /v1/snapshot ${statSync(path).size}`])
  const bad = await agent(t, { status: 500, bytes: Buffer.from('failed to decompress snapshot: EOF') })
  const refused = await runCommand(['snapshot', 'restore', path], { env: bad.env })
  t.is(refused.err, 'Error restoring snapshot: Unexpected response code: 500 (failed to decompress snapshot: EOF)\n')
  const missing = await runCommand(['snapshot', 'restore', '/nowhere/a.snap'], { env })
  t.deepEqual(missing, { code: 1, out: '', err: 'Error opening snapshot file: open /nowhere/a.snap: no such file or directory\n' })
})

test('inspect adds up what is in a file', async (t) => {
  const path = await snapshotFile(t)
  const { code, out } = await runCommand(['snapshot', 'inspect', path])
  t.is(code, 0)
  t.is(
    out,
    ` ID           1-150-1795413630171
 Size         ${statSync(path).size}
 Index        150
 Term         1
 Version      1

 Type          Count      Size
 ----          ----       ----
 KVS           4          1.3KB
 Register      1          15B
 ----          ----       ----
 Total                    1.3KB
`,
  )
  const keys = await runCommand(['snapshot', 'inspect', '-kvdetails', '-kvfilter=vault', path])
  t.is(
    keys.out.slice(out.length + 1),
    ` Key Name           Count      Size
 ----               ----       ----
 vault/core         2          664B
 vault/logical      1          335B
 ----               ----       ----
 Total                         999B
`,
  )
})

test('inspect tells programs the same', async (t) => {
  const path = await snapshotFile(t)
  const { out } = await runCommand(['snapshot', 'inspect', '-format=json', '-kvdetails', '-kvdepth=1', path])
  t.like(JSON.parse(out), {
    Meta: { ID: '1-150-1795413630171', Size: statSync(path).size, Index: 150, Term: 1, Version: 1 },
    Stats: [
      { Name: 'KVS', Count: 4 },
      { Name: 'Register', Sum: 15, Count: 1 },
    ],
    StatsKV: [
      { Name: 'vault', Count: 3 },
      { Name: 'web', Count: 1 },
    ],
  })
})

test('arguments and files that make no sense', async (t) => {
  for (const name of ['save', 'restore', 'inspect']) {
    t.deepEqual(await runCommand(['snapshot', name]), { code: 1, out: '', err: 'Missing FILE argument\n' })
    t.deepEqual(await runCommand(['snapshot', name, 'a', 'b']), { code: 1, out: '', err: 'Too many arguments (expected 1, got 2)\n' })
  }
  const path = join(temporaryDirectory(t), 'text')
  writeFileSync(path, 'hello')
  const err = async (...args: string[]) => (await runCommand(['snapshot', 'inspect', ...args])).err
  t.is(await err(path), 'Error verifying snapshot: failed to decompress snapshot: gzip: invalid header\n')
  t.is(await err('/nowhere/a.snap'), 'Error opening snapshot file: open /nowhere/a.snap: no such file or directory\n')
  t.is(await err('-format=xml', path), 'Error outputting enhanced snapshot data: Unknown format: xml\n')
})
