import { connect, createServer, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import test from 'ava'
import fc from 'fast-check'
import { clientOnly, nameless, serverOnly, twoNamed } from './fixtures.ts'
import { authority, crossSigned, dialPlain, type Material, Rig, serviceId, type TestAuthority } from './kit.ts'

const ORIGIN = authority()

/** db's public listener, and what a client with this material sees of it: how its connection ended. */
async function publicListener(rig: Rig, material: Material = ORIGIN.issue(serviceId('db')), limits: { handshakeMs?: number } = {}) {
  await rig.identify('db', material)
  const { port } = await rig.listen('db', 'public', undefined, limits)
  return port
}

/** Opens a TLS connection that believes anybody, and lets it be. */
function client(port: number, options: ConnectionOptions): Socket {
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options })
  socket.on('error', () => socket.destroy())
  return socket
}

function shown({ certPem, keyPem }: Material): ConnectionOptions {
  return { cert: certPem, key: keyPem }
}

const unacceptable: { name: string; roots?: Material; options: () => ConnectionOptions; why: RegExp; serial: boolean }[] = [
  { name: 'no certificate', options: () => ({}), why: /^no client certificate was shown$/, serial: false },
  { name: 'an unknown CA', options: () => shown(authority().issue(serviceId('web'))), why: /unknown CA/, serial: true },
  {
    name: 'an expired certificate',
    options: () => shown(ORIGIN.issue(serviceId('web'), { notBeforeMs: Date.now() - 7_200_000, notAfterMs: Date.now() - 3_600_000 })),
    why: /^the certificate has expired$/,
    serial: true,
  },
  {
    name: 'a certificate of tomorrow',
    options: () => shown(ORIGIN.issue(serviceId('web'), { notBeforeMs: Date.now() + 86_400_000, notAfterMs: Date.now() + 172_800_000 })),
    why: /^the certificate is not valid yet$/,
    serial: true,
  },
  {
    name: 'a certificate for servers',
    roots: serverOnly,
    options: () => shown(serverOnly),
    why: /not meant for this purpose/,
    serial: true,
  },
  { name: 'a certificate without a SPIFFE id', roots: nameless, options: () => shown(nameless), why: /no SPIFFE id/, serial: true },
  {
    name: 'a certificate of two services',
    roots: twoNamed,
    options: () => shown(twoNamed),
    why: /^the certificate names 2 URIs, a service has one: spiffe:\/\/\S+\/svc\/web spiffe:\/\/\S+\/svc\/db$/,
    serial: true,
  },
  {
    name: 'TLS 1.1',
    options: () => ({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0', ...shown(ORIGIN.issue(serviceId('web'))) }),
    why: /^the TLS version is older than 1\.2$/,
    serial: false,
  },
  {
    name: 'a cipher of old',
    options: () => ({ maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA', ...shown(ORIGIN.issue(serviceId('web'))) }),
    why: /^no cipher in common$/,
    serial: false,
  },
]

for (const { name, roots, options, why, serial } of unacceptable) {
  test(`a client with ${name} is refused, and the log says why`, async (t) => {
    const rig = new Rig()
    t.teardown(() => rig.end())
    const port = await publicListener(rig, roots)
    const socket = client(port, options())
    const failed = await rig.event('handshake-failed')
    t.regex(failed.why, why)
    t.is(failed.serial !== undefined, serial, failed.serial)
    t.regex(failed.from, /^127\.0\.0\.1:\d+$/)
    if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
    t.deepEqual(rig.eventsOf('accepted'), [])
  })
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`a client that speaks ${version} is accepted`, async (t) => {
    const rig = new Rig()
    t.teardown(() => rig.end())
    const port = await publicListener(rig)
    const material = ORIGIN.issue(serviceId('web'))
    const socket = client(port, { maxVersion: version, minVersion: version, ...shown(material) })
    const { peer } = await rig.event('accepted')
    t.is(peer?.uri, serviceId('web'))
    socket.destroy()
  })
}

test('plain HTTP is told from other noise', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  const port = await publicListener(rig)
  const end = await dialPlain(port, rig.lookout)
  end.send('GET / HTTP/1.1\r\nHost: db\r\n\r\n')
  t.is((await rig.event('handshake-failed')).why, 'not a TLS handshake: this is plain HTTP')
  await rig.lookout.until(() => end.isEnded() || end.closed())
})

test('whatever bytes come, the handshake fails with one report, and the next client is served', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  const port = await publicListener(rig)
  const noise = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 2_000 }),
    // Looks like the beginning of a handshake record.
    fc.uint8Array({ maxLength: 500 }).map((rest) => Uint8Array.from([22, 3, 1, rest.length >> 8, rest.length & 255, ...rest])),
  )
  await fc.assert(
    fc.asyncProperty(noise, async (bytes) => {
      const before = rig.eventsOf('handshake-failed').length
      const end = await dialPlain(port, rig.lookout)
      end.socket.write(bytes)
      end.end()
      await rig.lookout.until(() => end.closed())
      await rig.lookout.until(() => rig.eventsOf('handshake-failed').length === before + 1)
      return rig.eventsOf('handshake-failed').at(-1)?.why !== ''
    }),
    { numRuns: 100 },
  )
  t.deepEqual(rig.eventsOf('accepted'), [])
  const socket = client(port, shown(ORIGIN.issue(serviceId('web'))))
  t.is((await rig.event('accepted')).peer?.uri, serviceId('web'))
  socket.destroy()
})

