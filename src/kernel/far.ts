import type { Peer } from './protocol.ts'

/** Why nothing that only servers have can be asked on an agent that uses none. Source: what Consul's clients answer. */
export const NO_SERVERS = 'No known Consul servers'

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

/** `n2/4#17`: thread 4 of an agent that asks here, over its 17th channel: what it had over an earlier one has ended with that. */
export function askingPeer(node: string, thread: number, channel: number): string {
  return `${node}/${thread}#${channel}`
}

/** The name of the agent that a caller or a subscriber is on; undefined if it is on this one. */
export function nodeOf({ peer }: { readonly peer: Peer }): string | undefined {
  return typeof peer === 'string' ? peer.slice(peer.startsWith('@') ? 1 : 0, peer.lastIndexOf('/')) : undefined
}
