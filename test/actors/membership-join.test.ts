import test from 'ava'
import { membership } from '../../actors/membership/index.ts'
import { PROTOCOL_VERSION } from '../../actors/membership/messages.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import { argsOf, begun, connect, hear, isListen, listening, NOW_MS, n2, n3, n4, record, say, sent, statusOf } from '../kit/membership.ts'
import { tryActor } from '../kit/try-actor.ts'

test('joining is dialling, introducing each other and knowing the same', (t) => {
  const a = listening()
  const joined = a.call('join', { addresses: [{ host: n2.address, port: 8301 }] })
  a.event('gossip', { did: 'connected', peer: n2.peer, address: { host: n2.address, port: 8301 } }, isListen)
  a.outcome('gossip', { peer: n2.peer }, ({ do: what }: { do: string }) => what === 'dial')
  hear(a, n2, { do: 'hello', version: PROTOCOL_VERSION, datacenter: 'dc1', me: n2 })
  t.deepEqual(
    sent(a).map((one) => one.do),
    ['hello', 'compare'],
  )
  t.is(joined.result, undefined)
  hear(a, n2, { do: 'records', records: [n2, n3], isLast: true, differing: [n3.place % 64] })
  t.deepEqual(joined.result, { joined: 1, failed: [] })
  t.deepEqual([statusOf(a, 'n2'), statusOf(a, 'n3')], ['alive', 'alive'])
})

test('a join says of each address what did not work', (t) => {
  const a = listening()
  const joined = a.call('join', {
    addresses: [n2, n3, n4, { address: '10.0.0.1', port: 8301 }].map(({ address, port }) => ({ host: address, port })),
  })
  const dials = (host: string) => (request: { do: string; addresses?: { host: string }[] }) => request.addresses?.[0]?.host === host
  a.outcome('gossip', refuse('gone', 'connection refused'), dials(n2.address))
  a.event('gossip', { did: 'connected', peer: n3.peer, address: { host: n3.address, port: 8301 } }, isListen)
  a.outcome('gossip', { peer: n3.peer }, dials(n3.address))
  hear(a, n3, { do: 'refused', why: 'wrong datacenter' })
  a.wait(10_000)
  t.like(joined.result, { joined: 1 })
  const { failed } = joined.result as { failed: { address: { host: string }; why: string }[] }
  t.deepEqual(
    failed.map(({ address, why }) => [address.host, why]),
    [
      [n2.address, 'connection refused'],
      [n3.address, 'wrong datacenter'],
    ],
  )
})

test('who has refused this agent is not joined by another try at once, and both part when each had the time to hear why', (t) => {
  const a = listening()
  connect(a, n2)
  hear(a, n2, { do: 'refused', why: 'wrong datacenter' })
  const joined = a.call('join', { addresses: [{ host: n2.address, port: 8301 }] })
  a.outcome('gossip', { peer: n2.peer }, ({ do: what }: { do: string }) => what === 'dial')
  t.like(joined.result, { joined: 0, failed: [{ why: 'wrong datacenter' }] })
  const partings = () => a.acts('gossip').filter((one) => (one as { do: string }).do === 'hang-up')
  a.wait(1_500)
  t.deepEqual(partings(), [])
  a.wait(1_000)
  t.like(partings()[0], { peer: n2.peer, why: 'wrong datacenter' })
})

test('a reason that comes after the end of its connection is told to whoever joins; nobody waits for one for long', (t) => {
  const dials = ({ do: what }: { do: string }) => what === 'dial'
  const join = () => {
    const a = listening()
    const joined = a.call('join', { addresses: [{ host: n2.address, port: 8301 }] })
    const connect = () => a.event('gossip', { did: 'connected', peer: n2.peer, address: { host: n2.address, port: 8301 } }, isListen)
    const end = () => a.event('gossip', { did: 'disconnected', peer: n2.peer, why: 'the connection ended' }, isListen)
    connect()
    a.outcome('gossip', { peer: n2.peer }, dials)
    end()
    return { ...a, a, joined, connect, end }
  }
  const told = join()
  told.wait(100)
  t.is(told.joined.result, undefined)
  hear(told.a, n2, { do: 'refused', why: 'wrong datacenter' })
  t.like(told.joined.result, { failed: [{ why: 'wrong datacenter' }] })
  const silent = join()
  silent.wait(300)
  t.like(silent.joined.result, { joined: 0, failed: [{ why: 'the connection ended' }] })
  const again = join()
  again.connect()
  again.wait(300)
  t.is(again.joined.result, undefined)
})

test('who is in no network that is allowed is refused with the reason, and not known from others', (t) => {
  const args = { ...argsOf('n1'), networks: ['10.0.0.0/30', '192.0.2.0/24'] }
  const a = begun(tryActor(membership, { args, nowMs: NOW_MS }), 'n1')
  connect(a, n2)
  const outside = record('n9', { address: '10.0.0.9' })
  say(a, n2, { is: 'member', member: outside }, { is: 'member', member: record('n3', { address: '192.0.2.7' }) })
  t.deepEqual([...a.state.members.keys()], ['n1', 'n2', 'n3'])
  connect(a, outside)
  const why = "Member 'n9' (10.0.0.9:8301) is not in a network that is allowed here"
  t.like(
    sent(a).filter((one) => one.do === 'refused'),
    [{ to: outside.peer, why }],
  )
})
