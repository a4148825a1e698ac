import { connect, createServer, type Socket } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import type { Carried } from '../../../net/mesh/carried.ts'
import { Carrier, type CarrierHost, type Opening } from '../../../net/mesh/carrier.ts'
import { KIND, OVERDRAFT_BYTES, REFUSED, WINDOW_BYTES, writeHeader } from '../../../net/mesh/frames.ts'
import type { PeerCertificate } from '../../../net/mesh/tls.ts'
import { Lookout, serviceId } from './kit.ts'

const PEER: PeerCertificate = { uri: serviceId('db'), serial: '01', fault: undefined, expiresMs: Number.MAX_SAFE_INTEGER }

/** Both ends of a plain socket: a carrier needs no TLS to be tried. */
async function sockets(t: ExecutionContext): Promise<[Socket, Socket]> {
  const server = createServer({ noDelay: true })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const bound = server.address()
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve))
  const near = connect({ port: typeof bound === 'object' && bound !== null ? bound.port : 0, host: '127.0.0.1', noDelay: true })
  const far = await accepted
  server.close()
  for (const socket of [near, far]) {
    socket.on('error', () => undefined)
    t.teardown(() => socket.destroy())
  }
  return [near, far]
}

type Taken = { stream: Carried; received: () => number; ended: () => boolean; closed: () => string | undefined; isSlow: boolean }

/** A stream with somebody at its end, who takes everything unless `isSlow`. */
function take(stream: Carried, lookout: Lookout): Taken {
  let received = 0
  let ended = false
  let failed = false
  let closed: string | undefined
  const taken: Taken = { stream, received: () => received, ended: () => ended, closed: () => closed, isSlow: false }
  stream.watch(
    () => {
      failed = true
    },
    () => {
      closed = failed ? 'cut off' : 'ended'
      lookout.changed()
    },
  )
  stream.flow({
    data({ bytes, release }) {
      received += bytes.length
      release?.()
      lookout.changed()
      return !taken.isSlow
    },
    end() {
      ended = true
      lookout.changed()
    },
  })
  return taken
}

async function pair(
  t: ExecutionContext,
  { refusal, peer = PEER, idleMs = 60_000 }: { refusal?: CarrierHost['refusal']; peer?: PeerCertificate; idleMs?: number } = {},
) {
  const lookout = new Lookout()
  const [nearSocket, farSocket] = await sockets(t)
  const taken: Taken[] = []
  const ended: string[] = []
  const side = (name: string) => ({
    idleMs,
    ended: () => {
      ended.push(name)
      lookout.changed()
    },
  })
  const near = new Carrier({ stream: nearSocket, peer: PEER, ...side('near') })
  const far = new Carrier({
    stream: farSocket,
    peer,
    ...side('far'),
    host: {
      refusal: refusal ?? (() => undefined),
      arrived: (stream) => {
        taken.push(take(stream, lookout))
        lookout.changed()
      },
    },
  })
  const ask = (): Promise<Opening> => new Promise((resolve) => void near.open(resolve))
  const open = async (): Promise<[Taken, Taken]> => {
    const position = taken.length
    const opening = await ask()
    if (!('carried' in opening)) throw new Error(`not taken: ${JSON.stringify(opening)}`)
    return [take(opening.carried, lookout), await lookout.until(() => taken[position])]
  }
  return { lookout, near, far, nearSocket, farSocket, ended, ask, open }
}

test('streams end by themselves, one direction at a time', async (t) => {
  const { lookout, open, near } = await pair(t)
  const [one, farOne] = await open()
  const [other, farOther] = await open()
  one.stream.write({ bytes: Buffer.from('hello') })
  one.stream.end()
  await lookout.until(() => farOne.ended())
  t.is(farOne.received(), 5)
  farOne.stream.write({ bytes: Buffer.alloc(100_000) })
  farOne.stream.end()
  await lookout.until(() => one.closed() && farOne.closed())
  t.deepEqual([one.received(), one.closed(), farOne.closed()], [100_000, 'ended', 'ended'])
  other.stream.write({ bytes: Buffer.from('still here') })
  await lookout.until(() => farOther.received() === 10)
  t.is(near.size, 1)
})

