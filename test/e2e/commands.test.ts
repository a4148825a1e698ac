import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Agent, runTribune, startAgent, TRIBUNE, temporaryDirectory, writeFiles } from '../kit/agents.ts'
import type { Ended } from '../kit/running.ts'

const ok = (out: string) => ({ code: 0, signal: null, out, err: '' })
const failed = (err: string, code = 1) => ({ code, signal: null, out: '', err })

test.serial('kv put, get and delete', async (t) => {
  t.timeout(60_000)
  const { run } = await user(t)
  t.deepEqual(await run('kv', 'put', 'app/greeting', 'hello'), ok('Success! Data written to: app/greeting\n'))
  t.deepEqual(await run('kv', 'get', 'app/greeting'), ok('hello\n'))
  t.deepEqual(await run('kv', 'get', '-recurse', 'app/'), ok('app/greeting:hello\n'))
  t.deepEqual(await run('kv', 'get', '--keys', ''), ok('app/\n'))
  t.regex((await run('kv', 'get', '-detailed', 'app/greeting')).out, /^CreateIndex {6}\d+\nFlags {12}0\nKey {14}app\/greeting\nLockIndex {8}0\nModifyIndex {6}\d+\nSession {10}-\nValue {12}hello\n$/) // biome-ignore format: one line
  t.deepEqual(
    await run('kv', 'put', '-cas', '-modify-index=1', 'app/greeting', 'x'),
    failed('Error! Did not write to app/greeting: CAS failed\n'),
  )
  t.deepEqual(await run('kv', 'delete', 'app/greeting'), ok('Success! Deleted key: app/greeting\n'))
  t.deepEqual(await run('kv', 'get', 'app/greeting'), failed('Error! No key exists at: app/greeting\n'))
})

test.serial('kv put reads a file and standard input, byte by byte', async (t) => {
  const { agent, run } = await user(t)
  const folder = temporaryDirectory(t)
  writeFiles(folder, { value: 'line 1\nline 2 ü\n' })
  t.is((await run('kv', 'put', 'file', `@${join(folder, 'value')}`)).code, 0)
  t.deepEqual(await run('kv', 'get', 'file'), ok('line 1\nline 2 ü\n\n'))
  const piped = await runTribune(t, ['kv', 'put', 'stdin', '-'], { CONSUL_HTTP_ADDR: agent.address }, { stdin: '\u0000\u0001' })
  t.is(piped.code, 0)
  t.is((await agent.http('GET', '/v1/kv/stdin?raw')).text, '\u0000\u0001')
})

test.serial('intention create, check, get, match, list and delete', async (t) => {
  t.timeout(60_000)
  const { run } = await user(t)
  t.deepEqual(await run('intention', 'create', '-allow', 'web', 'db'), ok('Created: web => db (allow)\n'))
  t.deepEqual(await run('intention', 'check', 'web', 'db'), ok('Allowed\n'))
  t.is((await run('intention', 'create', 'web', 'db')).code, 1)
  t.is((await run('intention', 'create', '-replace', '-deny', 'web', 'db')).code, 0)
  t.deepEqual(await run('intention', 'check', 'web', 'db'), { ...ok('Denied\n'), code: 1 })
  const err = 'Warning: * => db (deny) does not decide where a more precise one says the same already: web => db (deny)\n'
  t.deepEqual(await run('intention', 'create', '-deny', '*', 'db'), { ...ok('Created: * => db (deny)\n'), err })
  t.deepEqual(await run('intention', 'match', 'db'), ok('web => db (deny)\n* => db (deny)\n'))
  const list = await run('intention', 'list')
  const rows = list.out.trimEnd().split('\n').map((line) => line.trimEnd().split(/ {2,}/)) // biome-ignore format: one line
  t.deepEqual(rows[0], ['ID', 'Source', 'Action', 'Destination', 'Precedence'])
  t.deepEqual(rows.slice(1).map((row) => row.slice(1)), [['web', 'deny', 'db', '9'], ['*', 'deny', 'db', '8']]) // biome-ignore format: one line
  const id = rows[1]?.[0] ?? ''
  for (const args of [['web', 'db'], [id]]) {
    const { code, out } = await run('intention', 'get', ...args)
    t.is(code, 0)
    t.regex(out, new RegExp(`^Source: +web\\nDestination: +db\\nAction: +deny\\nID: +${id}\\nCreated At: +\\w+day, \\d\\d-\\w{3}-\\d\\d .* UTC\\n$`)) // biome-ignore format: one line
  }
  t.deepEqual(await run('intention', 'delete', 'web', 'db'), ok('Intention deleted.\n'))
  const gone = await run('intention', 'get', 'web', 'db')
  t.is(gone.code, 1)
  t.regex(gone.err, /Intention not found with source "web" and destination "db"/)
})

