import { newFigures } from './figures.ts'
import { newHealth } from './health.ts'
import { newKeyring } from './keyring.ts'
import { newLocation } from './locate.ts'
import type { MemberRecord, MembershipArgs } from './protocol.ts'
import { placeOf, ringOf } from './ring.ts'
import type { MembershipState, MembershipTurn } from './state.ts'
import { newTrace } from './trace.ts'

/** Nothing is known yet, but for what was known in an earlier life. */
export function beginning(args: MembershipArgs, turn: MembershipTurn): MembershipState {
  const { name, id, advertise, tags, members = [] } = args
  const self: MemberRecord = {
    name,
    id,
    peer: '',
    address: advertise.address,
    port: advertise.port,
    tags,
    // Above that of any earlier life, unless the clock was set back. Then it is told of that one, and refutes it.
    incarnation: Math.max(0, Math.floor(turn.nowMs)),
    status: 'alive',
    ltime: 0,
    place: placeOf(id),
  }
  return {
    args,
    self,
    outside: undefined,
    nowMs: 0,
    wallMs: turn.nowMs,
    lamportTime: 0,
    seq: 0,
    members: new Map(members.map((member) => [member.name, member])),
    ring: ringOf(members),
    goneSinceMs: new Map(),
    pruned: new Map(),
    suspicions: new Map(),
    lastNumber: 0,
    numbers: new Map(),
    disputed: new Map(),
    blamed: new Map(),
    connections: new Map(),
    early: new Map(),
    connected: new Map(),
    wanted: new Set(),
    watches: new Map(),
    isMoved: true,
    dialling: new Set(),
    retryAtMs: new Map(),
    relays: new Map(),
    comparing: new Map(),
    health: newHealth(),
    location: newLocation(),
    keyring: newKeyring(args.keys),
    joins: new Map(),
    leaving: [],
    trace: newTrace(),
    figures: newFigures(),
    followers: [],
    traceFollowers: [],
    toldFollowers: [],
    told: new Map(),
    heardOf: new Set(),
    version: 0,
    shownVersion: 0,
    shownTrace: 0,
    isFlushing: false,
    next: { compareMs: 0, returnMs: 0, reapMs: 0, saveMs: 0, locateMs: 0 },
    saved: '',
    recording: undefined,
  }
}
