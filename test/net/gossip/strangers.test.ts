import { createHmac, randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import test from 'ava'
import { createLibp2p } from 'libp2p'
import { openIdentity } from '../../../net/gossip/identity.ts'
import { createNetwork } from '../../../net/gossip/network-keys.ts'
import type { GossipEvent } from '../../../src/kernel/ports.ts'
import { type Arm, type End, KEYS, realArm } from '../../ports/gossip-arms.ts'

const PROTOCOL = '/tribune/messages/1'
const [KEY] = KEYS

for (const [what, bytes, why] of [
  ['a request of HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: example.com\r\nAccept: */*\r\n\r\n'), 'it speaks no gossip'],
  ['chance', randomBytes(4_096), 'it speaks no gossip'],
  ['too many keys', Buffer.concat([Buffer.from('TRIBUNE1\xff', 'latin1'), randomBytes(4_096)]), 'it speaks no gossip'],
  ['proofs of no key', Buffer.concat([Buffer.from('TRIBUNE1\x02', 'latin1'), randomBytes(64)]), 'it has none of the keys of this agent'],
  ['no key', Buffer.concat([Buffer.from('TRIBUNE1\0', 'latin1'), randomBytes(32)]), 'it has no key'],
  ['half of it', Buffer.from('TRIB'), 'the connection ended'],
  ['a known key and then chance', introduction(KEY), undefined],
] as const) {
  test(`a stranger that sends ${what} is refused, and the agent goes on`, async (t) => {
    const { arm, end, port } = await listening(t, [KEY])
    const ended = Promise.withResolvers<void>()
    const socket = connect(port, arm.host, () => {
      socket.write(bytes)
      if (what === 'half of it') socket.end()
    })
    socket.on('error', () => undefined).on('close', () => ended.resolve())
    socket.resume()
    if (why !== undefined) {
      const said = await arm.until(() => of(end, 'refused')[0])
      t.deepEqual(said, { did: 'refused', who: arm.host, why, times: 1 })
    }
    await ended.promise
    await reachable(arm, end, port)
    t.pass()
  })
}

test('a peer that announces a message without end is cut off, and one that sends no msgpack is told of', async (t) => {
  const { arm, end, port } = await listening(t, [])
  const { stranger, peer } = await peerOfStrangers(t)
  const sent = async (bytes: Buffer) => {
    const connection = await stranger.dial(multiaddr(`/ip4/${arm.host}/tcp/${port}`))
    const stream = await connection.newStream(PROTOCOL)
    stream.send(bytes)
  }
  await sent(Buffer.from([0, 0, 0, 2, 0xc1, 0xc1, 0, 0, 0, 1, 0x05, 0, 0, 0, 1, 0x80]))
  const said = await arm.until(() => of(end, 'refused')[0])
  t.is(said.who, peer)
  t.regex(said.why, /^a message that is no/)
  t.deepEqual((await arm.until(() => of(end, 'message')[0])).message, {})
  await sent(Buffer.from([0xff, 0xff, 0xff, 0xff]))
  t.is((await arm.until(() => of(end, 'disconnected')[0])).peer, peer)
})

test('a peer that takes no messages is sent away', async (t) => {
  const { arm, end, port } = await listening(t, [])
  const { stranger, peer } = await peerOfStrangers(t, false)
  const connection = await stranger.dial(multiaddr(`/ip4/${arm.host}/tcp/${port}`))
  await connection.newStream(PROTOCOL)
  const said = await arm.until(() => of(end, 'refused')[0])
  t.is(said.who, peer)
  t.regex(said.why, /^it takes no messages/)
  t.deepEqual(of(end, 'connected'), [])
})

test('a peer that does not read costs a bounded queue', async (t) => {
  const { arm, end, port } = await listening(t, [])
  const { stranger, peer } = await peerOfStrangers(t, (stream) => stream.pause())
  const connection = await stranger.dial(multiaddr(`/ip4/${arm.host}/tcp/${port}`))
  await connection.newStream(PROTOCOL)
  await arm.until(() => of(end, 'connected')[0])
  const message = { text: 'x'.repeat(60_000) }
  const answers: (string | undefined)[] = []
  while (!answers.includes('busy') && answers.length < 1_000) {
    const outcome = await end.ask({ do: 'send', peer, message })
    answers.push('refused' in outcome ? outcome.refused : undefined)
  }
  t.deepEqual([...new Set(answers)], [undefined, 'busy'])
  t.true(answers.length < 40)
})

type Tearing = { teardown(work: () => Promise<void>): void }

async function listening(t: Tearing, keys: string[]): Promise<{ arm: Arm; end: End; port: number }> {
  const arm = realArm()
  t.teardown(() => arm.close())
  const end = arm.end()
  const { port = 0 } = await end.must({ do: 'listen', address: arm.host, port: 0, keys })
  return { arm, end, port }
}

/** Somebody with libp2p who takes messages as given; `false`: none at all. */
async function peerOfStrangers(t: Tearing, take: false | ((stream: { pause(): void }) => void) = () => undefined) {
  const stranger = await createLibp2p({
    privateKey: await openIdentity(undefined),
    transports: [tcp()],
    connectionProtector: createNetwork(() => undefined).protector,
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
  })
  t.teardown(async () => stranger.stop())
  if (take !== false) await stranger.handle(PROTOCOL, take)
  return { stranger, peer: stranger.peerId.toString() }
}

async function reachable(arm: Arm, end: End, port: number): Promise<void> {
  const other = arm.end()
  await other.must({ do: 'listen', address: arm.host, port: 0, keys: [KEY] })
  await other.must({ do: 'dial', addresses: [{ host: arm.host, port }] })
  await arm.until(() => of(end, 'connected')[0])
}

function of<Did extends GossipEvent['did']>(end: End, did: Did): Extract<GossipEvent, { did: Did }>[] {
  return end.events.filter((event) => event.did === did) as never
}

/** What somebody sends who has the key, but nothing to say after. */
function introduction(key: string): Buffer {
  const nonce = randomBytes(32)
  const tag = createHmac('sha256', Buffer.from(key, 'base64')).update('tribune network key').update(nonce).digest().subarray(0, 16)
  return Buffer.concat([Buffer.from('TRIBUNE1\x01', 'latin1'), nonce, tag, randomBytes(4_096)])
}
