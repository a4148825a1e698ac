import type { Turn } from '../../src/kernel/actor.ts'
import { closedDoor, limitsOf, open, openPublic, placeKey, shut } from './doors.ts'
import { goOn, leaveBehind } from './drain.ts'
import type { ProxyArgs, UpstreamArgs } from './protocol.ts'
import { type ProxyOwn, type ProxyState, PUBLIC, type Upstream } from './state.ts'
import { followTargets, labelOf, targetOf } from './targets.ts'

/**
 * Takes new arguments over, where that is possible without ending what is open: listeners that stay in their place stay open, and so do
 * connections, but for those of upstreams that are gone. False: it must be started anew.
 */
export function takeOver(state: ProxyState, args: ProxyArgs, turn: Turn<ProxyOwn>): boolean {
  const before = state.args
  if (state.ending || !isSameSidecar(before, args)) return false
  if (!state.draining && same(before, args)) return true
  goOn(state, turn)
  state.args = args
  if (before.token !== args.token) followLeaf(args, turn)
  takeInbound(state, before, turn)
  takeUpstreams(state, args.upstreams, turn)
  followTargets(state, before.upstreams, turn)
  openPublic(state, turn)
  return true
}

export function followLeaf({ service, token, leaf }: ProxyArgs, turn: Turn<ProxyOwn>): void {
  turn.subscribe('leaf', leaf, 'leaf', { service, token }, (value) => ({ name: 'leaf', request: value }))
}

/** Opens listeners of upstreams, and shuts those that nobody asks for any more. */
export function takeUpstreams(state: ProxyState, wanted: readonly UpstreamArgs[], turn: Turn<ProxyOwn>): void {
  const before = new Map(state.upstreams.map((upstream) => [placeKey(upstream.args), upstream]))
  const gone = new Map(before)
  state.upstreams = wanted.map((args) => {
    const known = before.get(placeKey(args))
    gone.delete(placeKey(args))
    if (!known) return { id: ++state.lastId, args, door: closedDoor(args.port), open: 0, outliers: new Map() }
    if (targetOf(known.args) === targetOf(args)) return Object.assign(known, { args })
    leave(state, known, `the upstream is ${labelOf(args)} now`, turn)
    return { id: known.id, args, door: known.door, open: 0, outliers: new Map() }
  })
  for (const upstream of gone.values()) {
    shut(upstream.door, upstream.id, turn)
    leave(state, upstream, 'the upstream was removed', turn)
  }
  for (const { id, door } of state.upstreams) if (door.phase === 'waiting') open(state, id, turn)
}

function leave(state: ProxyState, upstream: Upstream, why: string, turn: Turn<ProxyOwn>): void {
  const connections = [...state.outbound].flatMap(([connection, { to }]) => (to === upstream ? [connection] : []))
  leaveBehind(state, connections, why, turn)
}

function takeInbound(state: ProxyState, before: ProxyArgs, turn: Turn<ProxyOwn>): void {
  const { inbound } = state.args
  const { door } = state
  if (!inbound || !before.inbound) return
  if (placeKey(inbound) !== placeKey(before.inbound)) {
    shut(door, PUBLIC, turn)
    door.port = inbound.port
  } else if (door.listener !== 0 && !same(limitsOf(inbound), limitsOf(before.inbound))) {
    turn.act('mesh', { do: 'limit', listener: door.listener, ...limitsOf(inbound) })
  }
}

/** What cannot change while it runs: who it is, whom it asks, and whether anybody can connect. */
function isSameSidecar(a: ProxyArgs, b: ProxyArgs): boolean {
  const fixed = ({ service, datacenter, feeds, leaf, inbound, supervised }: ProxyArgs) =>
    [service, datacenter, feeds, leaf, inbound === null, supervised] as const
  return same(fixed(a), fixed(b))
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
