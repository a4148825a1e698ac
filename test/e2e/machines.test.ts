import { spawnSync } from 'node:child_process'
import { rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Agent, type AgentPorts, type AgentSetup, agentPorts, beginAgent, startAgent, temporaryDirectory } from '../kit/agents.ts'
import { openStream, serveText } from '../kit/applications.ts'
import { type FreePorts, freePorts } from '../kit/free-ports.ts'
import { faultsOf, type Load, readAll, startLoad } from '../kit/load.ts'
import { processTree } from '../kit/process-tree.ts'
import { until } from '../kit/running.ts'
import { startTraffic } from '../kit/traffic.ts'

const LOAD = { clients: 4, keys: 4, paceMs: 15 }
/** After each fault, so that there is something to judge. */
const OPERATIONS = 100
/** What is measured is a few seconds; a machine that has much else to do may take this long. */
const LONG_MS = 90_000
const DISK_MB = 256
const LARGE = 'x'.repeat(100_000)

/** A disk of its own needs a system that allows one. */
const canMount = spawnSync('unshare', ['-rm', 'sh', '-c', 'mount -t tmpfs none /mnt']).status === 0

test('three servers and three clients lose one machine after the other: nothing that was said is untrue, and traffic never stops', async (t) => {
  t.timeout(400_000)
  const machines = await startMachines(t)
  const { servers, upstream } = machines
  const load = startLoad({ ...LOAD, agents: () => [...servers.values(), ...machines.clients] })
  const traffic = startTraffic(upstream)
  const stream = await openStream(`http://127.0.0.1:${upstream}/stream`)
  await load.more(OPERATIONS)

  /** Does something to the cluster, and measures until another server leads and a write was answered. */
  const during = async (name: string, fault: () => Promise<unknown>) => {
    load.turnTo(name.replaceAll(' ', '-'))
    load.longestPauseMs()
    const began = performance.now()
    await fault()
    await ledBy(machines, load)
    const ledMs = performance.now() - began
    await load.more(OPERATIONS)
    t.log(`${name}: led again after ${seconds(ledMs)}, no write answered for at most ${seconds(load.longestPauseMs())}`)
  }
  const back = async (name: string) => {
    servers.set(name, await startAgent(t, machines.setupOf(name)))
    await load.more(OPERATIONS)
  }

  const follower = await nameOf(machines, (isLeader) => !isLeader)
  await during('kill a server', () => machines.lose(follower, 'SIGKILL'))
  await back(follower)
  await settled(machines)

  const leader = await nameOf(machines, (isLeader) => isLeader)
  await during('kill the leader', () => machines.lose(leader, 'SIGKILL'))
  await back(leader)
  await settled(machines)

  const cutOff = await nameOf(machines, (isLeader) => isLeader)
  const frozen = servers.get(cutOff) as Agent
  const tree = processTree(frozen.pid)
  t.teardown(() => {
    for (const pid of tree) resume(pid)
  })
  await during('cut the leader off', async () => {
    servers.delete(cutOff)
    for (const pid of tree) process.kill(pid, 'SIGSTOP')
  })
  for (const pid of tree) resume(pid)
  servers.set(cutOff, frozen)
  await load.more(OPERATIONS)
  await settled(machines)

  const names = [...servers.keys()]
  await Promise.all(names.map((name) => machines.lose(name, 'SIGTERM')))
  await until('there is traffic without any server', () => traffic.answered(), more(traffic.answered(), 50))
  await during('start all servers again', async () => {
    await Promise.all(names.map(async (name) => servers.set(name, await startAgent(t, machines.setupOf(name)))))
  })
  await settled(machines)

  const gone = names[1] as string
  await during('replace a server', async () => {
    await machines.lose(gone, 'SIGKILL')
    await until(
      'it is known to have failed',
      () => machines.any().tribune('members'),
      ({ out }) => new RegExp(`^${gone} .*failed`, 'm').test(out),
      LONG_MS,
    )
    servers.set('s4', await startAgent(t, machines.setupOf('s4')))
    await voters(machines, [...servers.keys()])
  })

  const full = servers.get('s4') as Agent
  if (canMount) {
    const filler = join(`/proc/${full.pid}/root`, machines.directoryOf('s4'), 'filler')
    await during('fill a disk', async () => {
      servers.delete('s4')
      fill(filler)
      for (let number = 0; number < 20; number++) await machines.any().http('PUT', `/v1/kv/large/${number}`, LARGE)
      await full.line(/etcd ended and is started again/, { withinMs: LONG_MS })
    })
    rmSync(filler)
    await until(
      'it has what the others wrote meanwhile',
      () => full.http('GET', '/v1/kv/large/19?raw'),
      ({ text }) => text === LARGE,
      LONG_MS,
    )
    servers.set('s4', full)
    await load.more(OPERATIONS)
  } else t.log('no disk was filled: this system does not let a test mount one')

  const history = await load.end()
  const { slowestMs, failed, requests } = await traffic.end()
  t.true(stream.isOpen(), 'a connection through both sidecars stays open from the beginning to the end')
  stream.end()
  t.deepEqual(failed, [])
  await readAll(history, [...servers.values(), ...machines.clients])
  t.deepEqual(faultsOf(history), [])
  t.log(`${load.answered()} reads and writes, ${requests} requests through sidecars, the slowest took ${seconds(slowestMs)}`)
})