test('a handshake that never comes is ended after handshakeMs, even if bytes keep dripping', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  const port = await publicListener(rig, undefined, { handshakeMs: 200 })
  const silent = await dialPlain(port, rig.lookout)
  await rig.event('handshake-failed', ({ why }) => why === 'the TLS handshake took too long')
  await rig.lookout.until(() => silent.isEnded() || silent.closed())
  const dripping = await dialPlain(port, rig.lookout)
  const record = Buffer.from([22, 3, 1, 255, 0, 1, 0, 250, 0, 3, 3])
  const drip = (position: number) => {
    if (dripping.socket.destroyed) return
    dripping.socket.write(record.subarray(position, position + 1), () => setImmediate(drip, Math.min(position + 1, record.length - 1)))
  }
  drip(0)
  await rig.lookout.until(() => dripping.closed())
  t.is(rig.eventsOf('handshake-failed').length, 2)
})

test('before the first identity a public listener refuses everybody', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  const { port } = await rig.listen('db', 'public', undefined)
  const early = await dialPlain(port, rig.lookout)
  t.is((await rig.event('handshake-failed')).why, 'this sidecar has no certificate yet')
  await rig.lookout.until(() => early.closed())
  await rig.identify('db', ORIGIN.issue(serviceId('db')))
  client(port, shown(ORIGIN.issue(serviceId('web'))))
  t.is((await rig.event('accepted')).peer?.uri, serviceId('web'))
})

/** web dials a public listener that shows `material` and expects `identity`. */
async function dialled(rig: Rig, material: Material, identity: string, roots: TestAuthority = ORIGIN) {
  const { port } = await rig.application()
  await rig.identify('db', material)
  const { port: publicPort } = await rig.listen('db', 'public', { port })
  await rig.identify('web', roots.issue(serviceId('web')))
  const { port: upstreamPort } = await rig.listen('web', 'upstream', { port: publicPort, identity })
  const end = await dialPlain(upstreamPort, rig.lookout)
  return {
    end,
    outcome: await rig.lookout.until(() => rig.eventsOf('dial-failed')[0] ?? rig.eventsOf('connected').find(({ peer }) => peer)),
  }
}

const wrongServers: { name: string; material: () => Material; identity?: string; why: RegExp }[] = [
  {
    name: 'another service',
    material: () => ORIGIN.issue(serviceId('cache')),
    why: /the certificate is for .*svc\/cache, expected .*svc\/db \(serial /,
  },
  { name: 'an unknown CA', material: () => authority().issue(serviceId('db')), why: /unknown CA/ },
  {
    name: 'an expired certificate',
    material: () => ORIGIN.issue(serviceId('db'), { notBeforeMs: Date.now() - 7_200_000, notAfterMs: Date.now() - 3_600_000 }),
    why: /the certificate has expired/,
  },
  {
    name: 'another trust domain',
    material: () => ORIGIN.issue(serviceId('db', 'elsewhere.consul')),
    why: /whose trust domain is not that of the roots/,
  },
]

for (const { name, material, why } of wrongServers) {
  test(`a destination with ${name} is not talked to; the caller may be sent elsewhere`, async (t) => {
    const rig = new Rig()
    t.teardown(() => rig.end())
    const { end, outcome } = await dialled(rig, material(), serviceId('db'))
    t.regex(outcome.did === 'dial-failed' ? outcome.why : '', why)
    t.regex(outcome.did === 'dial-failed' ? outcome.why : '', /^dial tcp 127\.0\.0\.1:\d+: /)
    t.is(end.closed(), undefined)
    const { application, port } = await rig.application()
    await rig.ask({ do: 'connect', connection: outcome.connection, host: '127.0.0.1', port, withinMs: 5_000 })
    end.send('found you')
    const other = await application.next()
    await rig.lookout.until(() => other.received() === 'found you')
  })
}

test('letter case and the host of the expected id do not count', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  const { outcome } = await dialled(rig, ORIGIN.issue(serviceId('db')), 'spiffe://whoever/NS/default/dc/DC1/svc/DB')
  t.is(outcome.did, 'connected')
})

test('a server whose certificate is for clients only is not talked to', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  await rig.identify('web', clientOnly)
  const { port } = await rig.listen('web', 'public', undefined)
  const { port: upstreamPort } = await rig.listen('web', 'upstream', { port, identity: serviceId('web') })
  await dialPlain(upstreamPort, rig.lookout)
  t.regex((await rig.event('dial-failed')).why, /the certificate is not meant for this purpose/)
})

