import { existsSync, readFileSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import test from 'ava'
import { type Agent, type AgentSetup, startAgent, temporaryDirectory } from '../kit/agents.ts'
import { LONG_MS, type Machines, nameOf, settled, startMachines, voters } from '../kit/machines.ts'
import { until } from '../kit/running.ts'

type Gauges = { Gauges: { Name: string; Value: number }[] }
type Decision = { Source: string; Destination: string; Kind: string }

test('clients move from server to server as these die and leave: watches, blocking queries, commands and reasons go on', async (t) => {
  t.timeout(400_000)
  const out = join(temporaryDirectory(t), 'out')
  const watch = { type: 'key', key: 'watched', args: ['/bin/sh', '-c', `cat >> ${out}; echo >> ${out}`] }
  const machines = await startMachines(t, { 'watch.json': { watches: [watch] } })
  const { servers } = machines
  const [c1, c2, c3] = machines.clients as [Agent, Agent, Agent]
  const told = () => (existsSync(out) ? readFileSync(out, 'utf8').split('\n') : [])
  /** Written anywhere, each client's program is told of it. */
  const watched = async (value: string) => {
    await put(machines.any(), 'watched', value)
    const text = Buffer.from(value).toString('base64')
    await until(`${value} is told`, told, (lines) => lines.filter((line) => line.includes(`"Value":"${text}"`)).length === 3, LONG_MS)
  }
  await watched('first')

  await put(c1, 'awaited', 'x')
  const index = (await c1.http('GET', '/v1/kv/awaited')).headers['x-consul-index']
  const given = get(`http://${c1.address}/v1/kv/awaited?index=${index}&wait=5m`)
  given.on('error', () => undefined)
  const blocking = async () => {
    const all = await Promise.all([...servers.values()].map((server) => server.json<Gauges>('/v1/agent/metrics')))
    return all
      .flatMap(({ Gauges }) => Gauges.filter(({ Name }) => Name.endsWith('.rpc.queries_blocking')))
      .reduce((sum, { Value }) => sum + Value, 0)
  }
  const before = await until('a server holds it', blocking, (count) => count >= 4, LONG_MS)
  given.destroy()
  await until('the server hears that nobody waits any more', blocking, (count) => count === before - 1, LONG_MS)

  const used = usedBy(c3)
  const parked = c3.http('GET', `/v1/kv/awaited?index=${index}&wait=60s&raw`)
  await machines.lose(used, 'SIGKILL')
  await put(c3, 'after-a-death', 'x')
  await put(c3, 'awaited', 'y')
  t.is((await parked).text, 'y', 'a read whose server dies goes on at another one')
  await watched('second')
  servers.set(used, await startAgent(t, machines.setupOf(used)))
  await settled(machines)

  const left = usedBy(c3)
  const leaving = servers.get(left) as Agent
  servers.delete(left)
  t.is((await leaving.tribune('leave')).code, 0)
  await put(c3, 'after-a-leave', 'x')
  await watched('third')
  await voters(machines, [...servers.keys()])
  t.is((await leaving.ended).code, 0)
  servers.set(left, await startAgent(t, machines.setupOf(left)))
  await settled(machines)

  const removed = await nameOf(machines, (isLeader) => !isLeader)
  const gone = servers.get(removed) as Agent
  await machines.lose(removed, 'SIGKILL')
  const { id } = await peerOf(machines, removed)
  const command = await c1.tribune('operator', 'raft', 'remove-peer', `-id=${id}`)
  t.is(command.code, 0, command.out + command.err)
  await voters(machines, [...servers.keys()])
  t.is((await c1.tribune('operator', 'raft', 'remove-peer', `-id=${id}`)).code, 1)
  const again = await startAgent(t, { ...machines.setupOf(removed), ports: gone.ports })
  servers.set(removed, again)
  await settled(machines)

  const restored = await c1.http('PUT', '/v1/snapshot', 'no snapshot at all')
  t.like(restored, { status: 500, text: 'A snapshot is restored at a server, and this agent is a client' })

  t.is((await c1.tribune('intention', 'create', '-deny', 'web', 'db')).code, 0)
  await until(
    'web is refused by db',
    async () => {
      await fetch(`http://127.0.0.1:${machines.upstream}/`).catch(String)
      return c1.http('GET', '/v1/tribune/decisions').then(refusalsOf)
    },
    (count) => count > 0,
    LONG_MS,
  )
  for (const agent of [c1, c2, c3, machines.any()]) {
    const why = await agent.tribune('connect', 'why', 'web', 'db')
    t.is(why.code, 1)
    t.regex(why.out, /^web => db: intention: .*DENY\) decides/, agent.address)
  }

  await c3.stop('SIGKILL')
  await until(
    'it has failed',
    () => c1.tribune('members'),
    ({ out: text }) => /^c3 .*failed/m.test(text),
    LONG_MS,
  )
  t.is((await c1.tribune('force-leave', 'c3')).code, 0)
  await until(
    'it has left',
    () => c2.tribune('members'),
    ({ out: text }) => /^c3 .*left/m.test(text),
    LONG_MS,
  )
  await until(
    'it is no node any more',
    () => c1.json<{ Node: string }[]>('/v1/catalog/nodes'),
    (nodes) => nodes.every(({ Node }) => Node !== 'c3'),
    LONG_MS,
  )

  const setup = machines.clientSetups[2] as AgentSetup
  const back = await startAgent(t, { ...setup, args: (setup.args ?? []).filter((arg) => !arg.startsWith('-retry')), ports: c3.ports })
  await until(
    'it is a member again by what it remembers',
    () => c1.tribune('members'),
    ({ out: text }) => /^c3 .*alive/m.test(text),
    LONG_MS,
  )
  await until(
    'it is a node again',
    () => back.json<{ Node: string }[]>('/v1/catalog/nodes'),
    (nodes) => nodes.some(({ Node }) => Node === 'c3'),
    LONG_MS,
  )
  t.is((await back.tribune('leave')).code, 0)
  t.is((await back.ended).code, 0)
  const rejoining = [...(setup.args ?? []).filter((arg) => !arg.startsWith('-retry')), '-rejoin']
  await startAgent(t, { ...setup, args: rejoining, ports: c3.ports })
  await until(
    'one that has left goes back when told to',
    () => c1.tribune('members'),
    ({ out: text }) => /^c3 .*alive/m.test(text),
    LONG_MS,
  )
})

async function put(agent: Agent, key: string, value: string): Promise<void> {
  await until(
    `${key} is written`,
    () => agent.http('PUT', `/v1/kv/${key}`, value),
    ({ status }) => status === 200,
    LONG_MS,
  )
}

/** The name of the server that a client uses, from what it says of it. */
function usedBy(client: Agent): string {
  const line = client
    .said()
    .split('\n')
    .findLast((one) => one.includes('A server is used from now on'))
  return /server=(\w+)/.exec(line ?? '')?.[1] ?? ''
}

async function peerOf(machines: Machines, name: string): Promise<{ id: string }> {
  type Configuration = { Servers: { ID: string; Node: string }[] }
  const { Servers } = await machines.any().json<Configuration>('/v1/operator/raft/configuration')
  return { id: Servers.find(({ Node }) => Node === name)?.ID ?? '' }
}

function refusalsOf({ text }: { text: string }): number {
  return (JSON.parse(text) as Decision[]).filter(({ Source, Destination }) => Source === 'web' && Destination === 'db').length
}
