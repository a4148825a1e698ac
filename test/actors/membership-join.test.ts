import test from 'ava'
import { hear, isListen, listening, n2 } from '../kit/membership.ts'

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