test('a reset cuts off one stream and no other', async (t) => {
  const { lookout, open } = await pair(t)
  const [one, farOne] = await open()
  const [other, farOther] = await open()
  farOne.stream.reset()
  await lookout.until(() => one.closed())
  t.is(one.closed(), 'cut off')
  other.stream.write({ bytes: Buffer.from('x') })
  await lookout.until(() => farOther.received() === 1)
  t.is(other.closed(), undefined)
})

test('whoever takes nothing stops its own stream after a window, and no other', async (t) => {
  const { lookout, open } = await pair(t)
  const [one, farOne] = await open()
  const [other, farOther] = await open()
  farOne.isSlow = true
  let sentBytes = 0
  let drained = 0
  one.stream.drained = () => {
    drained += 1
    lookout.changed()
  }
  const block = Buffer.alloc(OVERDRAFT_BYTES)
  for (let more = true; more; sentBytes += block.length) more = one.stream.write({ bytes: block })
  t.true(sentBytes <= WINDOW_BYTES + 2 * block.length, `${sentBytes}`)
  const bulkBytes = 20 * WINDOW_BYTES
  let bulk = 0
  const push = () => {
    for (let more = true; more && bulk < bulkBytes; bulk += block.length) more = other.stream.write({ bytes: block })
  }
  other.stream.drained = push
  push()
  await lookout.until(() => farOther.received() >= bulkBytes)
  t.is(drained, 0)
  farOne.isSlow = false
  farOne.stream.resume()
  await lookout.until(() => drained > 0 && farOne.received() === sentBytes)
  t.pass()
})

test('many streams in bulk all get their turn', async (t) => {
  const { lookout, open } = await pair(t)
  const block = Buffer.alloc(OVERDRAFT_BYTES)
  const ends: Taken[] = []
  for (let count = 0; count < 12; count++) {
    const [near, far] = await open()
    ends.push(far)
    let left = 40
    const push = () => {
      for (let more = true; more && left > 0; left--) more = near.stream.write({ bytes: block })
      if (left === 0) near.stream.end()
    }
    near.stream.drained = push
    push()
  }
  await lookout.until(() => ends.every((end) => end.ended()))
  t.deepEqual(new Set(ends.map((end) => end.received())), new Set([40 * block.length]))
})

test('a retired one takes no new streams and ends with its last one, on both sides', async (t) => {
  const { lookout, far, open, ask, near, ended, nearSocket, farSocket } = await pair(t)
  const [one, farOne] = await open()
  far.retire()
  t.deepEqual(await ask(), { again: true, why: 'the connection was closed during the TLS handshake' })
  t.false(near.takesMore())
  one.stream.write({ bytes: Buffer.from('last words') })
  one.stream.end()
  await lookout.until(() => farOne.ended())
  t.is(farOne.received(), 10)
  t.deepEqual(ended, [])
  farOne.stream.end()
  await lookout.until(() => ended.length === 2)
  t.deepEqual(ended.sort(), ['far', 'near'])
  await Promise.all([nearSocket, farSocket].map((socket) => socket.closed || new Promise((resolve) => socket.once('close', resolve))))
})

test('what was asked for when it ends is to be asked for elsewhere', async (t) => {
  const { far, ask, open } = await pair(t)
  const [one] = await open()
  one.stream.reset()
  const asked = [ask(), ask()]
  far.retire()
  for (const opening of await Promise.all(asked)) t.like(opening, { again: true })
})

test("no new streams once the other side's certificate has ended", async (t) => {
  const peer = { ...PEER, expiresMs: Number.MAX_SAFE_INTEGER }
  const { ask, open, lookout } = await pair(t, { peer })
  const [one, farOne] = await open()
  Object.assign(peer, { expiresMs: Date.now() - 1 })
  t.like(await ask(), { again: true })
  one.stream.write({ bytes: Buffer.from('x') })
  await lookout.until(() => farOne.received() === 1)
  t.pass()
})