test.serial('members, info, catalog and actors', async (t) => {
  t.timeout(60_000)
  const { agent, run } = await user(t, { 'web.json': { service: { name: 'web', port: 80, tags: ['v1', 'v2'] }, node_name: 'n1' } })
  const members = tableOf(await run('members'))
  t.deepEqual(members[0], ['Node', 'Address', 'Status', 'Type', 'Build', 'Protocol', 'DC', 'Segment'])
  t.deepEqual(members[1], ['n1', `127.0.0.1:${agent.ports.serfLan}`, 'alive', 'server', '1.10.12', '2', 'dc1', '<all>'])
  t.is((await run('members', '-status=left')).code, 2)
  t.deepEqual(await run('catalog', 'datacenters'), ok('dc1\n'))
  t.deepEqual(tableOf(await run('catalog', 'nodes'))[1]?.filter((_, column) => column !== 1), ['n1', '127.0.0.1', 'dc1']) // biome-ignore format: one line
  t.deepEqual(await run('catalog', 'services'), ok('consul\nweb\n'))
  t.deepEqual(tableOf(await run('catalog', 'services', '-tags')), [['consul'], ['web', 'v1,v2']])
  t.deepEqual(tableOf(await run('catalog', 'nodes', '-service=web'))[1]?.[0], 'n1')
  t.deepEqual(await run('catalog', 'nodes', '-service=nope'), failed('No nodes match the given query - try expanding your search.\n', 0))
  const info = await run('info')
  t.is(info.code, 0)
  for (const section of ['agent', 'build', 'consul', 'runtime']) t.regex(info.out, new RegExp(`^${section}:\\n\t\\w+ = `, 'm'))
  const actors = await run('actors')
  t.is(actors.code, 0)
  for (const name of ['ledger', 'kv', 'local', 'intentions', 'proxies'])
    t.regex(actors.out, new RegExp(`^1 state +${name} .* \\d+/\\d+ `, 'm'))
  t.regex(actors.out.split('\n')[0] ?? '', /^Thread +Actor +Key +Mailbox +Messages +Busy +Restarts +Age$/)
})

test.serial('services register and deregister, by flags and by file', async (t) => {
  t.timeout(60_000)
  const { agent, run } = await user(t)
  t.deepEqual(await run('services', 'register', '-name=web', '-port=80', '-tag=a', '-meta=x=y'), ok('Registered service: web\n'))
  const folder = temporaryDirectory(t)
  writeFiles(folder, { 'api.hcl': 'service { name = "api" id = "api1" port = 81 }' })
  t.deepEqual(await run('services', 'register', join(folder, 'api.hcl')), ok('Registered service: api\n'))
  type Service = { Service: string; Port: number; Tags: string[]; Meta: Record<string, string> }
  const services = await agent.json<Record<string, Service>>('/v1/agent/services')
  t.deepEqual(
    Object.values(services).map(({ Service, Port, Tags, Meta }) => ({ Service, Port, Tags, Meta })),
    [
      { Service: 'api', Port: 81, Tags: [], Meta: {} },
      { Service: 'web', Port: 80, Tags: ['a'], Meta: { x: 'y' } },
    ],
  )
  t.deepEqual(await run('services', 'deregister', '-id=web'), ok('Deregistered service: web\n'))
  t.is((await run('services', 'deregister', join(folder, 'api.hcl'))).code, 0)
  t.deepEqual(await agent.json('/v1/agent/services'), {})
  const nothing = await run('services', 'register')
  t.is(nothing.code, 1)
  t.regex(nothing.err, /^Service registration requires at least one argument or flags\.\n\nUsage: /)
})

