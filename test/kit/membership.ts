import { membership } from '../../actors/membership/index.ts'
import { PROTOCOL_VERSION } from '../../actors/membership/messages.ts'
import type { MemberRecord, MembershipArgs, MembershipProtocol } from '../../actors/membership/protocol.ts'
import { placeOf } from '../../actors/membership/ring.ts'
import type { MembershipOwn, MembershipState } from '../../actors/membership/state.ts'
import { type Effect, tryActor } from './try-actor.ts'

export const NOW_MS = 1_000_000

export function record(name: string, more: Partial<MemberRecord> = {}): MemberRecord {
  const id = `00000000-0000-4000-8000-${String(placeOf(name)).padStart(12, '0')}`
  const address = `10.0.0.${name.slice(1)}`
  const all = { name, id, peer: `p-${name}`, address, port: 8301, tags: {}, incarnation: 1, status: 'alive' as const, ltime: 1, ...more }
  return { ...all, place: placeOf(all.id) }
}

export function argsOf(name: string, members: MemberRecord[] = []): MembershipArgs {
  const { id, address } = record(name)
  return {
    enabled: true,
    name,
    id,
    datacenter: 'dc1',
    bind: { address: '0.0.0.0', port: 8301 },
    advertise: { address, port: 8301 },
    tags: { role: 'node' },
    keys: [],
    rejoinsAfterLeave: false,
    members,
  }
}

/** A member that listens, and knows these others. */
export function listening(members: MemberRecord[] = [], name = 'n1'): Tried {
  return begun(tryActor(membership, { args: argsOf(name, members), nowMs: NOW_MS }), name)
}
export type Tried = ReturnType<typeof tryActor<MembershipProtocol, MembershipOwn, MembershipState, MembershipArgs>>

/** It knows what was kept, which is nothing, and listens. */
export function begun(a: Tried, name: string): Tried {
  a.outcome('store', { records: [] })
  a.outcome('gossip', { peer: `p-${name}`, port: 8301 }, ({ do: what }: { do: string }) => what === 'listen')
  a.effects()
  return a
}

export function isListen({ do: what }: { do: string }): boolean {
  return what === 'listen'
}

/** A connection with another member, which has introduced itself. */
export function connect(a: Tried, other: MemberRecord, more: { version?: number; datacenter?: string } = {}): void {
  a.event('gossip', { did: 'connected', peer: other.peer, address: { host: other.address, port: 40_000 } }, isListen)
  hear(a, other, { do: 'hello', version: PROTOCOL_VERSION, datacenter: 'dc1', me: other, ...more })
}

export function hear(a: Tried, other: { peer: string }, message: object): void {
  a.event('gossip', { did: 'message', from: other.peer, message }, isListen)
}

export function say(a: Tried, other: { peer: string }, ...rumours: object[]): void {
  hear(a, other, { do: 'news', rumours: rumours.map((rumour) => ({ via: ['x'], ...rumour })) })
}

export type Sent = { to: string; do: string; [field: string]: unknown }
/** What was sent since the last look, but for pings. */
export function sent(a: Tried): Sent[] {
  const requests = a.effects().flatMap((effect: Effect) => (effect.did === 'act' && effect.device === 'gossip' ? [effect.request] : []))
  const sends = requests as { do: string; peer: string; message: { do: string } }[]
  return sends.filter((one) => one.do === 'send' && one.message.do !== 'ping').map(({ peer, message }) => ({ to: peer, ...message }))
}

export function statusOf(a: Tried, name: string): string | undefined {
  return a.state.members.get(name)?.status
}

export const others = ['n2', 'n3', 'n4', 'n5'].map((name) => record(name))
export const [n2, n3, n4] = others as [MemberRecord, MemberRecord, MemberRecord, MemberRecord]
export const accuse = (name: string, by: string, more: object = {}) => ({
  is: 'accused',
  name,
  incarnation: 1,
  by,
  number: 1,
  accusers: [],
  isLoud: true,
  ...more,
})
