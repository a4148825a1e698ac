import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { connectEtcd } from '../../net/etcd/client.ts'
import { History } from '../../sim/history.ts'
import { checkHistory } from '../../sim/models/linearizable.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { type Agent, type AgentSetup, agentPorts, beginAgent, startAgent, temporaryDirectory } from '../kit/agents.ts'
import { type RunningEtcd, startEtcd } from '../kit/etcd.ts'
import { freePorts } from '../kit/free-ports.ts'
import { until } from '../kit/running.ts'

const CLIENTS = 6
const KEYS = ['a', 'b', 'c']
/** Between what is done to the servers. */
const OPERATIONS = 150
const NO_LEADER = 'No cluster leader'

test.serial('three servers over one etcd are one cluster: what one was told, all know; one of them leads', async (t) => {
  t.timeout(90_000)
  const etcd = await startEtcd(t)
  // One with several threads, as it is if nothing is said.
  const [threaded, ...others] = await Promise.all(['n1', 'n2', 'n3'].map((name) => server(t, name, etcd)))
  const setups = [{ ...threaded, args: (threaded?.args ?? []).filter((arg) => arg !== '-threads=0') }, ...others]
  const servers = await Promise.all(setups.map((setup) => startAgent(t, setup)))
  const [a, b, c] = servers as [Agent, Agent, Agent]
  t.like(await a.tribune('kv', 'put', 'one', 'first'), { code: 0, err: '' })
  for (const agent of servers) t.like(await agent.tribune('kv', 'get', 'one'), { code: 0, out: 'first\n', err: '' })

  const waiting = b.http('GET', '/v1/kv/one?index=1&wait=20s')
  const found = (await waiting).headers['x-consul-index']
  const changed = c.http('GET', `/v1/kv/one?index=${found}&wait=20s`)
  t.is((await a.http('PUT', '/v1/kv/one', 'second')).text, 'true')
  t.is((await changed).headers['x-consul-index'], (await b.http('GET', '/v1/kv/one')).headers['x-consul-index'])

  const peers = await until(
    'all servers are known',
    () => a.json<string[]>('/v1/status/peers'),
    (found) => found.length === 3,
  )
  t.deepEqual(peers, await c.json('/v1/status/peers'))
  const leader = await leaderOf(b)
  t.true(peers.includes(leader))
  for (const agent of servers) t.is(await leaderOf(agent), leader)
  t.is((await a.http('GET', '/v1/kv/one?stale')).headers['x-consul-knownleader'], 'true')
  const { out } = await c.tribune('operator', 'raft', 'list-peers')
  t.deepEqual(
    out
      .split('\n')
      .filter((line) => line.includes('leader'))
      .map((line) => line.includes(leader)),
    [true],
  )
  etcd.signal('SIGSTOP')
  t.like(await a.http('GET', '/v1/kv/one'), { status: 500, text: NO_LEADER })
  t.like(await a.http('GET', '/v1/kv/one?stale&raw'), { status: 200, text: 'second' })
  etcd.signal('SIGCONT')
  t.is(
    (
      await until(
        'etcd is back',
        () => a.http('PUT', '/v1/kv/one', 'third'),
        ({ status }) => status === 200,
      )
    ).text,
    'true',
  )
  t.is((await c.http('GET', '/v1/kv/one?raw')).text, 'third')
})

