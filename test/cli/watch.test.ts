import { existsSync, readFileSync, watch as watchFolder } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { watchTypes } from '../../src/cli/watch-kinds.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'
import { type Answer, runCommand, type Seen, tryCommand } from './kit.ts'

const SELF = { 'GET /v1/agent/self': { json: {} } }

/** An agent that answers a path like this, at an index that grows with every answer. After the last one nothing changes. */
function agentWith(path: string, ...answers: readonly Answer[]) {
  let looks = 0
  const answer = (): Answer => {
    looks += 1
    return { ...answers[Math.min(looks, answers.length) - 1], headers: { 'X-Consul-Index': String(10 + Math.min(looks, answers.length)) } }
  }
  return { ...SELF, [`GET ${path}`]: answer }
}

const KEY = { LockIndex: 0, Key: 'a', Flags: 7, Value: 'PA==', CreateIndex: 2, ModifyIndex: 3 }
/** As clients of the reference show it. */
const SHOWN = { Key: 'a', CreateIndex: 2, ModifyIndex: 3, LockIndex: 0, Flags: 7, Value: 'PA==', Session: '' }

test('without a program, the value is printed once', async (t) => {
  const { code, out, err, seen } = await tryCommand(['watch', '-type=key', '-key=a'], agentWith('/v1/kv/a', { json: [KEY] }))
  t.deepEqual([code, err], [0, ''])
  t.is(out, `${JSON.stringify(SHOWN, undefined, 4)}\n`)
  t.deepEqual(seen, ['GET /v1/agent/self', 'GET /v1/kv/a'])
})

test('numbers of 64 bits stay what they are', async (t) => {
  const text = '[{"Key":"a","Flags":18446744073709551615}]'
  t.is((await tryCommand(['watch', '-type=keyprefix', '-prefix=a'], agentWith('/v1/kv/a', { text }))).out, '[\n    {\n        "Key": "a",\n        "Flags": 18446744073709551615,\n        "Session": ""\n    }\n]\n') // biome-ignore format: one line
})

const QUESTIONS: [args: string[], url: string][] = [
  [['-type=key', '-key=a/b'], '/v1/kv/a/b'],
  [['-type=keyprefix', '-prefix=a/'], '/v1/kv/a/?recurse='],
  [['-type=services'], '/v1/catalog/services'],
  [['-type=nodes', '-datacenter=dc2', '-stale'], '/v1/catalog/nodes?dc=dc2&stale='],
  [['-type=service', '-service=web', '-tag=a', '-tag=b', '-passingonly'], '/v1/health/service/web?passing=1&tag=a&tag=b'],
  [['-type=service', '-service=web', '-passingonly=false'], '/v1/health/service/web'],
  [['-type=checks'], '/v1/health/state/any'],
  [['-type=checks', '-state=critical'], '/v1/health/state/critical'],
  [['-type=checks', '-service=web'], '/v1/health/checks/web'],
  [['-type=event'], '/v1/event/list'],
  [['-type=event', '-name=deploy'], '/v1/event/list?name=deploy'],
]

for (const [args, url] of QUESTIONS) {
  test(`watch ${args.join(' ')} asks ${url}`, async (t) => {
    const { code, seen } = await tryCommand(['watch', ...args], agentWith(url.split('?')[0] ?? '', { json: [] }))
    t.deepEqual([code, seen.at(-1)], [0, `GET ${url}`])
  })
}

test('what is not there is null', async (t) => {
  const none = { status: 404 }
  t.is((await tryCommand(['watch', '-type=key', '-key=x'], agentWith('/v1/kv/x', none))).out, 'null\n')
  t.is((await tryCommand(['watch', '-type=keyprefix', '-prefix=x'], agentWith('/v1/kv/x', none))).out, 'null\n')
})

test('a program runs at each change, with the value on standard input, until it fails', async (t) => {
  const file = join(temporaryDirectory(t), 'seen')
  const same = { json: [KEY] }
  const agent = agentWith('/v1/kv/a', same, same, { status: 404 }, { json: [{ ...KEY, Flags: 8 }] })
  const child = `printf '%s ' "$CONSUL_INDEX" >> ${file}; cat >> ${file}; ! grep -q '"Flags":8' ${file} || exit 3`
  const { code, out, err, seen } = await tryCommand(['watch', '-type=key', '-key=a', child], agent)
  t.deepEqual([code, out, err], [1, '', 'Error executing handler: exit status 3\n'])
  t.is(readFileSync(file, 'utf8'), `11 ${JSON.stringify(SHOWN)}\n13 null\n14 ${JSON.stringify({ ...SHOWN, Flags: 8 })}\n`)
  t.deepEqual(seen.slice(1), ['GET /v1/kv/a', 'GET /v1/kv/a?index=11&wait=60s', 'GET /v1/kv/a?index=12&wait=60s', 'GET /v1/kv/a?index=13&wait=60s']) // biome-ignore format: one line
})

