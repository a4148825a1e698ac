import type { Peer } from './protocol.ts'

/** Why nothing that only servers have can be asked on an agent that uses none. Source: what Consul's clients answer. */
export const NO_SERVERS = 'No known Consul servers'

/** Why nothing can be asked in a datacenter of which no server is known. Source: what Consul answers. */
export const NO_PATH = 'No path to datacenter'

/** Why nothing can be asked in a datacenter of which servers are known, and none is there. Source: what Consul answers. */
export const NOBODY_THERE = 'Remote DC has no server currently reachable'

/** What a client agent calls whichever server it uses: the thread there with a role. */
const SERVER = 'server'

/** `server/state`: the thread with this role of the server that this agent uses. Which server that is may change; then the link breaks and comes back. */
export function serverPeer(role: string): string {
  return `${SERVER}/${role}`
}

/** The role in `server/state`; undefined for any other peer. */
export function serverRole(peer: Peer): string | undefined {
  return typeof peer === 'string' && peer.startsWith(`${SERVER}/`) && !peer.includes('#') ? peer.slice(SERVER.length + 1) : undefined
}

/** `@n2/state`: the thread with this role of a certain agent. */
export function farPeer(node: string, role: string): string {
  return `@${node}/${role}`
}

/** The agent and the role in `@n2/state`; undefined for any other peer. */
export function readFarPeer(peer: Peer): { node: string; role: string } | undefined {
  if (typeof peer !== 'string' || !peer.startsWith('@')) return undefined
  const slash = peer.lastIndexOf('/')
  return { node: peer.slice(1, slash), role: peer.slice(slash + 1) }
}

/** `%dc2/edge`: the thread with this role of whichever server of a datacenter this server uses. As with `serverPeer`, that may change. */
export function datacenterPeer(datacenter: string, role: string): string {
  return `%${datacenter}/${role}`
}

/** The datacenter and the role in `%dc2/edge`; undefined for any other peer. */
export function readDatacenterPeer(peer: Peer): { datacenter: string; role: string } | undefined {
  if (typeof peer !== 'string' || !peer.startsWith('%') || peer.includes('#')) return undefined
  const slash = peer.lastIndexOf('/')
  return { datacenter: peer.slice(1, slash), role: peer.slice(slash + 1) }
}

/** The peer of whoever is chosen among the servers of a datacenter; '' is the own one. */
export function chosenPeer(datacenter: string, role: string): string {
  return datacenter === '' ? serverPeer(role) : datacenterPeer(datacenter, role)
}

/** What `chosenPeer` was given; undefined for any other peer. */
export function readChosenPeer(peer: Peer): { datacenter: string; role: string } | undefined {
  const role = serverRole(peer)
  return role === undefined ? readDatacenterPeer(peer) : { datacenter: '', role }
}

/** Whether somebody of another datacenter asks. */
export function isFromAbroad(peer: Peer): boolean {
  return typeof peer === 'string' && peer.startsWith('%')
}

/** `n2/4#17`: thread 4 of an agent that asks here, over its 17th channel: what it had over an earlier one has ended with that. */
export function askingPeer(node: string, thread: number, channel: number): string {
  return `${node}/${thread}#${channel}`
}

/** `%n1.dc2/4#17`: the same of a server of another datacenter, by its name among all servers. */
export function askingServer(name: string, thread: number, channel: number): string {
  return `%${askingPeer(name, thread, channel)}`
}

/** The name of the agent that a caller or a subscriber is on, `node.datacenter` for servers of others; undefined if it is on this one. */
export function nodeOf({ peer }: { readonly peer: Peer }): string | undefined {
  return typeof peer === 'string' ? peer.slice(/^[@%]/.test(peer) ? 1 : 0, peer.lastIndexOf('/')) : undefined
}