test.serial('a snapshot that is restored at one server is restored on all, and on one that was away', async (t) => {
  t.timeout(120_000)
  const etcd = await startEtcd(t)
  const setups = await Promise.all(['n1', 'n2', 'n3'].map((name) => server(t, name, etcd)))
  const [a, b, c] = (await Promise.all(setups.map((setup) => startAgent(t, setup)))) as [Agent, Agent, Agent]
  const valueAt = async (agent: Agent) => (await agent.http('GET', '/v1/kv/one?raw')).text
  const file = join(temporaryDirectory(t), 'saved.snap')
  await a.tribune('kv', 'put', 'one', 'first')
  await a.tribune('kv', 'put', 'large', 'x'.repeat(100_000))
  t.is((await b.tribune('snapshot', 'save', file)).code, 0)
  await a.tribune('kv', 'put', 'one', 'second')
  await a.tribune('kv', 'put', 'two', 'later')
  await leaderOf(a)
  const before = Number((await a.http('GET', '/v1/kv/two')).headers['x-consul-index'])
  const waiting = a.http('GET', `/v1/kv/two?index=${before}&wait=60s`)

  await c.stop('SIGKILL')
  t.like(await b.tribune('snapshot', 'restore', file), { code: 0, out: 'Restored snapshot\n' })
  t.deepEqual([await valueAt(a), await valueAt(b)], ['first', 'first'])
  t.is((await waiting).status, 404)
  for (const agent of [a, b]) t.true(Number((await agent.http('GET', '/v1/snapshot')).headers['x-consul-index']) > before)
  await leaderOf(b)
  t.is((await a.http('PUT', '/v1/kv/one', 'third')).text, 'true')
  t.is(await valueAt(b), 'third')
  const client = connectEtcd({ endpoints: [etcd.endpoint], files: {} })
  t.teardown(() => client.close())
  const forgotten = () =>
    until(
      'nothing of it is left in etcd',
      () => client.range({ key: 'tribune/dc1/pieces/', end: 'tribune/dc1/pieces0' }),
      (answer) => !isRefused(answer) && answer.found.length === 0,
    )
  await forgotten()
  // What it lacks is only in the tables of the others now.
  const again = await startAgent(t, setups[2] as AgentSetup)
  t.is(await valueAt(again), 'third')
  t.is((await again.http('GET', '/v1/kv/two')).status, 404)

  // The same once more, at another one.
  t.like(await again.tribune('snapshot', 'restore', file), { code: 0, err: '' })
  for (const agent of [a, b, again]) t.is(await valueAt(agent), 'first')
  t.like(await a.http('PUT', '/v1/snapshot', 'none'), { status: 500 })
  await forgotten()
  for (const { directory } of setups) t.deepEqual(readdirSync(join(directory, 'snapshots')), [])
})

test.serial(
  'servers are killed and started again while clients read and write on all of them: every history is linearizable',
  async (t) => {
    t.timeout(120_000)
    const etcd = await startEtcd(t)
    const setups = await Promise.all(['n1', 'n2', 'n3'].map((name) => server(t, name, etcd)))
    const servers = await Promise.all(setups.map((setup) => startAgent(t, setup)))
    const load = startLoad(servers)
    for (let round = 0; round < 3; round++) {
      await load.more(OPERATIONS)
      // A server that leads first, then any.
      const leader = await leaderOf(servers[round] as Agent)
      const at = round === 0 ? servers.findIndex(({ ports }) => leader.endsWith(`:${ports.server}`)) : round
      await (servers[at] as Agent).stop('SIGKILL')
      await load.more(OPERATIONS)
      servers[at] = await startAgent(t, setups[at] as AgentSetup)
    }
    await load.more(OPERATIONS)
    const history = await load.end()
    for (const [key, operations] of history.operations) {
      const { fault, gaveUp } = checkHistory(operations)
      t.deepEqual([key, fault, gaveUp], [key, undefined, false])
    }
    const last = await Promise.all(
      KEYS.map(async (key) => Promise.all(servers.map(async (agent) => (await agent.http('GET', `/v1/kv/${key}`)).text))),
    )
    for (const answers of last) t.deepEqual(new Set(answers).size, 1)
  },
)

test.serial('who lacks entries that etcd has forgotten gets the tables of another server: an old one and a new one', async (t) => {
  t.timeout(120_000)
  const etcd = await startEtcd(t)
  const client = connectEtcd({ endpoints: [etcd.endpoint], files: {} })
  t.teardown(() => client.close())
  const away = await server(t, 'n2', etcd)
  const value = 'x'.repeat(100_000)
  const first = await startAgent(t, await server(t, 'n1', etcd))
  await written(await startAgent(t, away))
  for (let number = 0; number < 20; number++) t.is((await first.http('PUT', `/v1/kv/many/${number}`, value)).text, 'true')
  const { revision } = (await client.range({ key: 'x' })) as { revision: number }
  t.deepEqual(await client.compact(revision), {})
  const others = await Promise.all([startAgent(t, away), startAgent(t, await server(t, 'n3', etcd))])
  for (const agent of others) {
    await agent.line(/The tables of another server were taken/)
    const keys = await until(
      'everything is there',
      () => agent.http('GET', '/v1/kv/many?keys'),
      ({ status }) => status === 200,
    )
    t.is((JSON.parse(keys.text) as string[]).length, 20)
    t.is((await agent.http('GET', '/v1/kv/many/7?raw')).text, value)
    t.is((await agent.http('PUT', '/v1/kv/after', 'x')).text, 'true')
  }
  const all = await Promise.all([first, ...others].map((agent) => agent.http('GET', '/v1/kv/?recurse')))
  t.deepEqual([new Set(all.map(({ text }) => text)).size, new Set(all.map(({ headers }) => headers['x-consul-index'])).size], [1, 1])
})

