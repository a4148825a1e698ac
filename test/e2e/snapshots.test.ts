import { readdirSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Agent, type AgentSetup, agentPorts, startAgent, temporaryDirectory } from '../kit/agents.ts'
import { freePorts } from '../kit/free-ports.ts'

const KEYS = 12_800
const KEYS_PER_TRANSACTION = 64
/** The agent is killed once so many writes were answered while it restores. */
const KILLED_AFTER_WRITES = [1, 12, 40]

test.serial('kill -9 during a restore leaves the state before or the one that was saved, and a restore after it is whole', async (t) => {
  t.timeout(120_000)
  const setup = await server(t)
  const file = join(temporaryDirectory(t), 'a.snap')
  const first = await startAgent(t, setup)
  await fill(first)
  const saved = await first.tribune('snapshot', 'save', file)
  t.regex(saved.out, /^Saved and verified snapshot to index \d+\n$/)
  await first.http('DELETE', '/v1/kv/saved/?recurse')
  await first.http('PUT', '/v1/kv/world', 'second')
  await first.stop('SIGKILL')

  const bytes = readFileSync(file)
  const acknowledged: string[] = []
  let index = 0
  let killedBefore = 0
  for (const writes of KILLED_AFTER_WRITES) {
    const agent = await startAgent(t, setup)
    const restored = put(agent, '/v1/snapshot', bytes)
    for (let n = 0; n < writes; n++) {
      const key = `during/${writes}/${n}`
      const reply = await put(agent, `/v1/kv/${key}`, Buffer.from('x'))
      if (reply === 200) acknowledged.push(key)
    }
    agent.signal('SIGKILL')
    const status = await restored
    await agent.ended

    const again = await startAgent(t, setup)
    const { names, last } = await state(again)
    const isSaved = names.filter((name) => name.startsWith('saved/')).length === KEYS
    if (!isSaved) {
      killedBefore++
      t.not(status, 200)
      t.deepEqual(names.toSorted(), ['world', ...acknowledged].toSorted())
    } else {
      t.false(names.includes('world'))
      acknowledged.length = 0
      await again.http('DELETE', '/v1/kv/?recurse')
      await again.http('PUT', '/v1/kv/world', 'second')
    }
    t.true(last >= index)
    index = last
    t.deepEqual(readdirSync(join(directoryOf(setup), 'snapshots')), [])
    await again.stop('SIGKILL')
  }
  t.true(killedBefore > 0)

  const last = await startAgent(t, setup)
  const restored = await last.tribune('snapshot', 'restore', file)
  t.is(restored.out, 'Restored snapshot\n')
  const after = await state(last)
  t.is(after.names.length, KEYS)
  t.true(after.last > index)
  t.is((await last.http('PUT', '/v1/kv/later', 'x')).text, 'true')
  await last.stop('SIGKILL')
  t.is((await state(await startAgent(t, setup))).names.length, KEYS + 1)
})

test.serial('a restore answers all who wait, and leaves what is registered with the agent', async (t) => {
  t.timeout(60_000)
  const agent = await startAgent(t)
  const file = join(temporaryDirectory(t), 'a.snap')
  await agent.http('PUT', '/v1/kv/a', 'before')
  await agent.http('PUT', '/v1/agent/service/register', { Name: 'early', Port: 1 })
  t.is((await agent.tribune('snapshot', 'save', file)).code, 0)
  await agent.http('PUT', '/v1/kv/a', 'after')
  await agent.http('PUT', '/v1/agent/service/register', { Name: 'late', Port: 2 })
  const { headers } = await agent.http('GET', '/v1/kv/a')
  const waiting = [
    agent.http('GET', `/v1/kv/a?wait=5m&index=${headers['x-consul-index']}`),
    agent.http('GET', '/v1/kv/never?wait=5m&index=1000000'),
    agent.http('GET', '/v1/catalog/nodes?wait=5m&index=1000000'),
  ]
  t.is((await agent.tribune('snapshot', 'restore', file)).code, 0)
  const [a, never, nodes] = await Promise.all(waiting)
  t.is((JSON.parse(a?.text ?? '') as { Value: string }[])[0]?.Value, Buffer.from('before').toString('base64'))
  t.deepEqual([never?.status, nodes?.status], [404, 200])
  const late = await agent.http('GET', '/v1/health/service/late?wait=20s&index=1')
  t.is((JSON.parse(late.text) as unknown[]).length, 1)
})

async function server(t: ExecutionContext): Promise<AgentSetup & { args: string[] }> {
  const directory = join(temporaryDirectory(t), 'data')
  return { ports: agentPorts(await freePorts()), args: ['-server', '-bootstrap', '-bind=127.0.0.1', '-data-dir', directory] }
}

function directoryOf({ args }: { args: string[] }): string {
  return args.at(-1) ?? ''
}

async function fill(agent: Agent): Promise<void> {
  for (let from = 0; from < KEYS; from += KEYS_PER_TRANSACTION) {
    const operations = Array.from({ length: KEYS_PER_TRANSACTION }, (_, n) => ({
      KV: { Verb: 'set', Key: `saved/${from + n}`, Value: Buffer.from(`value ${from + n}`).toString('base64') },
    }))
    const { status, text } = await agent.http('PUT', '/v1/txn', operations)
    if (status !== 200) throw new Error(`PUT /v1/txn: ${status} ${text}`)
  }
}

async function state(agent: Agent): Promise<{ names: string[]; last: number }> {
  await agent.http('PUT', '/v1/kv/probe', 'x')
  await agent.http('DELETE', '/v1/kv/probe')
  const { text, headers } = await agent.http('GET', '/v1/kv/?keys')
  return { names: JSON.parse(text) as string[], last: Number(headers['x-consul-index']) }
}

/** The status of the answer; nothing if none comes. */
function put(agent: Agent, path: string, body: Buffer): Promise<number | undefined> {
  return new Promise((resolve) => {
    const asking = request(`http://${agent.address}${path}`, { method: 'PUT', agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode))
      response.on('error', () => resolve(undefined))
    })
    asking.on('error', () => resolve(undefined))
    asking.end(body)
  })
}
