import { spawnSync } from 'node:child_process'
import type { ExecutionContext } from 'ava'
import { type Agent, type AgentPorts, type AgentSetup, agentPorts, beginAgent, startAgent, temporaryDirectory } from './agents.ts'
import { serveText } from './applications.ts'
import { type FreePorts, freePorts } from './free-ports.ts'
import { until } from './running.ts'

/** What is measured is a few seconds; a machine that has much else to do may take this long. */
export const LONG_MS = 90_000
const DISK_MB = 256

/** A disk of its own needs a system that allows one. */
export const canMount = spawnSync('unshare', ['-rm', 'sh', '-c', 'mount -t tmpfs none /mnt']).status === 0

/** Three servers that have found each other, and three clients: db with a sidecar on the first, web on the second, nothing on the third. */
export type Machines = {
  /** Those that may be asked at the moment, by name. */
  servers: Map<string, Agent>
  clients: Agent[]
  clientSetups: readonly AgentSetup[]
  /** The port at which web reaches db. */
  upstream: number
  setupOf(server: string): AgentSetup
  directoryOf(server: string): string
  /** Ends a server, which nobody asks from then on. */
  lose(server: string, signal: NodeJS.Signals): Promise<unknown>
  any(): Agent
}

/** `more`: configuration files of each client. There is a setup for one more server, s4; it has a small disk of its own where the system allows one. */
export async function startMachines(t: ExecutionContext, more: AgentSetup['files'] = {}): Promise<Machines> {
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
  const clientSetups: AgentSetup[] = await Promise.all(
    [db, web, {}].map(async (service, at) => {
      const args = [`-node=c${at + 1}`, `-data-dir=${temporaryDirectory(t)}`, ...shared]
      return { args, ports: agentPorts(await freePorts()), files: { 'service.json': service, ...more } }
    }),
  )
  const clients = await Promise.all(clientSetups.map((setup) => startAgent(t, setup)))
  const machines: Machines = {
    servers,
    clients,
    clientSetups,
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
export async function settled(machines: Machines): Promise<void> {
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

export async function voters(machines: Machines, names: readonly string[]): Promise<void> {
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

/** The name of a server that leads, or of one that does not. */
export async function nameOf(machines: Machines, wanted: (isLeader: boolean) => boolean): Promise<string> {
  const found = await until(
    'somebody leads',
    () => raft(machines),
    (servers) => servers.some(({ Leader }) => Leader),
    LONG_MS,
  )
  return found.find(({ Node, Leader }) => wanted(Leader) && machines.servers.has(Node))?.Node as string
}

export async function raft(machines: Machines) {
  type Configuration = { Servers: { Node: string; Leader: boolean; Voter: boolean }[] }
  return (await machines.any().json<Configuration>('/v1/operator/raft/configuration')).Servers
}

/** A shell line: the folder is a small disk of its own while what it runs is there. */
function onDisk(folder: string): string {
  return `exec unshare -rm sh -c 'mount -t tmpfs -o size=${DISK_MB}m none ${folder} && exec "$@"' sh "$@"`
}
