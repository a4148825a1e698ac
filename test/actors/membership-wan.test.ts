import test from 'ava'
import { wanMembership } from '../../actors/membership/index.ts'
import type { MemberRecord } from '../../actors/membership/protocol.ts'
import { argsOf, NOW_MS, n2, record } from '../kit/membership.ts'
import { tryActor } from '../kit/try-actor.ts'

const server = (node: string, dc: string, more: Partial<MemberRecord> = {}) =>
  record(`${node}.${dc}`, { address: '10.0.0.7', port: 8302, tags: { role: 'consul', dc }, ...more })
const OWN = server('n1', 'dc1')

/** A server of dc1 that listens for those of all datacenters, and knows these. */
function listening(members: MemberRecord[] = []) {
  const args = { ...argsOf('n1', members), wan: true as const, name: OWN.name, id: OWN.id, tags: OWN.tags }
  const a = tryActor(wanMembership, { args, nowMs: NOW_MS })
  const isListen = ({ do: what }: { do: string }) => what === 'listen'
  a.outcome('store', { records: [] })
  a.outcome('gossip-wan', { peer: 'p-own', port: 8302 }, isListen)
  const hear = (peer: string, message: object) => a.event('gossip-wan', { did: 'message', from: peer, message }, isListen)
  return {
    ...a,
    hear,
    /** What comes of it when this one introduces itself. */
    meet(me: MemberRecord, hello: object = {}) {
      a.effects()
      a.event('gossip-wan', { did: 'connected', peer: me.peer, address: { host: me.address, port: 40_000 } }, isListen)
      hear(me.peer, { do: 'hello', version: 1, datacenter: me.tags['dc'] ?? 'dc1', me, wan: true, ...hello })
      const acts = a.effects().flatMap((one) => (one.did === 'act' ? [one] : []))
      const messages = acts.flatMap(({ request }) => ((request as { do: string }).do === 'send' ? [(request as Sent).message] : []))
      return { devices: new Set(acts.map(({ device }) => device)), messages, why: messages.find((one) => one.do === 'refused')?.why }
    },
    names: () => [...a.state.members.keys()],
  }
}
type Sent = { message: { do: string; wan?: boolean; why?: string } }

test('servers of all datacenters are members of one pool, with a network of its own', (t) => {
  const a = listening()
  const { devices, messages, why } = a.meet(server('b1', 'dc2'))
  t.deepEqual([...devices], ['gossip-wan'])
  t.like(messages[0], { do: 'hello', wan: true, datacenter: 'dc1' })
  t.is(why, undefined)
  t.deepEqual(a.names(), ['n1.dc1', 'b1.dc2'])
})

test('who is no server of a datacenter, or means the other pool, is refused with the reason', (t) => {
  const a = listening()
  const at = '(10.0.0.7:8302)'
  for (const [me, hello, why] of [
    [server('c1', 'dc2', { tags: { role: 'node', dc: 'dc2' } }), {}, "Member 'c1.dc2' is not a server"],
    [server('b1', 'dc2'), { version: 9 }, `Member 'b1.dc2' ${at} speaks version 9 of the protocol, not 1`],
    [server('b1', 'dc2'), { datacenter: 'dc3' }, `Member 'b1.dc2' ${at} does not have the name of a server of datacenter 'dc3'`],
    [server('b1', 'dc2', { name: 'b1' }), {}, `Member 'b1' ${at} does not have the name of a server of datacenter 'dc2'`],
    [server('b1', 'dc2', { peer: 'p-x' }), {}, undefined],
    [n2, { wan: undefined }, "Member 'n2' (10.0.0.2:8301) speaks to agents of one datacenter, and this port is for servers of all"],
  ] as const) {
    t.is(a.meet(me, hello).why, why)
  }
  a.meet(server('b2', 'dc2'))
  const other = server('b2', 'dc2', { id: n2.id, peer: 'p-y', address: '10.0.0.8', place: n2.place })
  t.is(a.meet(other).why, `Member 'b2.dc2' at 10.0.0.8:8302 has the name of the one at 10.0.0.7:8302`)
})

test('between datacenters silence is taken for longer', (t) => {
  const b1 = server('b1', 'dc2')
  const a = listening()
  a.meet(b1)
  const asks = () => a.acts('gossip-wan').filter((request) => (request as Sent).message?.do === 'ping').length
  a.wait(4_500)
  t.is(asks(), 0)
  a.wait(1_000)
  t.is(asks(), 1)
  a.wait(5_000)
  t.is(a.state.members.get('b1.dc2')?.status, 'alive')
  t.like(a.call('trace', { member: 'b1.dc2' }).result, [{ what: 'joined' }])
  t.deepEqual([...a.state.suspicions.keys()], [])
  a.wait(15_000)
  t.is(a.state.members.get('b1.dc2')?.status, 'failed')
})

test('where servers are is what they said when they were asked; whom to find again is kept apart', (t) => {
  const b1 = server('b1', 'dc2')
  const a = listening()
  a.meet(b1)
  a.wait(2_500)
  const where = a.acts('gossip-wan').find((request) => (request as Sent).message?.do === 'where') as { message: { seq: number } }
  const coordinate = { vec: [0.1, 0, 0, 0, 0, 0, 0, 0], error: 1, adjustment: 0, height: 0.01 }
  a.hear(b1.peer, { do: 'here', seq: where.message.seq, coordinate })
  t.like(a.call('places', null).result, [{ name: 'n1.dc1' }, { name: 'b1.dc2', coordinate }])
  a.wait(30_000)
  t.like(a.acts('store').at(-1), { do: 'save', kind: 'wan-membership' })
})
