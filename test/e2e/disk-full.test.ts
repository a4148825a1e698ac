import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { type Agent, agentPorts, beginAgent, startAgent, temporaryDirectory } from '../kit/agents.ts'
import { freePorts } from '../kit/free-ports.ts'

const VALUE_BYTES = 100_000
const WRITES_MAX = 200

/** Ways to have a disk that is soon full, as shell lines that run `"$@"`. A disk of its own needs a system that allows one. */
const canMount = spawnSync('unshare', ['-rm', 'sh', '-c', 'mount -t tmpfs none /mnt']).status === 0
const disks = [
  { name: 'a limit of 4 MB a file', wrapped: () => 'ulimit -S -f 8192; exec "$@"' },
  ...(canMount
    ? [
        {
          name: 'a disk of 6 MB',
          wrapped: (directory: string) => `exec unshare -rm sh -c 'mount -t tmpfs -o size=6m none ${directory} && exec "$@"' sh "$@"`,
        },
      ]
    : []),
]

for (const { name, wrapped } of disks) {
  test.serial(`${name}: writes are refused clearly, reads go on, and what is deleted makes room`, async (t) => {
    t.timeout(60_000)
    const directory = join(temporaryDirectory(t), 'data')
    mkdirSync(directory)
    const agent = await startAgent(t, { args: serverIn(directory), wrapped: wrapped(directory) })
    t.is((await register(agent, 'before')).status, 200)
    const count = await writeUntilFull(agent)
    t.true(count > 5)

    const refused = await put(agent, 'more')
    t.is(refused.status, 429)
    t.regex(refused.text, new RegExp(`disk full: no room in ${directory}`))
    await agent.line(/\[ERROR\] ledger: Changes are refused: error="disk full: no room in /)
    const command = await agent.tribune('kv', 'put', 'more', 'x'.repeat(VALUE_BYTES))
    t.is(command.code, 1)
    t.regex(command.err, /^Error! Failed writing data: Unexpected response code: 429 \(.*disk full: no room in /)
    t.deepEqual(await keys(agent), numbered(count))
    t.is((await agent.http('GET', `/v1/kv/0?raw`)).text.length, VALUE_BYTES)
    t.is((await agent.json<object[]>('/v1/catalog/nodes')).length, 1)
    t.true('before' in (await agent.json<object>('/v1/agent/services')))

    for (const key of numbered(count)) t.is((await agent.http('DELETE', `/v1/kv/${key}`)).status, 200)
    t.is((await put(agent, 'after')).status, 200)
    t.deepEqual(await keys(agent), ['after'])
    t.is((await agent.stop()).code, 1)
  })
}

for (const kib of canMount ? [4, 8, 16, 32, 64, 128, 256, 512] : []) {
  test.serial(`a disk of ${kib} KiB is too small for a new data directory: one clear error, also at the second try`, async (t) => {
    t.timeout(60_000)
    const folder = temporaryDirectory(t)
    const directory = join(folder, 'data')
    const twice = `"$@"; echo "ended with $?"; exec "$@"`
    const wrapped = `exec unshare -rm sh -c 'mount -t tmpfs -o size=${kib}k none ${folder} && ${twice}' sh "$@"`
    const { code, out, err } = await (await beginAgent(t, { args: serverIn(directory), wrapped })).ended
    t.is(code, 1, out)
    t.regex(out, /^ended with 1$/m)
    t.regex(err, new RegExp(`^(==> data directory ${directory}(/local)? is on a full disk\\n){2}$`))
    t.notRegex(out, /\[ERROR\]|Log data/)
  })
}

test.serial('what was acknowledged before the disk was full is there after kill -9, and writes go on when there is room', async (t) => {
  t.timeout(60_000)
  const directory = join(temporaryDirectory(t), 'data')
  const setup = { args: serverIn(directory), ports: agentPorts(await freePorts()) }
  const first = await startAgent(t, { ...setup, wrapped: 'ulimit -S -f 8192; exec "$@"' })
  const count = await writeUntilFull(first)
  t.is((await put(first, 'more')).status, 429)
  execFileSync('prlimit', ['--pid', String(first.pid), '--fsize=unlimited'])
  t.is((await put(first, 'more')).status, 200)
  await first.stop('SIGKILL')
  const second = await startAgent(t, setup)
  t.deepEqual(await keys(second), [...numbered(count), 'more'])
  t.is((await put(second, 'again')).status, 200)
})

function serverIn(directory: string): string[] {
  return ['-server', '-bootstrap', '-bind=127.0.0.1', '-data-dir', directory]
}

function put(agent: Agent, key: string) {
  return agent.http('PUT', `/v1/kv/${key}`, 'x'.repeat(VALUE_BYTES))
}

function register(agent: Agent, name: string) {
  return agent.http('PUT', '/v1/agent/service/register', { Name: name, Port: 80 })
}

/** How many keys, from `0` on, were written. */
async function writeUntilFull(agent: Agent): Promise<number> {
  for (let n = 0; n < WRITES_MAX; n++) if ((await put(agent, String(n))).status !== 200) return n
  throw new Error(`the disk is not full after ${(VALUE_BYTES * WRITES_MAX) / 1e6} MB`)
}

async function keys(agent: Agent): Promise<string[]> {
  return agent.json<string[]>('/v1/kv/?keys')
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, n) => String(n)).sort()
}