type Machines = {
  /** Those that may be asked at the moment, by name. */
  servers: Map<string, Agent>
  clients: readonly Agent[]
  /** The port at which web reaches db. */
  upstream: number
  setupOf(server: string): AgentSetup
  directoryOf(server: string): string
  /** Ends a server, which nobody asks from then on. */
  lose(server: string, signal: NodeJS.Signals): Promise<unknown>
  any(): Agent
}

async function startMachines(t: ExecutionContext): Promise<Machines> {
  const names = ['s1', 's2', 's3', 's4']
  const disks = new Map(names.map((name) => [name, temporaryDirectory(t)]))
  const directoryOf = (name: string) => disks.get(name) as string
  const setups = new Map<string, AgentSetup>()
  const ports = await Promise.all(names.map(async () => agentPorts(await freePorts())))
  const join = ports.slice(0, 3).map(({ serfLan }) => `-retry-join=127.0.0.1:${serfLan}`)
  const shared = ['-bind=127.0.0.1', '-disable-host-node-id', '-threads=0', '-retry-interval=1s', ...join]
  const files = { 'connect.json': { connect: { enabled: true } } }
  for (const [at, name] of names.entries()) {
    const args = ['-server', '-bootstrap-expect=3', `-node=${name}`, `-data-dir=${directoryOf(name)}`, ...shared]
    setups.set(name, {
      args,
      files,
      ports: ports[at] as AgentPorts,
      ...(name === 's4' && canMount && { wrapped: onDisk(directoryOf(name)) }),
    })
  }
  const setupOf = (name: string) => setups.get(name) as AgentSetup
  const servers = new Map(await Promise.all(names.slice(0, 3).map(async (name) => [name, await beginAgent(t, setupOf(name))] as const)))
  const free = await freePorts()
  const { upstream, db, web } = await services(t, free)
  const clients = await Promise.all(
    [db, web, {}].map(async (service, at) => {
      const args = [`-node=c${at + 1}`, `-data-dir=${temporaryDirectory(t)}`, ...shared]
      return startAgent(t, { args, ports: agentPorts(await freePorts()), files: { 'service.json': service } })
    }),
  )
  const machines: Machines = {
    servers,
    clients,
    upstream,
    setupOf,
    directoryOf,
    lose(name, signal) {
      const agent = servers.get(name) as Agent
      servers.delete(name)
      return agent.stop(signal)
    },
    any: () => [...servers.values()][0] as Agent,
  }
  await settled(machines)
  const url = `http://127.0.0.1:${upstream}/`
  await until(
    'traffic flows',
    () => fetch(url).then((answer) => answer.text()),
    (text) => text === 'hello from db',
    LONG_MS,
  )
  return machines
}

async function services(t: ExecutionContext, free: FreePorts) {
  const [app, upstream] = [free.next(), free.next()]
  await serveText(t, app, 'hello from db')
  const upstreams = [{ destination_name: 'db', local_bind_port: upstream }]
  const db = { service: { name: 'db', port: app, connect: { proxy: {} } } }
  const web = { service: { name: 'web', port: free.next(), connect: { proxy: { config: { upstreams } } } } }
  return { upstream, db, web }
}

/** Once all that are there vote, and one of them leads. */
async function settled(machines: Machines): Promise<void> {
  await voters(machines, [...machines.servers.keys()])
  for (const agent of [...machines.servers.values(), ...machines.clients]) {
    await until(
      `${agent.address} answers`,
      () => agent.http('GET', '/v1/kv/?keys'),
      ({ status }) => status === 200 || status === 404,
      LONG_MS,
    )
  }
}

async function voters(machines: Machines, names: readonly string[]): Promise<void> {
  await until(
    `${names} vote`,
    async () => (await raft(machines)).map(({ Node, Voter }) => `${Node} ${Voter}`).sort(),
    (found) =>
      found.join() ===
      [...names]
        .sort()
        .map((name) => `${name} true`)
        .join(),
    LONG_MS,
  )
}

/** Once a server that is there leads, and one more write was answered. */
async function ledBy(machines: Machines, load: Load): Promise<void> {
  const living = () => [...machines.servers.values()].map(({ ports }) => `127.0.0.1:${ports.server}`)
  await until(
    'one of them leads',
    () => machines.any().json<string>('/v1/status/leader'),
    (leader) => living().includes(leader),
    LONG_MS,
  )
  await load.more(1)
}

/** The name of a server that leads, or of one that does not. */
async function nameOf(machines: Machines, wanted: (isLeader: boolean) => boolean): Promise<string> {
  const found = await until(
    'somebody leads',
    () => raft(machines),
    (servers) => servers.some(({ Leader }) => Leader),
    LONG_MS,
  )
  return found.find(({ Node, Leader }) => wanted(Leader) && machines.servers.has(Node))?.Node as string
}

async function raft(machines: Machines) {
  type Configuration = { Servers: { Node: string; Leader: boolean; Voter: boolean }[] }
  return (await machines.any().json<Configuration>('/v1/operator/raft/configuration')).Servers
}

/** A process that ended meanwhile needs none. */
function resume(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** A shell line: the folder is a small disk of its own while what it runs is there. */
function onDisk(folder: string): string {
  return `exec unshare -rm sh -c 'mount -t tmpfs -o size=${DISK_MB}m none ${folder} && exec "$@"' sh "$@"`
}

/** Takes all the room of the disk that a file is on. */
function fill(file: string): void {
  writeFileSync(file, '')
  const { bavail, bsize } = statfsSync(file)
  try {
    writeFileSync(file, Buffer.alloc(bavail * bsize))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}

function more(than: number, by: number): (found: number) => boolean {
  return (found) => found >= than + by
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`
}
