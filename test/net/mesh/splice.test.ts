import test from 'ava'
import { dialPlain, Rig } from './kit.ts'

test('bytes pass both ways through two sidecars, and both ends are known to each other', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  const { application, upstreamPort } = await rig.pair()
  const client = await dialPlain(upstreamPort, rig.lookout)
  client.send('question')
  const server = await application.next()
  await rig.lookout.until(() => server.received() === 'question')
  server.send('answer')
  await rig.lookout.until(() => client.received() === 'answer')
  client.end()
  await rig.lookout.until(() => server.isEnded())
  server.end()
  await rig.lookout.until(() => client.closed())
  t.is(client.closed(), 'ended')
  await rig.lookout.until(() => rig.eventsOf('closed').length === 2)
  for (const { receivedBytes, sentBytes, why } of rig.eventsOf('closed')) {
    t.deepEqual({ receivedBytes, sentBytes, why }, { receivedBytes: 8, sentBytes: 6, why: 'finished by both ends' })
  }
  const [seenByWeb] = rig.eventsOf('connected').filter(({ peer }) => peer)
  const [seenByDb] = rig.eventsOf('accepted').filter(({ peer }) => peer)
  t.regex(seenByWeb?.peer?.uri ?? '', /svc\/db$/)
  t.regex(seenByDb?.peer?.uri ?? '', /svc\/web$/)
  t.regex(seenByDb?.peer?.serial ?? '', /^[0-9a-f]{2}(:[0-9a-f]{2})*$/)
})

test('nothing that the caller sends before the destination is reached gets lost', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  const { application, port } = await rig.application()
  const { port: upstreamPort } = await rig.listen('web', 'upstream', undefined)
  const client = await dialPlain(upstreamPort, rig.lookout)
  client.send('early ')
  client.end()
  const { connection } = await rig.event('accepted')
  await rig.ask({ do: 'connect', connection, host: '127.0.0.1', port, withinMs: 5_000 })
  const server = await application.next()
  await rig.lookout.until(() => server.isEnded())
  t.is(server.received(), 'early ')
})

test('the end of one direction leaves the other usable, through TLS', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  const { application, upstreamPort } = await rig.pair()
  const client = await dialPlain(upstreamPort, rig.lookout)
  client.send('last words')
  client.end()
  const server = await application.next()
  await rig.lookout.until(() => server.isEnded())
  t.is(server.received(), 'last words')
  for (const part of ['still ', 'here']) {
    server.send(part)
    await rig.lookout.until(() => client.received().endsWith(part))
  }
  t.is(client.closed(), undefined)
  server.end()
  await rig.lookout.until(() => client.closed())
  t.is(client.received(), 'still here')
})

test('the destination may end its direction first', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  const { application, upstreamPort } = await rig.pair()
  const client = await dialPlain(upstreamPort, rig.lookout)
  const server = await application.next()
  server.send('all I have')
  server.end()
  await rig.lookout.until(() => client.isEnded())
  client.send('thanks')
  await rig.lookout.until(() => server.received() === 'thanks')
  client.end()
  await rig.lookout.until(() => server.closed())
  t.is(server.closed(), 'ended')
})

for (const who of ['caller', 'destination'] as const) {
  test(`a reset by the ${who} is a reset at the other end, through both sidecars`, async (t) => {
    const rig = new Rig()
    t.teardown(() => rig.end())
    const { application, upstreamPort } = await rig.pair()
    const client = await dialPlain(upstreamPort, rig.lookout)
    client.send('x')
    const server = await application.next()
    await rig.lookout.until(() => server.received() === 'x')
    const [one, other] = who === 'caller' ? [client, server] : [server, client]
    one.reset()
    await rig.lookout.until(() => other.closed())
    t.is(other.closed(), 'reset')
    await rig.lookout.until(() => rig.eventsOf('closed').length === 2)
    t.deepEqual(
      rig.eventsOf('closed').map(({ why }) => why),
      [`reset by the ${who}`, `reset by the ${who}`],
    )
  })
}

test('a connection is closed on request within milliseconds, on both legs, with the reason given', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  const { application, upstreamPort } = await rig.pair()
  const client = await dialPlain(upstreamPort, rig.lookout)
  client.send('x')
  const server = await application.next()
  await rig.lookout.until(() => server.received() === 'x')
  const { connection } = await rig.event('accepted', ({ peer }) => peer !== undefined)
  const beganMs = performance.now()
  t.deepEqual(await rig.ask({ do: 'close', connection, why: 'denied by web => db' }), {})
  await rig.lookout.until(() => client.closed() && server.closed())
  t.true(performance.now() - beganMs < 1_000)
  t.is(client.closed(), 'reset')
  t.is(server.closed(), 'reset')
  const { why } = await rig.event('closed', (event) => event.connection === connection)
  t.is(why, 'denied by web => db')
  await rig.lookout.until(() => rig.eventsOf('closed').length === 2)
  t.like(await rig.ask({ do: 'close', connection, why: '' }), { refused: 'gone' })
})

test('a slow reader stops the sender; memory stays bounded and nothing is lost', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  const { application, upstreamPort } = await rig.pair()
  const client = await dialPlain(upstreamPort, rig.lookout)
  client.send('x')
  const server = await application.next()
  await rig.lookout.until(() => server.received() === 'x')
  client.socket.pause()
  const block = Buffer.alloc(1 << 20, 'b')
  const totalBytes = 256 * block.length
  let offeredBytes = 0
  let stalled = false
  const offer = () => {
    while (offeredBytes < totalBytes) {
      offeredBytes += block.length
      if (!server.socket.write(block)) {
        server.socket.once('drain', offer)
        return
      }
    }
  }
  offer()
  // The sender's own timer sees no progress for a whole second: everything between both ends is full.
  await new Promise<void>((resolve) => {
    server.socket.setTimeout(1_000, () => {
      stalled = true
      resolve()
    })
  })
  t.true(stalled)
  server.socket.setTimeout(0)
  t.true(offeredBytes < totalBytes / 4, `${offeredBytes} bytes were taken from the sender`)
  client.socket.resume()
  await rig.lookout.until(() => client.receivedBytes() === totalBytes)
  t.is(offeredBytes, totalBytes)
})