test('a host may refuse', async (t) => {
  const { ask } = await pair(t, { refusal: () => REFUSED.limit })
  t.deepEqual(await ask(), { full: true })
})

test('it ends when nobody has used it for a while', async (t) => {
  const { lookout, ended } = await pair(t, { idleMs: 30 })
  await lookout.until(() => ended.length === 2)
  t.deepEqual(ended.sort(), ['far', 'near'])
})

test('when the socket is lost all streams are cut off', async (t) => {
  const { lookout, open, farSocket, ended } = await pair(t)
  const all = [await open(), await open()].flat()
  farSocket.resetAndDestroy()
  await lookout.until(() => all.every((taken) => taken.closed()))
  t.deepEqual(new Set(all.map((taken) => taken.closed())), new Set(['cut off']))
  t.deepEqual(ended.sort(), ['far', 'near'])
})

function frameOf(stream: number, kind: number, value: number, bytes = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(8)
  writeHeader(header, 0, stream, kind, value)
  return Buffer.concat([header, bytes])
}

const wrong: { name: string; bytes: () => Buffer }[] = [
  { name: 'an unknown kind', bytes: () => frameOf(1, 77, 0) },
  { name: 'a stream number used before', bytes: () => Buffer.concat([frameOf(5, KIND.open, 0), frameOf(5, KIND.open, 0)]) },
  {
    name: 'more than was granted',
    bytes: () => {
      const bytes = Buffer.alloc(WINDOW_BYTES + OVERDRAFT_BYTES + 1)
      return Buffer.concat([frameOf(1, KIND.open, 0), frameOf(1, KIND.data, bytes.length, bytes)])
    },
  },
  {
    name: 'bytes after the end',
    bytes: () => Buffer.concat([frameOf(1, KIND.open, 0), frameOf(1, KIND.end, 0), frameOf(1, KIND.data, 1, Buffer.alloc(1))]),
  },
]

for (const { name, bytes } of wrong) {
  test(`whoever sends ${name} is cut off`, async (t) => {
    const lookout = new Lookout()
    const [nearSocket, farSocket] = await sockets(t)
    let isOver = false
    new Carrier({
      stream: farSocket,
      peer: PEER,
      idleMs: 60_000,
      ended: () => {
        isOver = true
        lookout.changed()
      },
      host: {
        refusal: () => undefined,
        arrived: (stream) => {
          take(stream, lookout).isSlow = true
        },
      },
    })
    nearSocket.resume()
    nearSocket.write(bytes())
    await lookout.until(() => isOver)
    t.true(farSocket.destroyed)
  })
}

test('frames about streams that are gone are no news', async (t) => {
  const { lookout, open, nearSocket } = await pair(t)
  const [one, farOne] = await open()
  for (const kind of [KIND.end, KIND.reset, KIND.grant, KIND.accepted, KIND.refused]) nearSocket.write(frameOf(900, kind, 0))
  nearSocket.write(frameOf(900, KIND.data, 3, Buffer.from('abc')))
  one.stream.write({ bytes: Buffer.from('fine') })
  await lookout.until(() => farOne.received() === 4)
  t.pass()
})

test('whoever asks on and on and does not read is cut off', async (t) => {
  const lookout = new Lookout()
  const [nearSocket, farSocket] = await sockets(t)
  let isOver = false
  new Carrier({
    stream: farSocket,
    peer: PEER,
    idleMs: 60_000,
    ended: () => {
      isOver = true
      lookout.changed()
    },
  })
  const pings = Buffer.concat(Array.from({ length: 8_192 }, () => frameOf(0, KIND.ping, 0)))
  const ask = () => {
    if (!isOver) nearSocket.write(pings, ask)
  }
  ask()
  await lookout.until(() => isOver)
  t.true(farSocket.destroyed)
})
