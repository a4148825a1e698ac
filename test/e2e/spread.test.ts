import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Agent, type AgentPorts, agentPorts, runTribune, startAgent, temporaryDirectory } from '../kit/agents.ts'
import { freePorts } from '../kit/free-ports.ts'

type Event = { Name: string; Payload: string | null; LTime: number }

const AGAIN_MS = 200

async function until<Found>(look: () => Promise<Found | undefined>): Promise<Found> {
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
  }
}

function membersOf(agent: Agent, count: number, of: '' | '?wan=1' = ''): Promise<true> {
  return until(async () => {
    const found = await agent.json<{ Status: number }[]>(`/v1/agent/members${of}`)
    return found.filter(({ Status }) => Status === 1).length === count || undefined
  })
}

type Setup = { name: string; key: string; to?: AgentPorts; directory?: string; ports?: AgentPorts; files?: Record<string, object> }

async function startMember(t: ExecutionContext, { name, key, to, directory = temporaryDirectory(t), ports, files }: Setup): Promise<Agent> {
  const args = [
    ...['-server', '-bootstrap', `-node=${name}`, `-data-dir=${directory}`, '-bind=127.0.0.1', '-disable-host-node-id'],
    ...[...(key === '' ? [] : [`-encrypt=${key}`]), ...(to ? [`-retry-join=127.0.0.1:${to.serfLan}`] : [])],
  ]
  return startAgent(t, { args, ports: ports ?? agentPorts(await freePorts()), ...(files && { files }) })
}

async function newKey(t: ExecutionContext): Promise<string> {
  return (await runTribune(t, ['keygen'])).out.trim()
}

test('an event that is fired at one agent reaches all whom it is for, and whoever waits for it', async (t) => {
  t.timeout(110_000)
  const key = await newKey(t)
  const web = { 'web.json': { service: { name: 'web', tags: ['v2'] } } }
  const n1 = await startMember(t, { name: 'n1', key })
  const n2 = await startMember(t, { name: 'n2', key, to: n1.ports, files: web })
  const n3 = await startMember(t, { name: 'n3', key, to: n2.ports })
  for (const agent of [n1, n2, n3]) await membersOf(agent, 3)

  type Self = { Coord: { Vec: number[]; Error: number } }
  const moved = (agent: Agent) => agent.json<Self>('/v1/agent/self').then(({ Coord }) => Coord.Error < 1.5 || undefined)
  for (const agent of [n1, n2, n3]) t.true(await until(() => moved(agent)))

  const parked = n3.http('GET', '/v1/event/list?index=1&wait=60s')
  t.regex((await n1.tribune('event', '-name=deploy', 'v7')).out, /^Event ID: [0-9a-f-]{36}\n$/)
  t.like(JSON.parse((await parked).text), [{ Name: 'deploy', Payload: Buffer.from('v7').toString('base64'), LTime: 2 }])
  const names = (agent: Agent) => agent.json<Event[]>('/v1/event/list').then((events) => events.map(({ Name }) => Name).join())
  await n2.tribune('event', '-name=for-three', '-node=^n3$')
  await n3.tribune('event', '-name=for-web', '-service=web', '-tag=v2')
  await n1.tribune('event', '-name=last')
  const all: [Agent, string[]][] = [
    [n1, ['deploy', 'last']],
    [n2, ['deploy', 'for-web', 'last']],
    [n3, ['deploy', 'for-three', 'last']],
  ]
  for (const [agent, wanted] of all) {
    await until(async () => (await names(agent)).split(',').sort().join() === wanted.join() || undefined)
  }
  t.pass()
})

