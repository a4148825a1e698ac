import type { DatacentersArgs } from '../actors/datacenters/protocol.ts'
import type { RemoteExecArgs } from '../actors/remote-exec/protocol.ts'
import type { RouterArgs } from '../actors/router/protocol.ts'
import { type SessionsArgs, TTL_MS_MAX } from '../actors/sessions/protocol.ts'
import type { WatchesArgs } from '../actors/watches/protocol.ts'
import type { Config } from './config/config.ts'
import { formatDuration } from './config/durations.ts'
import { caArgs, daemonsArgs, defaultIntention, leafArgs, proxiesArgs } from './connect-args.ts'
import { formationArgs } from './formation-args.ts'
import { datacenterPeer, farPeer, serverPeer } from './kernel/far.ts'
import type { Peer, Ref } from './kernel/protocol.ts'
import { localArgs } from './local-args.ts'
import { membershipArgs, wanMembershipArgs } from './membership-args.ts'

/** What a thread is for. One thread may have several roles. */
export type Role = 'main' | 'state' | 'edge' | 'mesh' | 'gossip'

/**
 * Where an actor lives, and what it is started with. `started: false`: other actors start it, one for each key. `on: 'servers'`: a client
 * agent has none and asks that of the server which it uses. `each`: every thread of the role has its own.
 */
export type Place = { role: Role; on?: 'servers'; each?: true; args?: (config: Config) => unknown; started?: false }

/** Which actor lives where. Each line is a decision; the reasons are in docs/architecture.md. */
export const placement: Readonly<Record<string, Place>> = {
  agent: { role: 'main' },
  ledger: { role: 'state', on: 'servers' },
  kv: { role: 'state', on: 'servers', args: ({ limits }) => ({ valueBytesMax: limits.kvMaxValueSize }) },
  sessions: { role: 'state', on: 'servers', args: sessionsArgs },
  txn: { role: 'state', on: 'servers', args: ({ limits }) => ({ valueBytesMax: limits.kvMaxValueSize }) },
  snapshots: { role: 'state', on: 'servers' },
  catalog: { role: 'state', on: 'servers' },
  local: { role: 'state', args: localArgs },
  checks: { role: 'main' },
  coordinates: { role: 'state', on: 'servers', args: ({ keys }) => ({ enabled: keys['disable_coordinates'] !== true }) },
  whereabouts: { role: 'state', args: ({ keys }) => ({ enabled: keys['disable_coordinates'] !== true }) },
  'prepared-queries': { role: 'state', on: 'servers' },
  events: { role: 'state' },
  membership: { role: 'gossip', args: membershipArgs },
  'wan-membership': { role: 'gossip', on: 'servers', args: wanMembershipArgs },
  router: { role: 'gossip', args: routerArgs },
  datacenters: { role: 'gossip', on: 'servers', args: datacentersArgs },
  'remote-exec': { role: 'main', args: remoteExecArgs },
  ca: { role: 'state', on: 'servers', args: caArgs },
  leaf: { role: 'state', args: leafArgs },
  intentions: { role: 'state', on: 'servers', args: defaultIntention },
  decisions: { role: 'main' },
  'config-entries': { role: 'state', on: 'servers', args: ({ configEntries }) => ({ bootstrap: [...configEntries] }) },
  autopilot: { role: 'state', on: 'servers', args: ({ autopilot }) => ({ ...autopilot }) },
  reconcile: { role: 'state', on: 'servers', args: ({ gossip, node }) => ({ enabled: gossip !== undefined, id: node.id }) },
  exchange: { role: 'edge', on: 'servers', each: true },
  formation: { role: 'main', on: 'servers', args: formationArgs },
  feeds: { role: 'state', on: 'servers', args: defaultIntention },
  'kept-feeds': { role: 'state', args: ({ server }) => ({ enabled: !server }) },
  mirror: { role: 'state', args: ({ server }) => ({ enabled: !server }) },
  proxies: { role: 'state', args: proxiesArgs },
  proxy: { role: 'mesh', started: false },
  daemons: { role: 'main', args: daemonsArgs },
  watches: { role: 'edge', args: watchesArgs },
  relay: { role: 'main', started: false },
}

function watchesArgs({ watches }: Config): WatchesArgs {
  return { watches: [...watches] }
}

