import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Agent, type AgentPorts, type AgentSetup, agentPorts, startAgent, temporaryDirectory } from '../kit/agents.ts'
import { freePorts } from '../kit/free-ports.ts'
import { until } from '../kit/running.ts'

const LONG_MS = 60_000

test.serial('three servers that expect each other come to one cluster; one is killed and comes back; one is replaced', async (t) => {
  t.timeout(240_000)
  const ports = await Promise.all([1, 2, 3, 4].map(async () => agentPorts(await freePorts())))
  const first = ports[0] as AgentPorts
  const setups = ['n1', 'n2', 'n3'].map((name, at) => server(t, name, ports[at] as AgentPorts, [...joining(first), '-bootstrap-expect=3']))
  const n1 = await startAgent(t, setups[0])
  t.like(await n1.http('GET', '/v1/kv/a'), { status: 500, text: 'No cluster leader' })
  const [n2, n3] = (await Promise.all(setups.slice(1).map((setup) => startAgent(t, setup)))) as [Agent, Agent]
  await voters(n1, ['n1', 'n2', 'n3'])
  await put(n1, 'one')
  for (const agent of [n1, n2, n3]) await got(agent, 'one')
  await until(
    'all are well',
    () => n2.http('GET', '/v1/operator/autopilot/health'),
    ({ status }) => status === 200,
    LONG_MS,
  )

  await n3.stop('SIGKILL')
  await put(n1, 'two')
  const again = await startAgent(t, setups[2])
  await got(again, 'two')

  await again.stop('SIGKILL')
  await until(
    'it is known to have failed',
    () => n1.tribune('members'),
    ({ out }) => /^n3 .*failed/m.test(out),
    LONG_MS,
  )
  const n4 = await startAgent(t, server(t, 'n4', ports[3] as AgentPorts, joining(first)))
  await voters(n1, ['n1', 'n2', 'n4'])
  await put(n1, 'three')
  await got(n4, 'three')
  await got(n4, 'one')

  t.is((await n4.tribune('leave')).code, 0)
  await voters(n1, ['n1', 'n2'])
  await put(n2, 'four')
})

test.serial('a server alone shares what it has with others, and nothing is lost', async (t) => {
  t.timeout(180_000)
  const ports = await Promise.all([1, 2, 3].map(async () => agentPorts(await freePorts())))
  const first = ports[0] as AgentPorts
  const alone = server(t, 'n1', first, ['-bootstrap'])
  const before = await startAgent(t, alone)
  await put(before, 'before')
  const { code } = await before.tribune('operator', 'log', 'migrate')
  t.is(code, 0)
  await put(before, 'between')
  await before.stop()
  const n1 = await startAgent(t, { ...alone, args: [...(alone.args ?? []).filter((arg) => arg !== '-bootstrap'), '-bootstrap-expect=3'] })
  await put(n1, 'after')
  const n2 = await startAgent(t, server(t, 'n2', ports[1] as AgentPorts, [...joining(first), '-bootstrap-expect=3']))
  for (const key of ['before', 'between', 'after']) await got(n2, key)
  await voters(n1, ['n1', 'n2'])
})

test.serial('when most servers are gone for good, what one of them knows is rescued into a new one', async (t) => {
  t.timeout(120_000)
  const ports = await Promise.all([1, 2, 3].map(async () => agentPorts(await freePorts())))
  const first = ports[0] as AgentPorts
  const both = ports.slice(0, 2).map((own, at) => server(t, `n${at + 1}`, own, [...joining(first), '-bootstrap-expect=2']))
  const [n1, n2] = (await Promise.all(both.map((setup) => startAgent(t, setup)))) as [Agent, Agent]
  await voters(n1, ['n1', 'n2'])
  await put(n2, 'kept')
  await got(n1, 'kept')
  await n2.stop('SIGKILL')
  const file = join(temporaryDirectory(t), 'rescue.snap')
  t.regex((await n1.tribune('snapshot', 'save', file)).err, /No cluster leader/)
  const saved = await n1.tribune('snapshot', 'save', '-stale', file)
  t.is(saved.code, 0, saved.err)
  await n1.stop()
  const alone = server(t, 'n3', ports[2] as AgentPorts, ['-bootstrap'])
  const fresh = await startAgent(t, alone)
  const restored = await fresh.tribune('snapshot', 'restore', file)
  t.is(restored.code, 0, restored.err)
  await got(fresh, 'kept')
  t.is((await fresh.tribune('operator', 'log', 'migrate')).code, 0)
  await fresh.stop()
  const founder = await startAgent(t, { ...alone, args: [...(alone.args ?? []), '-log=etcd'] })
  await got(founder, 'kept')
  await put(founder, 'more')
})

function server(t: ExecutionContext, name: string, ports: AgentPorts, more: string[]): AgentSetup {
  const own = ['-server', `-node=${name}`, '-bind=127.0.0.1', '-threads=0', `-data-dir=${temporaryDirectory(t)}`, '-disable-host-node-id']
  return { args: [...own, ...more], ports }
}

function joining({ serfLan }: AgentPorts): string[] {
  return [`-retry-join=127.0.0.1:${serfLan}`, '-retry-interval=1s']
}

/** Once these servers vote, and no others are there. */
async function voters(agent: Agent, names: string[]): Promise<void> {
  type Servers = { Servers: { Node: string; Voter: boolean }[] }
  await until(
    `${names} vote`,
    async () => (await agent.json<Servers>('/v1/operator/raft/configuration')).Servers.map(({ Node, Voter }) => `${Node} ${Voter}`).sort(),
    (found) => found.join() === names.map((name) => `${name} true`).join(),
    LONG_MS,
  )
}

async function put(agent: Agent, key: string): Promise<void> {
  await until(
    `${key} is written`,
    () => agent.http('PUT', `/v1/kv/${key}`, key),
    ({ status }) => status === 200,
    LONG_MS,
  )
}

async function got(agent: Agent, key: string): Promise<void> {
  await until(
    `${key} is there`,
    () => agent.http('GET', `/v1/kv/${key}?raw`),
    ({ status, text }) => status === 200 && text === key,
    LONG_MS,
  )
}