test('without a shell the arguments are the program and its own', async (t) => {
  const file = join(temporaryDirectory(t), 'a file')
  const { code } = await tryCommand(['watch', '-type=nodes', '-shell=false', '/bin/sh', '-c', 'cat > "$0"; exit 1', file], agentWith('/v1/catalog/nodes', { json: [] })) // biome-ignore format: one line
  t.is(code, 1)
  t.is(readFileSync(file, 'utf8'), '[]\n')
})

test('a program that does not read what it is given does no harm', async (t) => {
  const big = [{ ...KEY, Value: 'x'.repeat(1_000_000) }]
  t.like(await tryCommand(['watch', '-type=key', '-key=a', 'exit 4'], agentWith('/v1/kv/a', { json: big })), { code: 1, err: 'Error executing handler: exit status 4\n' }) // biome-ignore format: one line
})

test('of events a program gets those it has not had', async (t) => {
  const file = join(temporaryDirectory(t), 'seen')
  const events = ['a', 'b', 'c'].map((ID) => ({ ID, Name: 'deploy' }))
  const agent = agentWith('/v1/event/list', { json: events.slice(0, 1) }, { json: events.slice(0, 1) }, { json: events })
  const { code } = await tryCommand(['watch', '-type=event', `cat >> ${file}; ! grep -q '"c"' ${file}`], agent)
  t.is(code, 1)
  t.is(readFileSync(file, 'utf8'), `${JSON.stringify(events.slice(0, 1))}\n${JSON.stringify(events.slice(1))}\n`)
})

test('an index that goes back is not waited for', async (t) => {
  const indexes = ['9', '4', '5']
  const answer = ({ url }: Seen): Answer => ({ json: [url], headers: { 'X-Consul-Index': indexes.shift() ?? '5' } })
  const child = `! grep -q '/v1/catalog/nodes"'  || [ "$CONSUL_INDEX" = 9 ]`
  const { seen } = await tryCommand(['watch', '-type=nodes', child], { ...SELF, 'GET /v1/catalog/nodes': answer })
  t.deepEqual(seen.slice(1), ['GET /v1/catalog/nodes', 'GET /v1/catalog/nodes?index=9&wait=60s', 'GET /v1/catalog/nodes'])
})

test('a signal ends the program that runs, and the watch with 0', async (t) => {
  const stopping = new AbortController()
  const folder = temporaryDirectory(t)
  const started = watchFolder(folder, () => stopping.abort())
  const child = `touch ${folder}/started; sleep 60; touch ${folder}/late`
  const { code, err } = await tryCommand(['watch', '-type=nodes', child], agentWith('/v1/catalog/nodes', { json: [] }), { signal: stopping.signal }) // biome-ignore format: one line
  started.close()
  t.deepEqual([code, err], [0, ''])
  t.false(existsSync(join(folder, 'late')))
})

for (const [args, why] of [
  [['-type=foo'], 'Unsupported watch type: foo'],
  [['-type=connect_roots'], 'Type connect_roots is not supported in the CLI tool'],
  [['-type=connect_leaf', '-service=web'], 'Type connect_leaf is not supported in the CLI tool'],
  [['-type=agent_service'], 'Type agent_service is not supported in the CLI tool'],
  [['-type=key'], 'Must specify a single key to watch'],
  [['-type=keyprefix'], 'Must specify a single prefix to watch'],
  [['-type=service'], 'Must specify a single service to watch'],
  [['-type=checks', '-service=a', '-state=any'], 'Cannot specify service and state'],
  [['-type=nodes', '-key=x', '-tag=y'], 'Invalid parameters: [key tag]'],
] as const) {
  test(`watch ${args.join(' ')} is refused`, async (t) => {
    t.deepEqual(await runCommand(['watch', ...args]), { code: 1, out: '', err: `${why}\n` })
  })
}

test('a type must be given, and an agent must be there', async (t) => {
  t.regex((await runCommand(['watch'])).err, /^Watch type must be specified\n\nUsage:/)
  const { code, err } = await tryCommand(['watch', '-type=nodes'], { 'GET /v1/agent/self': { status: 500, text: 'no' } })
  t.deepEqual([code, err], [1, 'Error querying Consul agent: Unexpected response code: 500 (no)\n'])
})

test('the help names every type', async (t) => {
  const { out } = await runCommand(['watch', '-h'])
  for (const type of watchTypes) t.true(out.includes(`"${type}"`), type)
})
