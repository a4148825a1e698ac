import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { placeOf } from '../../actors/membership/ring.ts'
import { startMember } from '../../bench/kit/real-members.ts'
import { type Agent, agentPorts, beginAgent, runTribune, startAgent, temporaryDirectory } from '../kit/agents.ts'
import { serveText } from '../kit/applications.ts'
import { freePorts } from '../kit/free-ports.ts'
import { until } from '../kit/running.ts'
import { startTraffic } from '../kit/traffic.ts'

type Member = { Name: string; Addr: string; Port: number; Status: number }
type Traced = { What: string; Member: string }

const LONG_MS = 90_000
const ALIVE = 1
const LIES = 40
const GARBAGE: readonly Buffer[] = [
  Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
  Buffer.from('16030102000100', 'hex'),
  Buffer.alloc(100_000, 0xff),
  Buffer.from('TRIBUNE1\x01', 'latin1'),
  randomBytes(5_000),
]

test('garbage on every port, strangers and liars: each is refused, and the cluster stays calm', async (t) => {
  t.timeout(300_000)
  const key = (await runTribune(t, ['keygen'])).out.trim()
  const { s1, c1, c2, upstream } = await startCluster(t, key)
  const agents = [s1, c1, c2]
  const traffic = startTraffic(t, upstream)

  for (const agent of agents) {
    const sidecar = await sidecarPort(agent)
    const { http, dns, server, serfLan, serfWan } = agent.ports
    const open = [http, dns, serfLan, ...(agent === s1 ? [server, serfWan] : []), ...(sidecar === undefined ? [] : [sidecar])]
    for (const port of open) for (const bytes of GARBAGE) await pour(port, bytes)
    for (const bytes of GARBAGE) await pourDatagram(dns, bytes.subarray(0, 1_400))
  }
  await s1.line(/A peer was refused: peer=127/)
  await calm(agents)

  const joining = [`-retry-join=127.0.0.1:${s1.ports.serfLan}`, '-retry-interval=1s', '-retry-max=1']
  for (const [name, more, why] of [
    ['c9', ['-datacenter=dc9', `-encrypt=${key}`], /part of wrong datacenter 'dc[19]', not 'dc[19]'/],
    ['c2', [`-encrypt=${key}`], /has the name of the one at 127\.0\.0\.1:\d+/],
    ['c8', [`-encrypt=${Buffer.alloc(32, 7).toString('base64')}`], /it has none of the keys of this agent/],
    ['c7', [], /no key|none of the keys|the connection ended|speaks no gossip/],
  ] as const) {
    const own = [`-node=${name}`, `-data-dir=${temporaryDirectory(t)}`, '-bind=127.0.0.1', '-disable-host-node-id', '-threads=0']
    const stranger = await beginAgent(t, { args: [...own, ...more, ...joining] })
    t.regex(await stranger.line(/max join retry exhausted/, { withinMs: LONG_MS }), why)
  }
  await calm(agents)

  const liar = await startMember('liar', [key])
  t.teardown(() => liar.close())
  await liar.join(s1.ports.serfLan)
  await until(
    'it is a member',
    () => membersOf(c1),
    (members) => members.some(({ Name }) => Name === 'liar'),
    LONG_MS,
  )
  await until(
    'it knows all',
    () => liar.members(),
    (members) => members.length === agents.length + 1,
    LONG_MS,
  )
  for (let lie = 0; lie < LIES; lie++) {
    for (const rumour of liesAbout(
      liar.members().find(({ name }) => name === 'c2'),
      lie,
    ))
      liar.claim(rumour)
    // Each of them is heard before the next one.
    await until(
      'they answer',
      () => Promise.all(agents.map(membersOf)),
      (views) => views.length === agents.length,
      LONG_MS,
    )
  }
  for (const agent of agents) {
    await until(
      'all see c2 as it is',
      () => membersOf(agent),
      (members) =>
        members.some(
          ({ Name, Addr, Port, Status }) => Name === 'c2' && Addr === '127.0.0.1' && Port === c2.ports.serfLan && Status === ALIVE,
        ),
      LONG_MS,
    )
    const trace = await agent.json<Traced[]>('/v1/tribune/gossip/trace?member=c2')
    t.deepEqual(
      trace.filter(({ What }) => What === 'failed' || What === 'left'),
      [],
      agent.address,
    )
  }
  await calm(agents)
  t.deepEqual((await traffic.end()).failed, [])
})

