import { connect, createServer, type Server, type Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { authority, dialPlain, type End, type Material, Rig, serviceId } from './kit.ts'

const ORIGIN = authority()

function rigFor(t: ExecutionContext): Rig {
  const rig = new Rig()
  t.teardown(() => rig.end())
  return rig
}

let words = 0

/** A connection through both sidecars with a word said in it; the application's end of it. */
async function talk(rig: Rig, port: number, ends: readonly End[]): Promise<{ near: End; far: End }> {
  const near = await dialPlain(port, rig.lookout)
  words += 1
  const word = `word ${words}`
  near.send(word)
  const far = await rig.lookout.until(() => ends.find((end) => end.received() === word))
  return { near, far }
}

/** Where the connections of the mesh that db accepted came from: one place for each TLS connection. */
function origins(rig: Rig): Set<string> {
  return new Set(rig.eventsOf('accepted').flatMap(({ peer, from }) => (peer === undefined ? [] : [from])))
}

test('connections share a TLS connection; each is reported with its peer, and is closed by itself', async (t) => {
  const rig = rigFor(t)
  const { application, upstreamPort } = await rig.pair()
  const first = await talk(rig, upstreamPort, application.ends)
  const others = []
  for (let count = 0; count < 10; count++) others.push(await talk(rig, upstreamPort, application.ends))
  t.is(origins(rig).size, 1)
  const inbound = rig.eventsOf('accepted').filter(({ peer }) => peer)
  t.deepEqual(new Set(inbound.map(({ peer }) => peer?.uri)), new Set([serviceId('web')]))
  t.is(new Set(inbound.map(({ peer }) => peer?.serial)).size, 1)
  const denied = inbound[5]?.connection ?? 0
  t.deepEqual(await rig.ask({ do: 'close', connection: denied, why: 'denied by web => db' }), {})
  t.is((await rig.event('closed', ({ connection }) => connection === denied)).why, 'denied by web => db')
  const all = [first, ...others]
  await rig.lookout.until(() => all.some(({ near }) => near.closed() === 'reset'))
  for (const { near, far } of all.filter((pair) => pair.near.closed() === undefined)) {
    near.send('!')
    await rig.lookout.until(() => far.received().endsWith('!'))
  }
  t.is(all.filter(({ near }) => near.closed()).length, 1)
})

test('hundreds of connections get another TLS connection; a few share one, however many there are', async (t) => {
  const rig = rigFor(t)
  const { application, upstreamPort } = await rig.pair()
  const ends: End[] = []
  for (let batch = 0; batch < 6; batch++) {
    ends.push(...(await Promise.all(Array.from({ length: 50 }, () => dialPlain(upstreamPort, rig.lookout)))))
    await rig.lookout.until(() => application.ends.length === ends.length)
  }
  t.is(origins(rig).size, 2)
  for (const end of ends) end.reset()
  await rig.lookout.until(() => rig.eventsOf('closed').length === 2 * ends.length)
  rig.events.splice(0)
  for (let count = 0; count < 5; count++) await talk(rig, upstreamPort, application.ends)
  t.is(origins(rig).size, 1)
})

for (const renewed of ['web', 'db']) {
  test(`new TLS material of ${renewed}: what is open stays, what is new shakes hands anew`, async (t) => {
    const rig = rigFor(t)
    const { application, upstreamPort } = await rig.pair(ORIGIN)
    await talk(rig, upstreamPort, application.ends)
    const standing = await talk(rig, upstreamPort, application.ends)
    t.is(origins(rig).size, 1)
    await rig.identify(renewed, ORIGIN.issue(serviceId(renewed)))
    await talk(rig, upstreamPort, application.ends)
    t.is(origins(rig).size, 2)
    standing.near.send('!')
    await rig.lookout.until(() => standing.far.received().endsWith('!'))
    t.deepEqual(rig.eventsOf('dial-failed'), [])
    t.deepEqual(rig.eventsOf('closed'), [])
  })

  test(`a root that ${renewed} does not believe any more lets nothing new through, whatever is still open`, async (t) => {
    const rig = rigFor(t)
    const { application, upstreamPort } = await rig.pair(ORIGIN)
    await talk(rig, upstreamPort, application.ends)
    const standing = await talk(rig, upstreamPort, application.ends)
    await rig.identify(renewed, { ...ORIGIN.issue(serviceId(renewed)), rootsPem: [authority().certPem] })
    await dialPlain(upstreamPort, rig.lookout)
    await rig.event('dial-failed')
    standing.near.send('!')
    await rig.lookout.until(() => standing.far.received().endsWith('!'))
    t.is(application.ends.length, 2)
  })
}

test('connectionsMax counts connections, not TLS connections', async (t) => {
  const rig = rigFor(t)
  const { application, port } = await rig.application()
  await rig.identify('web', ORIGIN.issue(serviceId('web')))
  await rig.identify('db', ORIGIN.issue(serviceId('db')))
  const { port: publicPort, listener } = await rig.listen('db', 'public', { port }, { connectionsMax: 3 })
  const { port: upstreamPort } = await rig.listen('web', 'upstream', { port: publicPort, identity: serviceId('db') })
  for (let count = 0; count < 2; count++) await talk(rig, upstreamPort, application.ends)
  const third = await talk(rig, upstreamPort, application.ends)
  await dialPlain(upstreamPort, rig.lookout)
  t.is((await rig.event('dial-failed')).why, `dial tcp 127.0.0.1:${publicPort}: it takes no more connections`)
  t.like(await rig.event('handshake-failed'), { listener, why: 'too many connections: 3 are open, which is the limit' })
  third.near.reset()
  await rig.lookout.until(() => rig.eventsOf('closed').length === 2)
  await talk(rig, upstreamPort, application.ends)
  t.is(application.ends.length, 4)
})

/** A service of the mesh that is none of ours: says back what it hears. */
async function stranger(t: ExecutionContext, { certPem, keyPem, rootsPem }: Material, options: TlsOptions = {}) {
  const seen: TLSSocket[] = []
  const refused: string[] = []
  const secured = { cert: certPem, key: keyPem, ca: [...rootsPem], requestCert: true, rejectUnauthorized: true }
  const server = createTlsServer({ ...secured, ...options }, (socket) => {
    seen.push(socket)
    socket.on('error', () => socket.destroy())
    socket.pipe(socket)
  })
  server.on('tlsClientError', (error) => refused.push(error.message))
  t.teardown(() => {
    server.close()
    for (const socket of seen) socket.destroy()
  })
  return { port: await portOf(server), seen, refused, server }
}

async function portOf(server: Server, port = 0): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const bound = server.address()
  return typeof bound === 'object' && bound !== null ? bound.port : 0
}

