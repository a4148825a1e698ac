import { generateKeyPairSync } from 'node:crypto'
import { connect } from 'node:net'
import { type ConnectionOptions, connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { parseIdentity } from '../../../actors/spiffe.ts'
import { isRefused } from '../../../src/kernel/refusal.ts'
import { dnsName, forge, uriName } from './forge.ts'
import { type Application, authority, dialPlain, type Material, Rig, serviceId, TRUST_DOMAIN } from './kit.ts'

const ORIGIN = authority()
/** What a weak client needs to be one. */
const WEAK = { ciphers: 'ALL:@SECLEVEL=0' }

function rigFor(t: ExecutionContext): Rig {
  const rig = new Rig()
  t.teardown(() => rig.end())
  return rig
}

/** db's public listener. */
async function target(rig: Rig, limits: { connectionsMax?: number; handshakeMs?: number } = {}, material?: Material): Promise<number> {
  await rig.identify('db', material ?? ORIGIN.issue(serviceId('db')))
  return (await rig.listen('db', 'public', undefined, limits)).port
}

/** A TLS connection that believes anybody. */
function client(
  rig: Rig,
  port: number,
  { certPem, keyPem }: Pick<Material, 'certPem' | 'keyPem'>,
  options: ConnectionOptions = {},
): TLSSocket {
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, cert: certPem, key: keyPem, ...options })
  rig.lookout.sockets.push(socket)
  socket.on('error', () => socket.destroy())
  socket.resume()
  return socket
}

const weak = {
  rsa1024: generateKeyPairSync('rsa', { modulusLength: 1024 }),
  p192: generateKeyPairSync('ec', { namedCurve: 'prime192v1' }),
}
const stolenLeaf = ORIGIN.issue(serviceId('web'))
const signedByLeaf = forge(stolenLeaf)

const refused: { name: string; material: () => Material; options?: Pick<ConnectionOptions, 'ciphers' | 'maxVersion'>; why: RegExp }[] = [
  {
    name: 'a CA certificate in place of a leaf',
    material: () => forge(ORIGIN, { isCa: true }),
    why: /^the certificate is that of a CA, not of a service$/,
  },
  {
    name: 'the root itself',
    material: () => ({ certPem: ORIGIN.certPem, keyPem: ORIGIN.keyPem, rootsPem: [] }),
    why: /not meant for this purpose|is that of a CA/,
  },
  {
    name: 'a leaf that another leaf signed, shown with it',
    material: () => ({ ...signedByLeaf, certPem: signedByLeaf.certPem + stolenLeaf.certPem }),
    why: /signed another one without being a CA$/,
  },
  { name: 'a leaf that another leaf signed, alone', material: () => signedByLeaf, why: /unknown CA/ },
  {
    name: 'a leaf that signed itself',
    material: () => {
      const key = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
      const keyPem = key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
      // With the name of the root, as somebody who hopes that names are enough would do it.
      return forge({ certPem: ORIGIN.certPem, keyPem }, { key })
    },
    why: /unknown CA|signature does not hold/,
  },
  {
    name: 'an RSA key of 1024 bits',
    material: () => forge(ORIGIN, { key: weak.rsa1024 }),
    options: WEAK,
    why: /^a certificate in the chain has too weak a key/,
  },
  {
    name: 'a key on the curve P-192',
    material: () => forge(ORIGIN, { key: weak.p192 }),
    options: { ...WEAK, maxVersion: 'TLSv1.2' },
    why: /^a key on a curve that is not supported$/,
  },
  {
    name: 'no URI but a DNS name that reads like one',
    material: () => forge(ORIGIN, { names: [dnsName(serviceId('web')), dnsName(`x, URI:${serviceId('web')}`)] }),
    why: /no SPIFFE id/,
  },
  {
    name: 'thousands of URIs',
    material: () => forge(ORIGIN, { names: Array.from({ length: 900 }, (_, at) => uriName(serviceId(`s${at}`))) }),
    why: /^the certificate names 900 URIs, a service has one: (\S+ ){3}…$/,
  },
]

for (const { name, material, options, why } of refused) {
  test(`a client with ${name} is refused`, async (t) => {
    const rig = rigFor(t)
    const port = await target(rig)
    client(rig, port, material(), options)
    t.regex((await rig.event('handshake-failed')).why, why)
    t.deepEqual(rig.eventsOf('accepted'), [])
  })

  test(`a destination with ${name} is not talked to`, async (t) => {
    const rig = rigFor(t)
    const { certPem, keyPem } = material()
    const server = createTlsServer({ cert: certPem, key: keyPem, ...options }, (socket) => socket.on('error', () => undefined))
    server.on('tlsClientError', () => undefined)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.teardown(() => server.close())
    const bound = server.address()
    const port = typeof bound === 'object' && bound !== null ? bound.port : 0
    await rig.identify('db', ORIGIN.issue(serviceId('db')))
    const upstream = await rig.listen('db', 'upstream', { port, identity: serviceId('web') })
    rig.lookout.sockets.push(connect(upstream.port, '127.0.0.1'))
    await rig.event('dial-failed')
    t.deepEqual(rig.eventsOf('connected'), [])
  })
}