test.serial('validate says what agent would say', async (t) => {
  const folder = temporaryDirectory(t)
  writeFiles(folder, {
    'good.hcl': 'data_dir = "/tmp/x" server = true bootstrap = true bind_addr = "127.0.0.1"',
    'bad/bad.json': '{"foo": 1}',
  })
  t.deepEqual(await runTribune(t, ['validate', join(folder, 'good.hcl')]), ok('Configuration is valid!\n'))
  const { code, err } = await runTribune(t, ['validate', join(folder, 'bad')])
  t.is(code, 1)
  t.regex(err, /^Config validation failed: .*bad\.json.*invalid config key foo/s)
})

test.serial('as consul, through a link, from another folder', async (t) => {
  const agent = await startAgent(t)
  const folder = temporaryDirectory(t)
  mkdirSync(join(folder, 'bin'))
  symlinkSync(TRIBUNE, join(folder, 'bin', 'consul'))
  const program = join(folder, 'bin', 'consul')
  const run = (args: string[], env: Record<string, string> = {}) => runTribune(t, args, env, { program, cwd: folder })
  t.deepEqual(await run(['kv', 'put', 'k', 'v', '-http-addr=x']), failed(`Error! Too many arguments (expected 1 or 2, got 3)\n\n${(await run(['kv', 'put', '-h'])).out}`)) // biome-ignore format: one line
  t.deepEqual(await run(['kv', 'put', `-http-addr=${agent.address}`, 'k', 'v']), ok('Success! Data written to: k\n'))
  t.deepEqual(await run(['kv', 'get', 'k'], { CONSUL_HTTP_ADDR: `http://${agent.address}` }), ok('v\n'))
  t.deepEqual(await run(['kv', 'get', '-http-addr', agent.address, 'k'], { CONSUL_HTTP_ADDR: 'nowhere:1' }), ok('v\n'))
})

test.serial('without an agent a command says whom it could not reach', async (t) => {
  const agent = await startAgent(t)
  await agent.stop()
  t.deepEqual(
    await agent.tribune('kv', 'get', 'k'),
    failed(`Error querying Consul agent: Get "http://${agent.address}/v1/kv/k": dial tcp ${agent.address}: connect: connection refused\n`),
  )
  t.is((await agent.tribune('no-such-command')).code, 127)
})

test.serial('an agent is itself reached through a link, and its socket through unix://', async (t) => {
  const folder = temporaryDirectory(t)
  symlinkSync(TRIBUNE, join(folder, 'consul'))
  const socket = join(folder, 'http.sock')
  const agent = await startAgent(t, { program: join(folder, 'consul'), files: { 'a.json': { addresses: { http: `unix://${socket}` } } } })
  t.regex(agent.said(), /^==> Starting \w+ agent\.\.\.\n/)
  t.deepEqual(await runTribune(t, ['kv', 'put', `-http-addr=unix://${socket}`, 'k', 'v']), ok('Success! Data written to: k\n'))
})

/** Somebody in front of a terminal, with an agent of their own. */
async function user(t: ExecutionContext, files = {}): Promise<{ agent: Agent; run: Agent['tribune'] }> {
  const agent = await startAgent(t, { files })
  return { agent, run: agent.tribune }
}

/** The cells of a printed table. */
function tableOf({ out }: Ended): string[][] {
  return out
    .trimEnd()
    .split('\n')
    .map((line) => line.trimEnd().split(/ {2,}/))
}