async function echoed(rig: Rig, port: number, word: string): Promise<End> {
  const end = await dialPlain(port, rig.lookout)
  end.send(word)
  await rig.lookout.until(() => end.received() === word)
  return end
}

test('a destination that knows no protocols gets one TLS connection for each', async (t) => {
  const rig = rigFor(t)
  const { port, seen } = await stranger(t, ORIGIN.issue(serviceId('db')))
  await rig.identify('web', ORIGIN.issue(serviceId('web')))
  const { port: upstreamPort } = await rig.listen('web', 'upstream', { port, identity: serviceId('db') })
  for (const word of ['one', 'two', 'three']) await echoed(rig, upstreamPort, word)
  await Promise.all(['four', 'five'].map((word) => echoed(rig, upstreamPort, word)))
  t.is(seen.length, 5)
  t.deepEqual(rig.eventsOf('dial-failed'), [])
})

test('a destination that refuses protocols it does not know is asked once, and reached all the same', async (t) => {
  const rig = rigFor(t)
  const { port, seen, refused } = await stranger(t, ORIGIN.issue(serviceId('db')), { ALPNProtocols: ['h2'] })
  await rig.identify('web', ORIGIN.issue(serviceId('web')))
  const { port: upstreamPort } = await rig.listen('web', 'upstream', { port, identity: serviceId('db') })
  await Promise.all(['one', 'two', 'three'].map((word) => echoed(rig, upstreamPort, word)))
  await echoed(rig, upstreamPort, 'four')
  t.is(seen.length, 4)
  t.is(refused.length, 1)
  t.deepEqual(rig.eventsOf('dial-failed'), [])
})

test('a sidecar in whose place comes something else is found out', async (t) => {
  const rig = rigFor(t)
  const { application, upstreamPort, publicPort } = await rig.pair(ORIGIN)
  await talk(rig, upstreamPort, application.ends)
  await talk(rig, upstreamPort, application.ends)
  await rig.ask({ do: 'forget', owner: 'db' })
  const { certPem, keyPem, rootsPem } = ORIGIN.issue(serviceId('db'))
  const secured = { cert: certPem, key: keyPem, ca: [...rootsPem], requestCert: true, rejectUnauthorized: true }
  const server = createTlsServer(secured, (socket) => {
    socket.on('error', () => socket.destroy())
    socket.pipe(socket)
  })
  t.teardown(() => server.close())
  await portOf(server, publicPort)
  await echoed(rig, upstreamPort, 'anybody there?')
  t.deepEqual(rig.eventsOf('dial-failed'), [])
})