/** Whom a certificate with this URI is taken for by the sidecar that accepts it: `undefined` is nobody. */
const spellings: { name: string; uri: string; isTakenFor: string | undefined }[] = [
  { name: 'a percent-encoded letter', uri: serviceId('w%65b'), isTakenFor: 'web' },
  { name: 'a percent-encoded slash', uri: serviceId('web%2Fdb'), isTakenFor: 'web/db' },
  { name: 'a percent-encoded NUL', uri: serviceId('web%00'), isTakenFor: 'web\0' },
  { name: 'an escape that is none', uri: serviceId('web%zz'), isTakenFor: undefined },
  { name: 'an escape that is not UTF-8', uri: serviceId('web%ff'), isTakenFor: undefined },
  { name: 'a NUL', uri: `${serviceId('web')}\0.evil`, isTakenFor: undefined },
  { name: 'a line end', uri: `${serviceId('web')}\n`, isTakenFor: undefined },
  { name: 'a trailing slash', uri: `${serviceId('web')}/`, isTakenFor: undefined },
  { name: 'an empty part', uri: serviceId('web').replace('/svc/', '//svc/'), isTakenFor: undefined },
  { name: 'dots', uri: `${serviceId('web')}/../db`, isTakenFor: undefined },
  { name: 'other letter case of the service', uri: serviceId('WEB'), isTakenFor: 'WEB' },
  { name: 'another scheme', uri: serviceId('web').replace('spiffe:', 'https:'), isTakenFor: undefined },
  { name: 'no host', uri: serviceId('web').replace(TRUST_DOMAIN, ''), isTakenFor: undefined },
  { name: 'the CA’s id', uri: `spiffe://${TRUST_DOMAIN}`, isTakenFor: undefined },
]

for (const { name, uri, isTakenFor } of spellings) {
  test(`a certificate whose URI has ${name} is taken for ${isTakenFor === undefined ? 'nobody' : JSON.stringify(isTakenFor)}`, async (t) => {
    const rig = rigFor(t)
    const port = await target(rig)
    client(rig, port, forge(ORIGIN, { names: [dnsName('db.internal'), uriName(uri)] }))
    const { peer } = await rig.event('accepted')
    t.is(peer?.uri, uri)
    const identity = parseIdentity(peer?.uri ?? '')
    const isOwn = !isRefused(identity) && identity.kind === 'service' && identity.trustDomain.toLowerCase() === TRUST_DOMAIN
    t.is(isOwn ? identity.service : undefined, isTakenFor)
  })
}

for (const host of [`${TRUST_DOMAIN}:443`, `someone@${TRUST_DOMAIN}`, `${TRUST_DOMAIN}.`, `evil.${TRUST_DOMAIN}`, `${TRUST_DOMAIN}%00`]) {
  test(`${host} is another trust domain, for whoever dials and whoever is dialled`, async (t) => {
    const rig = rigFor(t)
    const material = forge(ORIGIN, { names: [uriName(serviceId('db', host))] })
    const port = await target(rig, {}, material)
    client(rig, port, forge(ORIGIN, { names: [uriName(serviceId('web', host))] }))
    const { peer } = await rig.event('accepted')
    const identity = parseIdentity(peer?.uri ?? '')
    t.true(isRefused(identity) || identity.trustDomain.toLowerCase() !== TRUST_DOMAIN)
    await rig.identify('web', ORIGIN.issue(serviceId('web')))
    const upstream = await rig.listen('web', 'upstream', { port, identity: serviceId('db') })
    rig.lookout.sockets.push(connect(upstream.port, '127.0.0.1'))
    t.regex((await rig.event('dial-failed')).why, /trust domain is not that of the roots|not a SPIFFE id/)
  })
}

test('a client that asks for another handshake within TLS 1.2 gets none: its certificate was judged once and for all', async (t) => {
  const rig = rigFor(t)
  const port = await target(rig)
  const socket = client(rig, port, ORIGIN.issue(serviceId('web')), { maxVersion: 'TLSv1.2' })
  await Promise.all([rig.event('accepted'), new Promise((resolve) => socket.once('secureConnect', resolve))])
  const ended = new Promise<Error>((resolve) => socket.once('error', resolve))
  socket.renegotiate({}, () => undefined)
  t.regex(String(await ended), /no renegotiation/)
  t.is(rig.eventsOf('accepted').length, 1)
})

