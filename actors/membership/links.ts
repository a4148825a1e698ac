import type { GossipAddress } from '../../src/kernel/ports.ts'
import { compareWith } from './compare.ts'
import { isSuspect } from './judge.ts'
import { type GossipMessage, PROTOCOL_VERSION } from './messages.ts'
import type { MemberRecord } from './protocol.ts'
import { farOf, isThere, neighboursOf } from './ring.ts'
import { passOn } from './spread.ts'
import { addressOf, type Connection, type DialGoal, type MembershipState, type MembershipTurn, networkOf, send, textOf } from './state.ts'
import { adopt, isAllowed } from './table.ts'

/** Whoever has the smaller name dials at once, the other one after this, so that there are no two connections. */
const OTHER_DIALS_MS = 1_000
/** Who could not be reached is dialled again after this. */
const RETRY_MS = 2_000
/** A connection that serves nothing stays for so long, and one that has not introduced itself. */
const UNWANTED_MS = 10_000
const STRANGER_MS = 5_000
/** Whoever hangs up at once may not be heard: each direction has a stream of its own, and the end of one is no end of what was said. */
const REASON_MS = 2_000
const MESH_MAX = 32

/** Keeps to the connections that are wanted: dials those that are missing, ends the others. */
export function keepConnections(state: MembershipState, turn: MembershipTurn): void {
  if (state.isMoved) choose(state)
  for (const name of state.wanted) if (!state.connected.has(name)) dialWanted(state, turn, name)
  for (const [peer, connection] of state.connections) {
    if (connection.refused !== undefined) {
      if (state.nowMs - connection.refused.atMs >= REASON_MS) hangUp(turn, peer, connection.refused.why)
    } else if (connection.name === undefined) {
      if (state.nowMs - connection.sinceMs >= STRANGER_MS) hangUp(turn, peer, 'it did not introduce itself')
    } else if (isUseful(state, peer, connection.name)) connection.unwantedMs = undefined
    else {
      connection.unwantedMs ??= state.nowMs
      if (state.nowMs - connection.unwantedMs >= UNWANTED_MS) hangUp(turn, peer, 'it is not needed any more')
    }
  }
}

/** Dials a member that is known, unless that is under way or was tried just now. */
export function dialMember(state: MembershipState, turn: MembershipTurn, name: string): void {
  const record = state.members.get(name)
  if (record === undefined || name === state.self.name) return
  const address = addressOf(record)
  const text = textOf(address)
  if (state.dialling.has(text)) return
  dial(state, turn, address, { for: 'member', name })
}

export function dial(state: MembershipState, turn: MembershipTurn, address: GossipAddress, goal: DialGoal): void {
  state.dialling.add(textOf(address))
  turn.act(
    networkOf(turn),
    { do: 'dial', addresses: [address] },
    { then: (result) => ({ name: 'dialled', request: { goal, address, result } }) },
  )
}

export function connected(state: MembershipState, turn: MembershipTurn, peer: string, address: GossipAddress): void {
  state.connections.set(peer, {
    address,
    name: undefined,
    sinceMs: state.nowMs,
    heardMs: state.nowMs,
    hasDialled: false,
    unwantedMs: undefined,
    out: [],
    toldMs: Number.NEGATIVE_INFINITY,
    refused: undefined,
  })
  send(turn, peer, {
    do: 'hello',
    version: PROTOCOL_VERSION,
    datacenter: state.args.datacenter,
    me: state.self,
    ...(state.args.wan && { wan: true }),
  })
}

/** This agent has dialled: so it compares, once it knows with whom. */
export function dialled(state: MembershipState, turn: MembershipTurn, peer: string): void {
  const connection = state.connections.get(peer)
  if (connection === undefined || connection.hasDialled) return
  connection.hasDialled = true
  if (connection.name !== undefined) compareWith(state, turn, peer)
}

/** A connection ended. Answers whose it was. */
export function disconnected(state: MembershipState, peer: string): string | undefined {
  const name = state.connections.get(peer)?.name
  state.connections.delete(peer)
  state.comparing.delete(peer)
  if (name === undefined || state.connected.get(name) !== peer) return undefined
  state.connected.delete(name)
  return name
}

/** Somebody says who it is. Answers why it may not be a member, or undefined if it is one now. */
export function introduced(
  state: MembershipState,
  turn: MembershipTurn,
  peer: string,
  connection: Connection,
  hello: Hello,
): string | undefined {
  const { me } = hello
  const why = strangeness(state, peer, hello)
  if (why !== undefined) return why
  const via = [me.name]
  if (adopt(state, turn, me, { via, why: `it is at ${textOf(addressOf(me))}` }))
    passOn(state, turn, { is: 'member', member: me }, via, peer)
  if (state.outside !== undefined) return state.outside
  if (state.members.get(me.name)?.id !== me.id) return `another member has the name ${me.name}`
  connection.name = me.name
  state.connected.set(me.name, peer)
  if (connection.hasDialled) compareWith(state, turn, peer)
  return undefined
}

