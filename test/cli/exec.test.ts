import test from 'ava'
import { type Answer, runCommand, type Seen, tryCommand } from './kit.ts'

const ID = '11111111-2222-3333-4444-555555555555'
const FOLDER = `_rexec/${ID}`
const QUICK = ['-wait=50ms', '-wait-repl=1ms']
/** For runs that hear of nodes: as long as a slow machine may need for one answer. */
const PATIENT = ['-wait=1s', '-wait-repl=1ms']

/** An agent on which nodes write these keys and values, once the event is fired. */
function agentWith(...replies: [key: string, value: string][]) {
  let written = 0
  let isFired = false
  const entry = ([key, value]: [string, string]) => ({ Key: `${FOLDER}/${key}`, Flags: 0, Value: Buffer.from(value).toString('base64') })
  return {
    'GET /v1/agent/self': { json: {} },
    'PUT /v1/session/create': { json: { ID } },
    [`PUT /v1/session/destroy/${ID}`]: { json: true },
    [`PUT /v1/session/renew/${ID}`]: { json: [] },
    [`PUT /v1/kv/${FOLDER}/job`]: { json: true },
    [`DELETE /v1/kv/${FOLDER}/`]: { json: true },
    'PUT /v1/event/fire/_rexec': (): Answer => {
      isFired = true
      return { json: { ID: 'e-1' } }
    },
    [`GET /v1/kv/${FOLDER}/`]: (): Answer => {
      if (isFired) written = replies.length
      return { json: [entry(['job', '{}']), ...replies.slice(0, written).map(entry)], headers: { 'X-Consul-Index': String(10 + written) } }
    },
  }
}

/** In the order of keys, an exit code is before the output. */
const DONE: [string, string][] = [
  ['s1/ack', ''],
  ['s1/exit', '0'],
  ['s1/out/00000', 'hi\n'],
  ['cl1/ack', ''],
  ['cl1/out/00000', 'hi\n'],
  ['cl1/exit', '0'],
]

test('in another datacenter the session is bound to a server there', async (t) => {
  const there = {
    ...agentWith(...DONE),
    'GET /v1/agent/self': { json: { Config: { NodeName: 'n1', Datacenter: 'dc1' } } },
    'GET /v1/health/service/consul': { json: [{ Node: { Node: 'd1' } }] },
  }
  const { code, requests } = await tryCommand(['exec', ...PATIENT, '-datacenter=dc2', 'x'], there)
  t.is(code, 0)
  const created = requests.find(({ url }) => url.startsWith('/v1/session/create'))
  t.is(created?.url, '/v1/session/create?dc=dc2')
  const bound = { Name: 'Remote Exec via n1@dc1', Node: 'd1', Checks: [], Behavior: 'delete', TTL: '15s' }
  t.deepEqual(JSON.parse(created?.body ?? ''), bound)
  const none = { ...there, 'GET /v1/health/service/consul': { json: [] } }
  t.like(await tryCommand(['exec', ...QUICK, '-datacenter=dc2', 'x'], none), {
    code: 1,
    err: 'Failed to create session: Failed to find Consul server in remote datacenter\n',
  })
})

test('a command runs on every node that takes part, and all is tidied up', async (t) => {
  const { code, out, err, requests } = await tryCommand(['exec', ...PATIENT, '-node=s', '-service=web', '-tag=v1', 'echo', 'hi'], agentWith(...DONE)) // biome-ignore format: one line
  t.deepEqual([code, err], [0, ''])
  t.is(
    out,
    `    s1: hi
    s1:
==> s1: finished with exit code 0
    cl1: hi
    cl1:
==> cl1: finished with exit code 0
2 / 2 node(s) completed / acknowledged
`,
  )
  const sent = (start: string) => requests.filter(({ method, url }) => `${method} ${url}`.startsWith(start))
  t.deepEqual(JSON.parse(sent('PUT /v1/session/create')[0]?.body ?? ''), { Name: 'Remote Exec', Behavior: 'delete', TTL: '15s' })
  t.is(sent(`PUT /v1/kv/${FOLDER}/job`)[0]?.url, `/v1/kv/${FOLDER}/job?acquire=${ID}`)
  t.deepEqual(JSON.parse(sent(`PUT /v1/kv/${FOLDER}/job`)[0]?.body ?? ''), { Command: 'echo hi', Wait: 1_000_000_000 })
  t.is(sent('PUT /v1/event')[0]?.url, '/v1/event/fire/_rexec?node=s&service=web&tag=v1')
  t.deepEqual(JSON.parse(sent('PUT /v1/event')[0]?.body ?? ''), { Prefix: '_rexec', Session: ID })
  t.deepEqual(requests.slice(-2).map(({ method, url }) => `${method} ${url}`), [`DELETE /v1/kv/${FOLDER}/?recurse=`, `PUT /v1/session/destroy/${ID}`]) // biome-ignore format: one line
})