const downgrades: { name: string; options: ConnectionOptions; why: RegExp }[] = [
  { name: 'only RSA key exchange', options: { maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256' }, why: /no cipher in common/ },
  { name: 'no encryption', options: { maxVersion: 'TLSv1.2', ciphers: 'eNULL:@SECLEVEL=0' }, why: /no cipher in common/ },
  { name: 'no identity of the server', options: { maxVersion: 'TLSv1.2', ciphers: 'aNULL:@SECLEVEL=0' }, why: /no cipher in common/ },
  { name: 'only a weak curve', options: { ...WEAK, ecdhCurve: 'secp192r1', maxVersion: 'TLSv1.2' }, why: /no (cipher|curve) in common/ },
  {
    name: 'only signatures with SHA-1',
    options: { ...WEAK, sigalgs: 'ECDSA+SHA1', maxVersion: 'TLSv1.2' },
    why: /^no signature algorithm in common$/,
  },
  { name: 'TLS 1.0', options: { ...WEAK, minVersion: 'TLSv1', maxVersion: 'TLSv1' }, why: /older than 1\.2/ },
]

for (const { name, options, why } of downgrades) {
  test(`a client that offers ${name} is refused`, async (t) => {
    const rig = rigFor(t)
    const port = await target(rig)
    client(rig, port, ORIGIN.issue(serviceId('web')), options)
    t.regex((await rig.event('handshake-failed')).why, why)
    t.deepEqual(rig.eventsOf('accepted'), [])
  })
}

test('a chain that is longer than any chain needs to be is refused', async (t) => {
  const rig = rigFor(t)
  const port = await target(rig)
  const leaf = ORIGIN.issue(serviceId('web'))
  const chain = Array.from({ length: 400 }, () => ORIGIN.certPem).join('')
  client(rig, port, { ...leaf, certPem: leaf.certPem + chain })
  t.regex((await rig.event('handshake-failed')).why, /too long|EXCESSIVE|certificate list/i)
})

test('a serial number of thousands of digits fills no log', async (t) => {
  const rig = rigFor(t)
  const port = await target(rig)
  const key = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const keyPem = key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  client(rig, port, forge({ certPem: ORIGIN.certPem, keyPem }, { serial: 0xabn << 160_000n }))
  const { serial, why } = await rig.event('handshake-failed')
  t.is(serial, `ab:${'00:'.repeat(19)}…`)
  t.regex(why, /unknown CA|signature does not hold/)
})

test('whoever shares TLS connections is who it is on each of them: no stream is taken for somebody else’s', async (t) => {
  const rig = rigFor(t)
  const services = ['web', 'api', 'batch']
  const applications = new Map<string, { application: Application; port: number }>()
  for (const service of services) {
    applications.set(serviceId(service), await rig.application())
    await rig.identify(service, ORIGIN.issue(serviceId(service)))
  }
  await rig.identify('db', ORIGIN.issue(serviceId('db')))
  // Each caller is sent to an application of its own, by nothing but the id it is reported with.
  const listen = {
    do: 'listen',
    owner: 'db',
    side: 'public',
    address: '127.0.0.1',
    port: 0,
    handshakeMs: 5_000,
    connectionsMax: 0,
  } as const
  const outcome = await rig.ask(listen, (event) => {
    const own = event.did === 'accepted' ? applications.get(event.peer?.uri ?? '') : undefined
    if (event.did !== 'accepted' || own === undefined) return undefined
    return { do: 'connect', connection: event.connection, host: '127.0.0.1', port: own.port, withinMs: 5_000 }
  })
  const to = { port: isRefused(outcome) ? 0 : (outcome.port ?? 0), identity: serviceId('db') }
  const upstreams = new Map<string, number>()
  for (const service of services) upstreams.set(service, (await rig.listen(service, 'upstream', to)).port)
  for (let round = 0; round < 3; round++) {
    const ends = await Promise.all(
      services.flatMap((service) =>
        Array.from({ length: 20 }, async () => {
          const end = await dialPlain(upstreams.get(service) ?? 0, rig.lookout)
          end.send(service)
          return end
        }),
      ),
    )
    const heard = (service: string) => applications.get(serviceId(service))?.application.ends.map((end) => end.received()) ?? []
    await rig.lookout.until(() => services.every((service) => heard(service).filter((word) => word !== '').length === 20 * (round + 1)))
    for (const service of services) t.deepEqual(new Set(heard(service)), new Set([service]))
    for (const end of ends.slice(0, 10)) end.reset()
  }
  const origins = new Map<string, Set<string>>()
  for (const { from, peer } of rig.eventsOf('accepted')) {
    if (peer) origins.set(from, new Set([...(origins.get(from) ?? []), peer.uri]))
  }
  t.true(origins.size < 60, 'TLS connections are shared')
  t.true([...origins.values()].every((uris) => uris.size === 1))
})
