import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Agent, type AgentSetup, agentPorts, beginAgent, startAgent, temporaryDirectory } from '../kit/agents.ts'
import { freePorts } from '../kit/free-ports.ts'
import { until } from '../kit/running.ts'

const SERVER = ['-server', '-bootstrap', '-bind=127.0.0.1']
const WRITERS = 8
const ROUNDS = 3
const WRITES_PER_ROUND_MIN = 250
const READ_EVERY = 8

test.serial('kill -9 under write load loses no acknowledged write, and the index does not go back', async (t) => {
  t.timeout(90_000)
  const setup = await server(t)
  const acknowledged = new Map<string, string>()
  let seenIndex = 0
  for (let round = 0; round < ROUNDS; round++) {
    const agent = await startAgent(t, setup)
    await checkAll(t, agent, acknowledged, seenIndex)
    const before = acknowledged.size
    const writers = Array.from({ length: WRITERS }, (_, writer) =>
      writeUntilGone(agent, `round-${round}/writer-${writer}`, (key, value) => {
        acknowledged.set(key, value)
        if (acknowledged.size === before + WRITES_PER_ROUND_MIN) agent.signal('SIGKILL')
      }),
    )
    seenIndex = Math.max(seenIndex, ...(await Promise.all(writers)))
    t.is((await agent.ended).signal, 'SIGKILL')
    t.true(acknowledged.size >= before + WRITES_PER_ROUND_MIN)
  }
  await checkAll(t, await startAgent(t, setup), acknowledged, seenIndex)
})

test.serial('registrations, ports of managed proxies, the trust domain and intentions survive kill -9', async (t) => {
  t.timeout(60_000)
  const free = await freePorts()
  const setup = await server(t, {
    ports: agentPorts(free),
    files: {
      'web.json': { service: { name: 'web', port: free.next(), connect: { proxy: {} } } },
      'connect.json': { connect: { enabled: true, proxy: { allow_managed_api_registration: true } } },
    },
  })
  const first = await startAgent(t, setup)
  await proxyPort(first, 'web')
  const body = { Name: 'api', Port: free.next(), Tags: ['v1'], Connect: { Proxy: {} }, Check: { TTL: '10m', Status: 'passing' } }
  t.is((await first.http('PUT', '/v1/agent/service/register', body)).status, 200)
  t.is((await first.http('PUT', '/v1/agent/check/register', { Name: 'memory', TTL: '10m' })).status, 200)
  t.is((await first.http('PUT', '/v1/connect/intentions/exact?source=web&destination=api', { Action: 'deny' })).status, 200)
  const before = await stateOf(first)
  await first.stop('SIGKILL')

  const second = await startAgent(t, {
    ...setup,
    files: { ...setup.files, 'a.json': { service: { name: 'a', port: free.next(), connect: { proxy: {} } } } },
  })
  t.deepEqual(await stateOf(second), before)
  t.false(before.proxyPorts.includes(await proxyPort(second, 'a')))
})

test.serial('a data directory in use is refused: the error names the directory and the process', async (t) => {
  const setup = await server(t)
  const first = await startAgent(t, setup)
  const second = await beginAgent(t, { ...setup, ports: agentPorts(await freePorts()) })
  const { code, err } = await second.ended
  t.is(code, 1)
  t.is(err, `==> data directory ${directoryOf(setup)} is in use by process ${first.pid}\n`)
  await first.stop('SIGKILL')
  const third = await startAgent(t, setup)
  t.is((await third.http('GET', '/v1/status/leader')).status, 200)
})

test.serial('a data directory of another format, or that is none, is refused and left as it was', async (t) => {
  const setup = await server(t)
  const directory = directoryOf(setup)
  await (await startAgent(t, setup)).stop()
  writeFileSync(join(directory, 'format'), '99\n')
  const names = readdirSync(directory)
  const { code, err } = await (await beginAgent(t, setup)).ended
  t.is(code, 1)
  t.is(err, `==> data directory ${directory} has format 99, this program reads format 1\n`)
  t.deepEqual(readdirSync(directory), names)

  const file = join(directory, 'format')
  const onFile = await (await beginAgent(t, { ...setup, args: [...SERVER, '-data-dir', file] })).ended
  t.is(onFile.code, 1)
  t.is(onFile.err, `==> data directory ${file} is not a directory\n`)
})

async function server(t: ExecutionContext, setup: AgentSetup = {}): Promise<AgentSetup & { args: string[] }> {
  const directory = join(temporaryDirectory(t), 'data')
  return { ports: agentPorts(await freePorts()), ...setup, args: [...SERVER, '-data-dir', directory] }
}

function directoryOf({ args }: { args: string[] }): string {
  return args.at(-1) ?? ''
}

/** Writes one key after the other until the agent does not answer any more. Answers the highest index that it was told. */
async function writeUntilGone(agent: Agent, prefix: string, acknowledge: (key: string, value: string) => void): Promise<number> {
  for (let n = 0, index = 0; ; n++) {
    const [key, value] = [`${prefix}/${n}`, `value ${n} of ${prefix}`]
    const reply = await agent.http('PUT', `/v1/kv/${key}`, value).catch(() => undefined)
    if (reply === undefined) return index
    if (reply.text !== 'true') throw new Error(`PUT ${key}: ${reply.status} ${reply.text}`)
    acknowledge(key, value)
    const read = n % READ_EVERY === 0 ? await agent.http('GET', `/v1/kv/${key}`).catch(() => undefined) : undefined
    index = Math.max(index, Number(read?.headers['x-consul-index'] ?? 0))
  }
}

async function checkAll(t: ExecutionContext, agent: Agent, acknowledged: Map<string, string>, seenIndex: number): Promise<void> {
  if (acknowledged.size === 0) return
  const reply = await agent.http('GET', '/v1/kv/?recurse')
  const pairs = JSON.parse(reply.text) as { Key: string; Value: string }[]
  const found = new Map(pairs.map(({ Key, Value }) => [Key, Buffer.from(Value, 'base64').toString()]))
  t.deepEqual(
    [...acknowledged].filter(([key, value]) => found.get(key) !== value),
    [],
  )
  t.true(Number(reply.headers['x-consul-index']) >= seenIndex, `index ${reply.headers['x-consul-index']} after ${seenIndex}`)
}

type Service = { Service: string; Port: number; Tags: string[]; Kind?: string }

async function stateOf(agent: Agent) {
  const proxyPorts = [await proxyPort(agent, 'web'), await proxyPort(agent, 'api')]
  const { api } = await agent.json<Record<string, Service>>('/v1/agent/services')
  const checks = await agent.json<Record<string, { Name: string }>>('/v1/agent/checks')
  const { TrustDomain, ActiveRootID } = await agent.json<{ TrustDomain: string; ActiveRootID: string }>('/v1/connect/ca/roots')
  const intentions = await agent.json<object[]>('/v1/connect/intentions')
  return { proxyPorts, api, memory: checks['memory']?.Name, TrustDomain, ActiveRootID, intentions, nodeId: await nodeId(agent) }
}

async function nodeId(agent: Agent): Promise<string> {
  return (await agent.json<{ Config: { NodeID: string } }>('/v1/agent/self')).Config.NodeID
}

/** The port of a service's sidecar once it has one. */
async function proxyPort(agent: Agent, service: string): Promise<number> {
  const services = await until(
    `the sidecar of ${service} has its port`,
    () => agent.json<Record<string, Service>>('/v1/agent/services'),
    (all) => (all[`${service}-proxy`]?.Port ?? 0) > 0,
  )
  return services[`${service}-proxy`]?.Port ?? 0
}