test('a server whose certificate is also that of another service is not talked to', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  await rig.identify('web', twoNamed)
  const { port } = await rig.listen('web', 'public', undefined)
  const { port: upstreamPort } = await rig.listen('web', 'upstream', { port, identity: serviceId('web') })
  await dialPlain(upstreamPort, rig.lookout)
  t.regex((await rig.event('dial-failed')).why, /: the certificate names 2 URIs, a service has one: .* \(serial 0a:1e\)$/)
})

test('withinMs covers a destination that accepts but never shakes hands', async (t) => {
  const rig = new Rig()
  const mute = createServer()
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => {
    mute.close()
    await rig.end()
  })
  const bound = mute.address()
  await rig.identify('web', ORIGIN.issue(serviceId('web')))
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0
  const { port: upstreamPort } = await rig.listen('web', 'upstream', { port, identity: serviceId('db'), withinMs: 150 })
  const beganMs = performance.now()
  await dialPlain(upstreamPort, rig.lookout)
  t.is((await rig.event('dial-failed')).why, `dial tcp 127.0.0.1:${port}: i/o timeout`)
  t.true(performance.now() - beganMs < 2_000)
})

test('a destination that speaks no TLS is told from one that does', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  const { application, port } = await rig.application()
  await rig.identify('web', ORIGIN.issue(serviceId('web')))
  const { port: upstreamPort } = await rig.listen('web', 'upstream', { port, identity: serviceId('db') })
  await dialPlain(upstreamPort, rig.lookout)
  ;(await application.next()).send('220 mail.example ESMTP\r\n')
  t.is((await rig.event('dial-failed')).why, `dial tcp 127.0.0.1:${port}: not a TLS handshake`)
})

test('roots and leaves change under traffic without a lost byte', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  const young = authority()
  const { application, upstreamPort } = await rig.pair(ORIGIN)
  const both = [ORIGIN.certPem, young.certPem]
  const bridge = crossSigned(young, ORIGIN)
  const issuedByYoung = (service: string): Material => {
    const { certPem, keyPem } = young.issue(serviceId(service))
    return { certPem: certPem + bridge, keyPem, rootsPem: both }
  }
  const standing = await dialPlain(upstreamPort, rig.lookout)
  let position = 0
  const exchange = async () => {
    const end = await dialPlain(upstreamPort, rig.lookout)
    end.send('ping')
    const far = await application.next(position++)
    await rig.lookout.until(() => far.received() === 'ping')
    far.send('pong')
    await rig.lookout.until(() => end.received() === 'pong')
    end.reset()
  }
  standing.send('begin ')
  const far = await application.next(position++)
  await exchange()
  await rig.identify('web', issuedByYoung('web'))
  await exchange()
  await rig.identify('db', { ...ORIGIN.issue(serviceId('db')), rootsPem: both })
  await exchange()
  await rig.identify('db', issuedByYoung('db'))
  await exchange()
  for (const service of ['web', 'db']) await rig.identify(service, { ...issuedByYoung(service), rootsPem: [young.certPem] })
  await exchange()
  standing.send('end')
  await rig.lookout.until(() => far.received() === 'begin end')
  t.deepEqual(rig.eventsOf('dial-failed'), [])
  t.deepEqual(rig.eventsOf('handshake-failed'), [])
  await rig.identify('db', authority().issue(serviceId('db')))
  await dialPlain(upstreamPort, rig.lookout)
  t.regex((await rig.event('dial-failed')).why, /unknown CA/)
  t.is(standing.closed(), undefined)
})

test('a second connection resumes the session, and the peer is still known', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  const { application, upstreamPort } = await rig.pair()
  for (let round = 0; round < 3; round += 1) {
    const end = await dialPlain(upstreamPort, rig.lookout)
    end.send('x')
    const far = await application.next(round)
    far.send('y')
    await rig.lookout.until(() => end.received() === 'y')
    end.reset()
    await rig.lookout.until(() => rig.eventsOf('closed').length === 2 * (round + 1))
  }
  const peers = rig.eventsOf('connected').flatMap(({ peer }) => peer ?? [])
  t.is(peers.length, 3)
  t.is(new Set(peers.map(({ uri, serial }) => `${uri} ${serial}`)).size, 1)
  const callers = rig.eventsOf('accepted').flatMap(({ peer }) => peer ?? [])
  t.is(callers.length, 3)
  t.is(new Set(callers.map(({ uri, serial }) => `${uri} ${serial}`)).size, 1)
})

test('a peer that leaves in the middle of a handshake is reported once', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  const port = await publicListener(rig)
  const socket = connect({ port, host: '127.0.0.1' })
  await new Promise((resolve) => socket.once('connect', resolve))
  socket.resetAndDestroy()
  t.is((await rig.event('handshake-failed')).why, 'the connection was closed during the TLS handshake')
})
