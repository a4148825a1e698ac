import { connect, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { KIND, PROTOCOL, REFUSED, writeHeader } from '../../../net/mesh/frames.ts'
import { authority, Rig, serviceId } from './kit.ts'

const ORIGIN = authority()

/** db's public listener. Its connections are left waiting. */
async function target(t: ExecutionContext): Promise<{ rig: Rig; port: number }> {
  const rig = new Rig()
  t.teardown(() => rig.end())
  await rig.identify('db', ORIGIN.issue(serviceId('db')))
  const { port } = await rig.listen('db', 'public', undefined, { handshakeMs: 60_000 })
  return { rig, port }
}

function secured(rig: Rig, port: number, protocols: string[] = []): TLSSocket {
  const { certPem, keyPem } = ORIGIN.issue(serviceId('web'))
  const options = { cert: certPem, key: keyPem, rejectUnauthorized: false, ...(protocols.length > 0 && { ALPNProtocols: protocols }) }
  const socket = connectTls({ port, host: '127.0.0.1', ...options })
  rig.lookout.sockets.push(socket)
  socket.on('error', () => socket.destroy())
  return socket
}

/** The first message of a TLS client, taken from one that speaks to nobody. */
async function firstMessage(): Promise<Buffer> {
  const { createServer } = await import('node:net')
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.once('data', (bytes) => {
        resolve(bytes)
        socket.destroy()
        server.close()
      })
    })
    server.listen(0, '127.0.0.1', () => {
      const bound = server.address()
      const client = connectTls({ port: typeof bound === 'object' && bound !== null ? bound.port : 0, host: '127.0.0.1' })
      client.on('error', () => client.destroy())
    })
  })
}

const HANDSHAKES_MAX = 4_096
const MORE = 204

for (const { name, bytes } of [
  { name: 'say nothing', bytes: async () => Buffer.alloc(0) },
  { name: 'begin a handshake and stop', bytes: firstMessage },
]) {
  test.serial(`thousands who ${name} are held up to a bound, the oldest go, and a new client is served`, async (t) => {
    const { rig, port } = await target(t)
    const hello = await bytes()
    const before = process.memoryUsage().rss
    for (let begun = 0; begun < HANDSHAKES_MAX + MORE; begun += 100) {
      await Promise.all(Array.from({ length: 100 }, () => beginAndStop(rig, port, hello)))
    }
    t.log(`${Math.round((process.memoryUsage().rss - before) / 1_048_576)} MB`)
    secured(rig, port)
    const { peer } = await rig.event('accepted')
    t.is(peer?.uri, serviceId('web'))
    await rig.lookout.until(() => rig.eventsOf('handshake-failed').length > MORE)
    t.is(rig.eventsOf('handshake-failed').length, MORE + 1)
    t.true(rig.eventsOf('handshake-failed').every(({ why }) => why === 'the TLS handshake took too long: 4096 others began since'))
  })
}

function beginAndStop(rig: Rig, port: number, bytes: Buffer): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes, () => resolve(socket)))
    rig.lookout.sockets.push(socket)
    socket.on('error', () => socket.destroy())
    socket.resume()
  })
}

test('one peer opens streams up to a bound; those beyond are refused, and the others stay', async (t) => {
  const { rig, port } = await target(t)
  const socket = secured(rig, port, [PROTOCOL])
  const refused: number[] = []
  const kept: Buffer[] = []
  socket.on('data', (bytes: Buffer) => {
    kept.push(bytes)
    const all = Buffer.concat(kept.splice(0))
    const whole = all.length - (all.length % 8)
    for (let at = 0; at < whole; at += 8) if (all[at + 4] === KIND.refused) refused.push(all.readUInt8(at + 7))
    if (whole < all.length) kept.push(all.subarray(whole))
    rig.lookout.changed()
  })
  const frames = Buffer.alloc((STREAMS_MAX + 10) * 8)
  for (let number = 1; number <= STREAMS_MAX + 10; number++) writeHeader(frames, (number - 1) * 8, number, KIND.open, 0)
  socket.write(frames)
  await rig.lookout.until(() => refused.length === 10)
  t.deepEqual(new Set(refused), new Set([REFUSED.limit]))
  t.is(rig.eventsOf('accepted').length, STREAMS_MAX)
  t.deepEqual(rig.eventsOf('closed'), [])
})

test('TLS connections to be shared that nobody uses go once there are too many, the oldest first', async (t) => {
  const { rig, port } = await target(t)
  const begin = () =>
    new Promise<TLSSocket>((resolve) => {
      const socket = secured(rig, port, [PROTOCOL])
      socket.resume()
      socket.once('secureConnect', () => resolve(socket))
      socket.once('close', rig.lookout.changed)
    })
  const used = await begin()
  const frame = Buffer.alloc(8)
  writeHeader(frame, 0, 1, KIND.open, 0)
  used.write(frame)
  await rig.event('accepted')
  const idle: TLSSocket[] = []
  for (let begun = 0; begun < CARRIERS_MAX + 20; begun += 20) idle.push(...(await Promise.all(Array.from({ length: 20 }, begin))))
  await rig.lookout.until(() => idle.filter(({ destroyed }) => destroyed).length >= idle.length + 1 - CARRIERS_MAX)
  t.false(used.destroyed)
  t.true(idle.slice(-CARRIERS_MAX / 2).every(({ destroyed }) => !destroyed))
})

const STREAMS_MAX = 4_096
const CARRIERS_MAX = 1_024