/** The connection serves nothing more, and ends once both had the time to hear why. */
export function refused({ nowMs }: MembershipState, connection: Connection, why: string): void {
  connection.refused = { why, atMs: nowMs }
}

export function hangUp(turn: MembershipTurn, peer: string, why: string): void {
  turn.act(networkOf(turn), { do: 'hang-up', peer, why })
}

type Hello = Omit<Extract<GossipMessage, { do: 'hello' }>, 'do'>

/** Why an agent cannot be a member, in words for the other side. */
function strangeness(state: MembershipState, peer: string, { version, datacenter, me, wan }: Hello): string | undefined {
  const where = textOf(addressOf(me))
  if (version !== PROTOCOL_VERSION)
    return `Member '${me.name}' (${where}) speaks version ${version} of the protocol, not ${PROTOCOL_VERSION}`
  if (wan !== state.args.wan) {
    const [theirs, ours] = wan ? ['servers of all datacenters', 'agents of one'] : ['agents of one datacenter', 'servers of all']
    return `Member '${me.name}' (${where}) speaks to ${theirs}, and this port is for ${ours}`
  }
  if (wan && me.tags['role'] !== 'consul') return `Member '${me.name}' is not a server`
  if (wan && (me.tags['dc'] !== datacenter || !me.name.endsWith(`.${datacenter}`)))
    return `Member '${me.name}' (${where}) does not have the name of a server of datacenter '${datacenter}'`
  if (!wan && datacenter !== state.args.datacenter)
    return `Member '${me.name}' part of wrong datacenter '${datacenter}', not '${state.args.datacenter}'`
  if (!isAllowed(state, me)) return `Member '${me.name}' (${where}) is not in a network that is allowed here`
  if (me.peer !== peer) return `Member '${me.name}' (${where}) does not have the key of which it speaks`
  if (!isThere(me)) return undefined
  const named = state.members.get(me.name)
  const isTaken = (other: MemberRecord) => isThere(other) && !isSuspect(state, other.name) && textOf(addressOf(other)) !== where
  if (named !== undefined && named.id !== me.id && isTaken(named))
    return `Member '${me.name}' at ${where} has the name of the one at ${textOf(addressOf(named))}`
  if (named?.id === me.id) return undefined
  for (const other of state.members.values()) {
    if (other.id === me.id && isTaken(other))
      return `Member '${me.name}' (${where}) has conflicting node ID '${me.id}' with member '${other.name}' (${textOf(addressOf(other))})`
  }
  return undefined
}

/** Whom to watch and whom to be connected with, from the ring as it is now. */
function choose(state: MembershipState): void {
  state.isMoved = false
  const { ring, self, members, watches, nowMs } = state
  const neighbours = neighboursOf(ring, self, members, (name) => isSuspect(state, name))
  for (const name of watches.keys()) if (!neighbours.has(name)) watches.delete(name)
  for (const name of neighbours) {
    if (watches.has(name)) continue
    watches.set(name, { stage: 'quiet', heardMs: nowMs, askedMs: nowMs, silentRounds: 0 })
  }
  state.wanted = new Set([...neighbours, ...elsewhere(state, self)])
}

/** With whom a member is connected beside its neighbours. Servers of all datacenters with everybody, while they are few: so they measure the
 * way to each. */
function elsewhere({ args, ring, members }: MembershipState, member: MemberRecord): string[] {
  if (!args.wan || ring.length > MESH_MAX) return farOf(ring, member, members)
  return ring.filter((name) => name !== member.name)
}

function dialWanted(state: MembershipState, turn: MembershipTurn, name: string): void {
  const record = state.members.get(name)
  if (record === undefined) return
  const text = textOf(addressOf(record))
  if (state.dialling.has(text)) return
  const atMs = state.retryAtMs.get(text) ?? (state.watches.has(name) && name < state.self.name ? state.nowMs + OTHER_DIALS_MS : state.nowMs)
  state.retryAtMs.set(text, atMs)
  if (state.nowMs < atMs) return
  state.retryAtMs.set(text, state.nowMs + RETRY_MS)
  dial(state, turn, addressOf(record), { for: 'member', name })
}

/** Whether this agent, or as far as it can know the other one, wants the connection. */
function isUseful(state: MembershipState, peer: string, name: string): boolean {
  if (state.wanted.has(name)) return true
  for (const { waiting } of state.joins.values()) if (waiting.has(peer)) return true
  if (state.comparing.has(peer)) return true
  const record = state.members.get(name)
  return record !== undefined && isThere(record) && elsewhere(state, record).includes(state.self.name)
}