/** What a member may want others to believe of one that is well. */
function liesAbout(victim: ReturnType<Awaited<ReturnType<typeof startMember>>['members']>[number] | undefined, number: number): object[] {
  if (victim === undefined) return []
  const { name, incarnation, isSelf: _isSelf, statusLtime: ltime, ...rest } = victim
  const named = ['s1', 'c1', 'liar']
  const record = { ...rest, name, incarnation, ltime, place: placeOf(rest.id) }
  return [
    { is: 'failed', name, incarnation, by: 'liar', accusers: named },
    { is: 'failed', name, incarnation, by: 's1', accusers: named },
    { is: 'accused', name, incarnation, by: 'liar', number: number + 1, accusers: named, isLoud: true },
    { is: 'member', member: { ...record, status: 'failed' } },
    { is: 'member', member: { ...record, status: 'left' } },
    { is: 'member', member: { ...record, status: 'alive', address: '127.0.0.9', incarnation: incarnation + 1 } },
  ]
}

/** A server with an etcd of its own and two clients; web on the second reaches db on the first. */
async function startCluster(t: ExecutionContext, key: string) {
  const free = await freePorts()
  const [app, upstream] = [free.next(), free.next()]
  await serveText(t, app, 'hello from db')
  const ports = [agentPorts(await freePorts()), agentPorts(await freePorts()), agentPorts(await freePorts())] as const
  const upstreams = [{ destination_name: 'db', local_bind_port: upstream }]
  const start = async (name: string, at: number, args: string[], file: object) => {
    const own = [
      `-node=${name}`,
      `-data-dir=${temporaryDirectory(t)}`,
      '-bind=127.0.0.1',
      '-disable-host-node-id',
      '-threads=0',
      `-encrypt=${key}`,
    ]
    return startAgent(t, { args: [...args, ...own], ports: ports[at] as (typeof ports)[number], files: { 'a.json': file } })
  }
  const s1 = await start('s1', 0, ['-server', '-bootstrap', '-log=etcd'], { connect: { enabled: true } })
  const joining = [`-retry-join=127.0.0.1:${ports[0].serfLan}`, '-retry-interval=1s']
  const c1 = await start('c1', 1, joining, { service: { name: 'db', port: app, connect: { proxy: {} } } })
  const c2 = await start('c2', 2, joining, { service: { name: 'web', port: free.next(), connect: { proxy: { config: { upstreams } } } } })
  await until(
    'traffic flows',
    () => fetch(`http://127.0.0.1:${upstream}/`).then((answer) => answer.text()),
    (text) => text === 'hello from db',
    LONG_MS,
  )
  return { s1, c1, c2, upstream }
}

function membersOf(agent: Agent): Promise<Member[]> {
  return agent.json<Member[]>('/v1/agent/members')
}

/** Once all answer, and see each other; nothing has crashed. */
async function calm(agents: readonly Agent[]): Promise<void> {
  for (const agent of agents) {
    await until(
      'its own are alive',
      () => membersOf(agent),
      (members) => members.filter(({ Name, Status }) => /^[sc][12]$/.test(Name) && Status === ALIVE).length === agents.length,
      LONG_MS,
    )
    await until(
      'it answers',
      () => agent.http('PUT', '/v1/kv/calm', 'x'),
      ({ status }) => status === 200,
      LONG_MS,
    )
    const crash = agent
      .said()
      .split('\n')
      .find((line) => /crashed|cannot go on/.test(line))
    if (crash !== undefined) throw new Error(crash)
  }
}

async function sidecarPort(agent: Agent): Promise<number | undefined> {
  const services = await agent.json<Record<string, { Kind?: string; Port: number }>>('/v1/agent/services')
  return Object.values(services).find(({ Kind }) => Kind === 'connect-proxy')?.Port
}

/** Until the other side hangs up, or has taken all of it and says nothing. */
function pour(port: number, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.end(bytes))
    socket.on('error', () => undefined).on('close', () => resolve())
    socket.setTimeout(LONG_MS / 9, () => socket.destroy())
    socket.resume()
  })
}

function pourDatagram(port: number, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4')
    socket.send(bytes, port, '127.0.0.1', (error) => {
      socket.close()
      if (error) reject(error)
      else resolve()
    })
  })
}