test.serial(
  'a data directory stays with its log: another kind of log is refused, and so is what etcd cannot be reached with',
  async (t) => {
    t.timeout(60_000)
    const etcd = await startEtcd(t)
    const setup = await server(t, 'n1', etcd)
    await written(await startAgent(t, setup))
    const [, directory = ''] = /-data-dir=(\S+)/.exec(setup.args?.join(' ') ?? '') ?? []
    const alone = { ...setup, args: ['-server', '-bootstrap', '-bind=127.0.0.1', `-data-dir=${directory}`] }
    t.is(
      (await (await beginAgent(t, alone)).ended).err.split('\n').at(-2),
      '==> the data directory is a copy of a log in etcd: start with log = "etcd", or with an empty data directory',
    )
    const own = { ...alone, args: [...alone.args.slice(0, 3), `-data-dir=${temporaryDirectory(t)}`] }
    await written(await startAgent(t, own))
    const shared = await beginAgent(t, { ...own, args: [...own.args, '-log=etcd', `-etcd-endpoints=${etcd.url}`] })
    t.is(
      (await shared.ended).err.split('\n').at(-2),
      '==> the data directory holds the state of a server that had a log of its own: servers that share theirs begin with an empty one, unless "tribune operator log migrate" has prepared it',
    )
    const missing = await beginAgent(t, { ...setup, args: [...(setup.args ?? []), '-etcd-ca-file=/nowhere'] })
    t.regex((await missing.ended).err, /==> etcd\.ca_file: ENOENT/)
  },
)

/** Ends an agent once it has state. */
async function written(agent: Agent): Promise<void> {
  await until(
    'a key is written',
    () => agent.http('PUT', '/v1/kv/a', 'x'),
    ({ status }) => status === 200,
  )
  await agent.stop()
}

async function server(t: ExecutionContext, name: string, { url }: RunningEtcd): Promise<AgentSetup & { directory: string }> {
  const directory = temporaryDirectory(t)
  const args = ['-server', '-bind=127.0.0.1', '-threads=0', `-node=${name}`, `-data-dir=${directory}`]
  return { args: [...args, '-log=etcd', `-etcd-endpoints=${url}`], ports: agentPorts(await freePorts()), directory }
}

function leaderOf(agent: Agent): Promise<string> {
  return until(
    'somebody leads',
    () => agent.json<string>('/v1/status/leader'),
    (leader) => leader !== '',
  )
}

/** Clients that read and write, each on any server, until they are told to end. */
function startLoad(servers: readonly Agent[]) {
  const history = new History()
  let answered = 0
  let isOver = false
  let values = 0
  let wake = (): void => undefined

  async function operate(client: string): Promise<void> {
    const key = KEYS[values % KEYS.length] as string
    const agent = servers[Math.floor(Math.random() * servers.length)] as Agent
    const isWrite = values++ % 2 === 0
    const value = isWrite ? `v${values}` : null
    const operation = history.begin(key, { client, do: isWrite ? 'put' : 'get', value, invokedMs: performance.now() })
    const path = isWrite ? `/v1/kv/${key}` : `/v1/kv/${key}?raw`
    const reply = await agent.http(isWrite ? 'PUT' : 'GET', path, value ?? undefined).catch(() => undefined)
    const isAnswer = reply?.status === 200 || (reply?.status === 404 && !isWrite)
    if (isAnswer) {
      operation.answeredMs = performance.now()
      operation.outcome = isWrite ? reply.text === 'true' : reply.status === 404 ? null : reply.text
      answered++
      wake()
    } else if (!isWrite || reply?.text === NO_LEADER) history.forget(key, operation)
  }

  const clients = Array.from({ length: CLIENTS }, async (_, number) => {
    while (!isOver) await operate(`c${number}`)
  })
  return {
    /** Waits until so many more operations were answered. */
    more(count: number): Promise<void> {
      const wanted = answered + count
      return new Promise((resolve) => {
        wake = () => {
          if (answered >= wanted) resolve()
        }
      })
    },
    async end(): Promise<History> {
      isOver = true
      await Promise.all(clients)
      return history
    },
  }
}
