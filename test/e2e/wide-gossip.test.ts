import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Agent, type AgentPorts, agentPorts, beginAgent, runTribune, startAgent, temporaryDirectory } from '../kit/agents.ts'
import { freePorts } from '../kit/free-ports.ts'

type Member = { Name: string; Status: number; Tags: Record<string, string> }
const AGAIN_MS = 200
const NAMES = ['none', 'alive', 'leaving', 'left', 'failed']

async function until<Found>(look: () => Promise<Found | undefined>): Promise<Found> {
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
  }
}

/** `a1.dc1 alive`, … once the servers of all datacenters are as wanted. */
function wide(agent: Agent, ...wanted: string[]): Promise<true> {
  return until(async () => {
    const found = await agent.json<Member[]>('/v1/agent/members?wan=1')
    const shown = found.map(({ Name, Status }) => `${Name} ${NAMES[Status]}`).sort()
    return shown.join() === wanted.join() || undefined
  })
}

type Setup = { name: string; datacenter: string; key: string; directory: string }

function flags({ name, datacenter, key, directory }: Setup, ...more: string[]): string[] {
  return [
    ...[`-node=${name}`, `-datacenter=${datacenter}`, `-data-dir=${directory}`, '-bind=127.0.0.1', '-disable-host-node-id'],
    ...[`-encrypt=${key}`, ...more],
  ]
}

const SERVER = ['-server', '-bootstrap', '-retry-interval=1s', '-retry-interval-wan=1s']
const lan = ({ serfLan }: AgentPorts) => `-retry-join=127.0.0.1:${serfLan}`
const wan = ({ serfWan }: AgentPorts) => `-retry-join-wan=127.0.0.1:${serfWan}`

async function newKey(t: ExecutionContext): Promise<string> {
  return (await runTribune(t, ['keygen'])).out.trim()
}

test('servers of two datacenters know each other, and how each of them is; strangers hear why not', async (t) => {
  t.timeout(170_000)
  const [key, fresh] = [await newKey(t), await newKey(t)]
  const ports = async () => agentPorts(await freePorts())
  const [one, two, three, four, five] = [await ports(), await ports(), await ports(), await ports(), await ports()]
  const of = (name: string, datacenter: string) => ({ name, datacenter, key, directory: temporaryDirectory(t) })
  const [east, west] = [of('a1', 'dc1'), of('b1', 'dc2')]
  const a1 = await startAgent(t, { args: flags(east, ...SERVER), ports: one })
  const a2 = await startAgent(t, { args: flags(of('a2', 'dc1'), ...SERVER, lan(one)), ports: two })
  const b1 = await startAgent(t, { args: flags(west, ...SERVER, wan(one)), ports: three })
  const c1 = await startAgent(t, { args: flags(of('c1', 'dc1'), lan(one)), ports: four })
  // Nobody has told a2 of b1, nor of the pool of all.
  for (const agent of [a1, a2, b1]) await wide(agent, 'a1.dc1 alive', 'a2.dc1 alive', 'b1.dc2 alive')

  const shown = await b1.tribune('members', '-wan')
  t.is(shown.code, 0)
  for (const [name, dc] of [
    ['a1', 'dc1'],
    ['b1', 'dc2'],
  ]) {
    t.regex(shown.out, new RegExp(`^${name}\\.${dc} +127\\.0\\.0\\.1:\\d+ +alive +server +1\\.10\\.12 +2 +${dc} +<all>$`, 'm'))
  }
  const [first] = await b1.json<Member[]>('/v1/agent/members?wan=1')
  t.like(first, { Name: 'a1.dc1', Tags: { role: 'consul', dc: 'dc1', port: String(one.server) } })
  t.false('wan_join_port' in (first?.Tags ?? {}))
  t.regex((await a1.tribune('info')).out, /serf_wan:\n\tencrypted = true\n(\t.*\n)*\tmembers = 3\n/)
  t.like(await c1.tribune('members', '-wan'), { code: 2, out: '' })
  t.like(await c1.http('PUT', `/v1/agent/join/127.0.0.1:${three.serfWan}?wan=1`), {
    status: 500,
    text: 'Must be a server to join WAN cluster',
  })
  t.like(await a2.tribune('join', '-wan', `127.0.0.1:${three.serfWan}`), { code: 0 })
  t.regex((await a1.tribune('force-leave', 'b1.dc2')).err, /agent: No node found with name 'b1\.dc2'/)
  t.regex((await b1.tribune('gossip', 'watch', '-once', '-wan')).out, /^b1\.dc2: 3 alive; /)

  const keys = (await b1.tribune('keyring', '-list')).out
  const pools = [`WAN:\n  ${key} [3/3]`, `dc2 (LAN):\n  ${key} [1/1]`, `dc1 (LAN):\n  ${key} [3/3]`]
  t.is(keys, `==> Gathering installed encryption keys...\n\n${pools.join('\n\n')}\n`)
  t.like(await a1.tribune('keyring', `-install=${fresh}`), { code: 0 })
  for (const pool of ['remote', 'local']) {
    t.deepEqual(JSON.parse(readFileSync(join(west.directory, 'serf', `${pool}.keyring`), 'utf8')), [key, fresh])
  }
  t.true(existsSync(join(west.directory, 'gossip', 'wan-peer.key')))

  const stranger = { ...of('x1', 'dc3'), key: Buffer.alloc(32, 1).toString('base64') }
  const refused = await beginAgent(t, { args: flags(stranger, ...SERVER, '-retry-max-wan=1', wan(one)), ports: five })
  t.regex(await refused.line(/max join retry exhausted/), /it has none of the keys of this agent/)
  const mistaken = await a2.tribune('join', '-wan', `127.0.0.1:${one.serfLan}`)
  t.is(mistaken.code, 1)
  t.regex(mistaken.err, /speaks to (servers of all datacenters|agents of one datacenter), and this port is for/)

  const twice = await beginAgent(t, { args: flags(of('b1', 'dc2'), ...SERVER, '-retry-max-wan=1', wan(one)), ports: await ports() })
  t.regex(await twice.line(/max join retry exhausted/), /has the name of the one at/)

  const rtt = await until(async () => {
    const { code, out } = await a1.tribune('rtt', '-wan', 'a1.dc1', 'b1.dc2')
    return code === 0 ? out : undefined
  })
  t.regex(rtt, /^Estimated a1\.dc1 <-> b1\.dc2 rtt: [\d.]+ ms \(using WAN coordinates\)\n$/)

  t.is((await a2.tribune('leave')).code, 0)
  for (const agent of [a1, b1]) await wide(agent, 'a1.dc1 alive', 'a2.dc1 left', 'b1.dc2 alive')
  b1.signal('SIGKILL')
  await wide(a1, 'a1.dc1 alive', 'a2.dc1 left', 'b1.dc2 failed')
  const again = await startAgent(t, { args: flags(west, ...SERVER), ports: three })
  for (const agent of [a1, again]) await wide(agent, 'a1.dc1 alive', 'a2.dc1 left', 'b1.dc2 alive')
})