test('keys change without a stop: installed, used and removed everywhere, and kept', async (t) => {
  t.timeout(150_000)
  const [old, fresh] = [await newKey(t), await newKey(t)]
  const directory = temporaryDirectory(t)
  const n1 = await startMember(t, { name: 'n1', key: old })
  const n2 = await startMember(t, { name: 'n2', key: old, to: n1.ports })
  const n3 = await startMember(t, { name: 'n3', key: old, to: n1.ports, directory })
  for (const agent of [n1, n2, n3]) await membersOf(agent, 3)
  for (const agent of [n1, n2, n3]) await membersOf(agent, 3, '?wan=1')
  const list = (counts: [string, number][]) =>
    ['WAN', 'dc1 (LAN)'].map((pool) => `\n${pool}:\n${counts.map(([key, count]) => `  ${key} [${count}/3]\n`).join('')}`).join('')
  const shown = async (agent: Agent) => (await agent.tribune('keyring', '-list')).out
  const gathering = '==> Gathering installed encryption keys...\n'
  t.is(await shown(n1), gathering + list([[old, 3]]))
  t.like(await n1.tribune('keyring', `-use=${fresh}`), { code: 1 })
  t.like(await n1.tribune('keyring', `-install=${fresh}`), { code: 0, err: '' })
  t.is(await shown(n2), gathering + list([old, fresh].sort().map((key) => [key, 3])))
  t.like(await n3.tribune('keyring', `-use=${fresh}`, '-relay-factor=2'), { code: 0, err: '' })
  const primary = await n1.tribune('keyring', '-list-primary')
  t.is(primary.out, `==> Gathering installed primary encryption keys...\n${list([[fresh, 3]])}`)
  t.regex((await n1.tribune('keyring', `-remove=${fresh}`)).err, /n2: Removing the primary key is not allowed/)
  t.like(await n2.tribune('keyring', `-remove=${old}`), { code: 0, err: '' })
  t.is(await shown(n3), gathering + list([[fresh, 3]]))

  t.deepEqual(JSON.parse(readFileSync(join(directory, 'serf', 'local.keyring'), 'utf8')), [fresh])
  n3.signal('SIGKILL')
  const again = await startMember(t, { name: 'n3', key: old, directory, ports: n3.ports })
  await membersOf(again, 3)
  await membersOf(again, 3, '?wan=1')
  t.is(await shown(again), gathering + list([[fresh, 3]]))
  const alone = await startAgent(t)
  const { status, text } = await alone.http('GET', '/v1/operator/keyring')
  t.is(status, 500)
  t.regex(text, /^4 errors occurred:\n\t\* WAN error: 1\/1 nodes reported failure\n\t\* .*: Keyring is empty \(encryption not enabled\)\n/)
})

test("a server and its clients: commands run on each, round trips are measured, events are everybody's", async (t) => {
  t.timeout(150_000)
  const key = await newKey(t)
  const runs = { 'exec.json': { disable_remote_exec: false } }
  const s1 = await startMember(t, { name: 's1', key, files: runs })
  const clients: Agent[] = []
  for (const name of ['c1', 'c2']) {
    const args = [`-node=${name}`, `-data-dir=${temporaryDirectory(t)}`, '-bind=127.0.0.1', '-disable-host-node-id']
    const join = [`-encrypt=${key}`, `-retry-join=127.0.0.1:${s1.ports.serfLan}`, '-retry-interval=1s']
    clients.push(await startAgent(t, { args: [...args, ...join], files: runs }))
  }
  const [c1, c2] = clients as [Agent, Agent]
  await until(async () => ((await s1.json<object[]>('/v1/coordinate/nodes')).length === 3 ? true : undefined))
  t.regex((await c1.tribune('rtt', 's1', 'c2')).out, /^Estimated s1 <-> c2 rtt: [\d.]+ ms \(using LAN coordinates\)\n$/)
  t.is((await c1.json<{ Node: string }[]>('/v1/catalog/nodes?near=_agent'))[0]?.Node, 'c1')

  await c1.tribune('event', '-name=deploy')
  for (const agent of [s1, c1, c2]) await until(async () => (await agent.json<Event[]>('/v1/event/list'))[0]?.Name)

  await until(async () => ((await s1.json<object[]>('/v1/health/state/passing')).length === 3 ? true : undefined))
  // Nobody knows beforehand who will answer: whoever needs longer than this is not waited for.
  const { code, out, err } = await c2.tribune('exec', '-wait=8s', 'echo from $PWD')
  t.is(code, 0, out + err)
  for (const name of ['s1', 'c1', 'c2']) t.regex(out, new RegExp(`==> ${name}: finished with exit code 0`))
  t.regex(out, /3 \/ 3 node\(s\) completed \/ acknowledged/)

  t.is((await c1.http('GET', '/v1/operator/keyring')).status, 500)
  t.regex((await s1.tribune('keyring', '-list')).out, /WAN:\n {2}\S+ \[1\/1\]\n\ndc1 \(LAN\):\n {2}\S+ \[3\/3\]/)
})