for (const protocols of [[], ['h2'], ['h2', 'http/1.1']]) {
  test(`a client that proposes ${protocols.join(' and ') || 'nothing'} is served, and nothing is agreed on`, async (t) => {
    const rig = rigFor(t)
    const { application, publicPort } = await rig.pair(ORIGIN)
    const { certPem, keyPem, rootsPem } = ORIGIN.issue(serviceId('web'))
    const socket = connectTls({
      port: publicPort,
      host: '127.0.0.1',
      cert: certPem,
      key: keyPem,
      ca: [...rootsPem],
      checkServerIdentity: () => undefined,
      ...(protocols.length > 0 && { ALPNProtocols: protocols }),
    })
    t.teardown(() => socket.destroy())
    socket.write('hello')
    const far = await application.next()
    await rig.lookout.until(() => far.received() === 'hello')
    t.is(socket.alpnProtocol, false)
  })
}

/** Passes bytes on in pieces of this size, until it is told to be silent. */
async function tunnel(t: ExecutionContext, port: number, pieceBytes = Number.POSITIVE_INFINITY) {
  const sockets: Socket[] = []
  let isSilent = false
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port, host: '127.0.0.1', noDelay: true })
    sockets.push(near, far)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('error', () => to.destroy())
      from.on('close', () => to.destroy())
      let turn = Promise.resolve()
      from.on('data', (bytes: Buffer) => {
        if (isSilent && sockets.indexOf(from) < silentBelow) return
        for (let at = 0; at < bytes.length; at += pieceBytes) {
          const piece = bytes.subarray(at, at + Math.min(pieceBytes, bytes.length))
          turn = turn.then(() => new Promise((resolve) => void to.write(piece, () => setImmediate(resolve))))
        }
      })
    }
  })
  let silentBelow = 0
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return {
    port: await portOf(server),
    sockets,
    /** What goes through it now says nothing any more; what comes later does. */
    silence: () => {
      isSilent = true
      silentBelow = sockets.length
    },
  }
}

test('a first message that comes in pieces is understood', async (t) => {
  const rig = rigFor(t)
  const { application, publicPort } = await rig.pair(ORIGIN)
  const { port } = await tunnel(t, publicPort, 40)
  const { port: upstreamPort } = await rig.listen('web', 'upstream', { port, identity: serviceId('db') })
  await talk(rig, upstreamPort, application.ends)
  await talk(rig, upstreamPort, application.ends)
  await talk(rig, upstreamPort, application.ends)
  t.is(origins(rig).size, 1)
})

test('a TLS connection that does not answer any more is left alone for another one', async (t) => {
  const rig = rigFor(t)
  const { application, publicPort } = await rig.pair(ORIGIN)
  const { port, silence, sockets } = await tunnel(t, publicPort)
  const { port: upstreamPort } = await rig.listen('web', 'upstream', { port, identity: serviceId('db') })
  await talk(rig, upstreamPort, application.ends)
  await talk(rig, upstreamPort, application.ends)
  t.is(sockets.length, 4)
  silence()
  await talk(rig, upstreamPort, application.ends)
  await talk(rig, upstreamPort, application.ends)
  t.deepEqual(rig.eventsOf('dial-failed'), [])
  t.is(sockets.length, 6)
})

test('while both sides get new material again and again, every connection gets through', async (t) => {
  const rig = rigFor(t)
  const { application, upstreamPort } = await rig.pair(ORIGIN)
  const rounds = 25
  let talked = 0
  let isOver = false
  const steady = async () => {
    while (!isOver) {
      const { near, far } = await talk(rig, upstreamPort, application.ends)
      near.end()
      await rig.lookout.until(() => far.isEnded())
      far.end()
      await rig.lookout.until(() => near.closed())
      t.is(near.closed(), 'ended')
      talked += 1
    }
  }
  const traffic = [steady(), steady(), steady()]
  for (let round = 1; round <= rounds; round++) {
    const service = round % 2 === 0 ? 'web' : 'db'
    await rig.identify(service, ORIGIN.issue(serviceId(service)))
    await rig.lookout.until(() => talked >= round * 2)
  }
  isOver = true
  await Promise.all(traffic)
  t.deepEqual(rig.eventsOf('dial-failed'), [])
  t.deepEqual(rig.eventsOf('handshake-failed'), [])
  t.true(origins(rig).size > rounds / 2)
})