function datacentersArgs({ gossip, node, datacenter, addresses, ports }: Config): DatacentersArgs {
  const wan = gossip?.wan
  return { enabled: wan !== undefined, node: node.name, datacenter, address: addresses.advertiseWan, port: ports.serfWan }
}

function routerArgs({ gossip, server, datacenter }: Config): RouterArgs {
  return { enabled: gossip !== undefined, server, datacenter }
}

function remoteExecArgs({ keys }: Config): RemoteExecArgs {
  return { enabled: keys['disable_remote_exec'] === false, token: '' }
}

function sessionsArgs({ sessionTtlMinMs }: Config): SessionsArgs {
  return { ttlMinMs: sessionTtlMinMs, ttlRange: `${formatDuration(sessionTtlMinMs)}=${formatDuration(TTL_MS_MAX)}` }
}

/** The roles of each thread, by its number. Thread 0 is the one the process began with. */
export type Layout = readonly (readonly Role[])[]

const ALL: readonly Role[] = ['main', 'state', 'edge', 'mesh', 'gossip']
const EDGES_MAX = 4
const MESHES_MAX = 8

/**
 * `threads` 0 puts everything on one thread; -1 suits the machine and what the agent is; otherwise it is the number of edge threads. Gossip
 * has a thread of its own where there is much to do: whoever is late because of other work would be taken for dead. A client has little to
 * do but for its sidecars, because servers hold the state and answer what is read.
 */
export function layoutOf({ threads, gossip, server }: Pick<Config, 'threads' | 'gossip' | 'server'>, cores: number): Layout {
  if (threads.threads === 0) return [ALL]
  const isSmall = !server && threads.threads < 0
  const edges = threads.threads > 0 ? threads.threads : Math.min(Math.max(cores, 1), EDGES_MAX)
  const meshes = threads.meshThreads >= 0 ? threads.meshThreads : Math.min(Math.max(cores, 1), MESHES_MAX)
  const ofSidecars: Role[] = meshes === 0 ? ['mesh'] : []
  const ofEdges: Role[] = ['edge', ...ofSidecars]
  const ofMeshes: Role[][] = Array(meshes).fill(['mesh'])
  if (isSmall) return [['main', 'state', 'gossip', ...ofEdges], ...ofMeshes]
  const first: Role[][] = gossip ? [['main'], ['state'], ['gossip']] : [['main', 'gossip'], ['state']]
  return [...first, ...Array(edges).fill(ofEdges), ...ofMeshes]
}

/** Whether a thread begins only once an actor is to run on it: before the first sidecar there is nothing to do on those for sidecars. */
export function beginsLater(layout: Layout, thread: number): boolean {
  return (layout[thread] ?? []).every((role) => role === 'mesh')
}

/** Whether anybody on a thread waits for changes of the tables: actors of the state, and readers at the interfaces. */
export function hearsOfCommits(layout: Layout): (thread: number) => boolean {
  return (thread) => (layout[thread] ?? []).some((role) => role === 'state' || role === 'edge')
}

/**
 * Finds the thread of an actor: the only one of its role, or for one of many by its lane or the hash of its key. On an agent that is no
 * `server`: the peer through which it is asked, for those that only servers have. `here`: the thread that wants to know; of an actor that
 * each thread of a role has, it has its own.
 */
export function placer(layout: Layout, server: boolean, here?: number): (actor: string, key: string, lane?: number) => Peer {
  const byRole = new Map<Role, number[]>()
  layout.forEach((roles, thread) => {
    for (const role of roles) byRole.set(role, [...(byRole.get(role) ?? []), thread])
  })
  return (actor, key, lane) => {
    if (actor === 'thread') return Number(key)
    const place = placeOf(actor)
    if (place.on === 'servers' && !server) return serverPeer(place.role)
    const threads = byRole.get(place.role) ?? [0]
    if (place.each && here !== undefined && threads.includes(here)) return here
    return threads[key === '' ? 0 : (lane ?? hash(key)) % threads.length] ?? 0
  }
}

/** The peer through which an actor of another agent, or of another datacenter, is asked. */
export function placeFar({ actor, node = '', datacenter }: Ref): string {
  const { role } = placeOf(actor)
  return datacenter === undefined ? farPeer(node, role) : datacenterPeer(datacenter, role)
}

function placeOf(actor: string): Place {
  const place = placement[actor]
  if (!place) throw new Error(`broken promise: the placement table names every actor, "${actor}" too`)
  return place
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193) >>> 0
  return value
}
