import {
  askingPeer,
  askingServer,
  NO_PATH,
  NO_SERVERS,
  readDatacenterPeer,
  readFarPeer,
  serverPeer,
  serverRole,
} from '../../src/kernel/far.ts'
import { Host } from '../../src/kernel/host.ts'
import type { HostOptions } from '../../src/kernel/host-options.ts'
import type { AnyActor } from '../../src/kernel/instance.ts'
import type { Devices, Ports, Random } from '../../src/kernel/ports.ts'
import type { View } from '../../src/kernel/tables.ts'
import { gone } from '../../src/kernel/wire.ts'
import { type Layout, placeFar, placer } from '../../src/placement.ts'
import { ManualClock } from './hosts.ts'

const NO_TABLES: View = { get: () => undefined, range: () => [] }
const ROLES = ['state', 'edge'] as const
/** What dialling a server of another datacenter says that is not there. */
const REFUSED = '127.0.0.1:8302: connect ECONNREFUSED 127.0.0.1:8302'
const ONE_THREAD: Layout = [['main', 'state', 'edge', 'mesh', 'gossip']]

/** One agent, on one thread. */
export type LinkedNode = {
  node: string
  /** Default: `dc1`. */
  datacenter?: string
  /** A client asks the server that it uses for what only servers have. */
  server: boolean
  actors: readonly unknown[]
  devices?: Partial<Devices>
  /** Default: empty. */
  tables?: Ports['tables']
  /** Default: that of agents. */
  place?: HostOptions['place']
  far?: HostOptions['far']
}

export type LinkedHosts = {
  clock: ManualClock
  fatal: string[]
  printed: string[]
  /** The present life of an agent. */
  host(node: string): Host
  /** Which server a client uses from now on; none if undefined. What was asked of the one before is refused with `gone`. */
  use(client: string, server: string | undefined): void
  /** Everything between two agents is lost, and cannot be had again until `join`. */
  cut(a: string, b: string): void
  join(a: string, b: string): void
  /** The agent ends and is there again with nothing running; those who were linked with it lose it. */
  restart(node: string): Host
  settle(): void
  advance(ms: number): void
}

type Way = { from: string; to: string; peer: string; asking: string; isOpen: boolean }

/** Agents that are joined by functions: links between them carry packed batches, on one manual clock. */
export function linkedHosts(nodes: readonly LinkedNode[]): LinkedHosts {
  const clock = new ManualClock()
  const pending: (() => void)[] = []
  const fatal: string[] = []
  const printed: string[] = []
  const cuts = new Set<string>()
  const hosts = new Map<string, Host>()
  const datacenters = new Map(nodes.map(({ node, datacenter = 'dc1' }) => [node, datacenter]))
  let ways: Way[] = []
  let opened = 0
  let lives = 0

  const hostOf = (node: string): Host => {
    const host = hosts.get(node)
    if (!host) throw new Error(`the test has an agent ${node}`)
    return host
  }

  function open(from: string, peer: string, to: string): (batch: Uint8Array<ArrayBuffer>) => void {
    const [own, other] = [from, to].map((node) => datacenters.get(node))
    const asking = own === other ? askingPeer(from, 0, ++opened) : askingServer(`${from}.${own}`, 0, ++opened)
    const way: Way = { from, to, peer, asking, isOpen: true }
    ways.push(way)
    const [here, there] = [hostOf(from), hostOf(to)]
    const later = (work: () => void) => pending.push(() => way.isOpen && work())
    there.connect(way.asking, (batch) => later(() => here.receive(peer, batch)))
    return (batch) => later(() => there.receive(way.asking, batch))
  }

  function lose(isLost: (way: Way) => boolean, why: string): void {
    const lost = ways.filter(isLost)
    ways = ways.filter((way) => !lost.includes(way))
    for (const way of lost) {
      way.isOpen = false
      hostOf(way.from).disconnect(way.peer, why)
      hostOf(way.to).disconnect(way.asking, why)
    }
  }

  function create({ node, server, actors, devices = {}, tables = { view: () => NO_TABLES }, place, far }: LinkedNode): Host {
    const random: Random = { next: () => 0.5, int: (from) => from, uuid: () => '00000000-0000-4000-8000-000000000000' }
    const counting: Random = { ...random, int: (from) => from + 1_000 * lives++ }
    return new Host({
      node,
      thread: 0,
      ports: {
        clock,
        random: (stream) => (stream === 'calls' ? counting : random),
        tables,
        devices,
        print: (level, from, line) => printed.push(`${node} ${level} ${from}: ${line}`),
      },
      actors: actors as AnyActor[],
      place: place ?? placer(ONE_THREAD, server),
      far: far ?? placeFar,
      reach(peer) {
        const datacenter = readDatacenterPeer(peer)?.datacenter
        const abroad = datacenter === undefined ? [] : nodes.filter((one) => one.server && datacenters.get(one.node) === datacenter)
        if (datacenter !== undefined && abroad.length === 0) return gone(NO_PATH)
        const wanted = readFarPeer(peer)?.node ?? abroad.find((one) => !cuts.has(pairOf(node, one.node)))?.node
        if (datacenter !== undefined && wanted === undefined) return gone(REFUSED)
        if (serverRole(peer) !== undefined) return gone(NO_SERVERS)
        if (wanted === undefined || !hosts.has(wanted) || cuts.has(pairOf(node, wanted))) return gone(`no way to ${peer}`)
        return open(node, peer, wanted)
      },
      soon: (work) => pending.push(work),
      fatal: (why) => fatal.push(`${node}: ${why}`),
    })
  }

  const settle = () => {
    for (let work = pending.shift(); work; work = pending.shift()) work()
  }
  for (const node of nodes) hosts.set(node.node, create(node))
  return {
    clock,
    fatal,
    printed,
    host: hostOf,
    settle,
    advance: (ms) => clock.advance(ms, settle),
    use(client, server) {
      lose(({ from, peer }) => from === client && serverRole(peer) !== undefined, 'another server is used')
      if (server === undefined) return
      for (const role of ROLES) hostOf(client).connect(serverPeer(role), open(client, serverPeer(role), server))
    },
    cut(a, b) {
      cuts.add(pairOf(a, b))
      lose(({ from, to }) => pairOf(from, to) === pairOf(a, b), 'cut for the test')
    },
    join: (a, b) => void cuts.delete(pairOf(a, b)),
    restart(node) {
      const options = nodes.find((one) => one.node === node)
      if (!options) throw new Error(`the test has an agent ${node}`)
      hostOf(node).close()
      lose(({ from, to }) => from === node || to === node, `${node} was restarted`)
      const anew = create(options)
      hosts.set(node, anew)
      return anew
    },
  }
}

function pairOf(a: string, b: string): string {
  return [a, b].sort().join(' ')
}
