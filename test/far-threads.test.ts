import test from 'ava'
import { createFarThread, type ToLinks } from '../src/far-threads.ts'
import type { Peer } from '../src/kernel/protocol.ts'

const BATCH = new Uint8Array([1])

function thread() {
  const said: ToLinks[] = []
  const happened: string[] = []
  const sends = new Map<Peer, (batch: Uint8Array<ArrayBuffer>) => void>()
  const far = createFarThread(() => ({
    connect(peer, send) {
      sends.set(peer, send)
      happened.push(`connect ${peer}`)
    },
    disconnect: (peer, why) => void happened.push(`disconnect ${peer}: ${why}`),
    receive: (peer) => void happened.push(`receive ${peer}`),
  }))
  const send = (peer: string) => sends.get(peer)?.(BATCH)
  return { far, said, happened, send }
}

test('without links, and without a server, nothing is reached', (t) => {
  const { far, said } = thread()
  t.deepEqual(far.reach('@n2/state'), { refused: 'gone', why: 'this agent has no links to others' })
  far.attach((message) => said.push(message))
  t.deepEqual(far.reach('server/state'), { refused: 'gone', why: 'No known Consul servers' })
  t.is(typeof far.reach('@n2/state'), 'function')
  t.deepEqual(said, [])
})

test('a channel is opened with its first batch and names the server that was in use; another server ends it', (t) => {
  const { far, said, happened, send } = thread()
  far.attach((message) => said.push(message))
  far.take({ far: 'server', datacenter: '', server: 4, why: '' })
  t.deepEqual(happened.splice(0), ['connect server/state', 'connect server/edge'])
  send('server/edge')
  send('server/edge')
  t.deepEqual(said.splice(0), [
    { far: 'open', channel: 3, peer: 'server/edge', server: 4 },
    { far: 'batch', channel: 3, batch: BATCH },
    { far: 'batch', channel: 3, batch: BATCH },
  ])
  far.take({ far: 'batch', channel: 3, batch: BATCH })
  far.take({ far: 'server', datacenter: '', server: 5, why: 'moved' })
  // What the server of before still says finds nobody.
  far.take({ far: 'batch', channel: 3, batch: BATCH })
  far.take({ far: 'lost', channel: 3, why: 'late' })
  t.deepEqual(happened, [
    'receive server/edge',
    'disconnect server/state: moved',
    'disconnect server/edge: moved',
    'connect server/state',
    'connect server/edge',
  ])
})

test('a channel that is lost takes no more; the same server is reached over a new one', (t) => {
  const { far, said, happened, send } = thread()
  far.attach((message) => said.push(message))
  far.take({ far: 'server', datacenter: '', server: 1, why: '' })
  far.take({ far: 'lost', channel: 1, why: 'its thread failed' })
  t.is(happened.at(-1), 'disconnect server/state: its thread failed')
  send('server/state')
  t.deepEqual(said, [])
  const again = far.reach('server/state')
  if (typeof again === 'function') again(BATCH)
  t.like(said[0], { far: 'open', channel: 5, peer: 'server/state', server: 1 })
})

test('who asks here is answered over its own channel; all are lost with the thread that has the links', (t) => {
  const { far, said, happened, send } = thread()
  far.attach((message) => said.push(message))
  far.take({ far: 'asked', channel: 2, peer: 'n2/0#2' })
  far.take({ far: 'batch', channel: 2, batch: BATCH })
  send('n2/0#2')
  t.deepEqual(said, [{ far: 'batch', channel: 2, batch: BATCH }])
  far.detach('the gossip thread failed')
  send('n2/0#2')
  t.is(said.length, 1)
  t.deepEqual(happened, ['connect n2/0#2', 'receive n2/0#2', 'disconnect n2/0#2: the gossip thread failed'])
})