test('pieces of output are numbered in hexadecimal', async (t) => {
  const { out } = await tryCommand(['exec', ...PATIENT, 'x'], agentWith(['s1/ack', ''], ['s1/exit', '0'], ['s1/out/00009', 'a'], ['s1/out/0000a', 'b'])) // biome-ignore format: one line
  t.is(out, '    s1: a\n    s1: b\n==> s1: finished with exit code 0\n1 / 1 node(s) completed / acknowledged\n')
})

test('where nobody takes part, nobody is counted', async (t) => {
  t.like(await tryCommand(['exec', ...QUICK, 'uptime'], agentWith()), { code: 0, out: '0 / 0 node(s) completed / acknowledged\n', err: '' })
})

test('a failure on a node, and a node that does not finish, make 2', async (t) => {
  const failed = await tryCommand(['exec', ...PATIENT, 'false'], agentWith(['s1/ack', ''], ['s1/exit', '3']))
  t.like(failed, { code: 2, out: '==> s1: finished with exit code 3\n1 / 1 node(s) completed / acknowledged\n' })
  const open = await tryCommand(['exec', ...PATIENT, 'sleep 9'], agentWith(['s1/ack', '']))
  t.like(open, { code: 2, out: '0 / 1 node(s) completed / acknowledged\n' })
})

test('-verbose says what is being done', async (t) => {
  const { out } = await tryCommand(['exec', ...PATIENT, '-verbose', 'x'], agentWith(['s1/ack', ''], ['s1/out/00000', ''], ['s1/exit', '0']))
  t.regex(
    out,
    new RegExp(`^Created remote execution session: ${ID}
Uploaded remote execution spec
Fired remote execution event: e-1
==> s1: acknowledged
==> s1: heartbeat received
==> s1: finished with exit code 0
1 / 1 node\\(s\\) completed / acknowledged
Completed in \\d+\\.\\d\\d seconds
$`),
  )
})

test('a script comes from standard input, arguments without a shell stay apart, and the prefix can be another', async (t) => {
  const bodyOf = (requests: readonly Seen[]) => JSON.parse(requests.find(({ url }) => url.includes('/job'))?.body ?? '')
  const script = await tryCommand(['exec', ...QUICK, '-'], agentWith(), { stdin: '#!/bin/sh\nuptime\n' })
  t.deepEqual(bodyOf(script.requests), { Script: Buffer.from('#!/bin/sh\nuptime\n').toString('base64'), Wait: 50_000_000 })
  const plain = await tryCommand(['exec', ...QUICK, '-shell=false', 'echo', 'a b'], agentWith())
  t.deepEqual(bodyOf(plain.requests), { Args: ['echo', 'a b'], Wait: 50_000_000 })
  const other = await tryCommand(['exec', ...QUICK, '-prefix=mine/', 'x'], {
    ...agentWith(),
    [`PUT /v1/kv/mine/${ID}/job`]: { json: false },
  })
  t.like(other, { code: 1, err: 'Failed to create job spec: could not acquire the key of the job\n' })
  t.is(other.seen.at(-1), `PUT /v1/session/destroy/${ID}`)
})

for (const [args, why] of [
  [[], 'Must specify a command to execute'],
  [['-tag=x', 'y'], 'Cannot provide tag filter without service filter.'],
  [['-shell=false', '-'], 'Cannot configure -shell=false when reading from stdin'],
] as const) {
  test(`exec ${args.join(' ')} makes no sense`, async (t) => {
    const { code, err } = await runCommand(['exec', ...args])
    t.is(code, 1)
    t.true(err.startsWith(`${why}\n\nUsage:`), err)
  })
}
