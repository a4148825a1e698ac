import { connect as connectTls, type TLSSocket } from 'node:tls'
import test from 'ava'
import { authority, type Material, Rig, serviceId } from './kit.ts'

const ORIGIN = authority()

/** One TLS connection to db's public listener; its ticket for the next one, and whether it came with one itself. */
async function visit(
  rig: Rig,
  port: number,
  { certPem, keyPem }: Material,
  ticket?: Buffer,
): Promise<{ ticket: Buffer; isReused: boolean }> {
  const before = rig.eventsOf('accepted').length
  const socket: TLSSocket = connectTls({
    port,
    host: '127.0.0.1',
    cert: certPem,
    key: keyPem,
    rejectUnauthorized: false,
    ...(ticket && { session: ticket }),
  })
  rig.lookout.sockets.push(socket)
  socket.on('error', () => socket.destroy())
  let given: Buffer | undefined
  socket.on('session', (session: Buffer) => {
    given = session
    rig.lookout.changed()
  })
  socket.resume()
  const failed = () => rig.eventsOf('handshake-failed').length > 0
  await rig.lookout.until(() => ((given ?? ticket) !== undefined && rig.eventsOf('accepted').length > before) || failed())
  return { ticket: given ?? ticket ?? Buffer.alloc(0), isReused: socket.isSessionReused() }
}

async function listening(rig: Rig): Promise<number> {
  await rig.identify('db', ORIGIN.issue(serviceId('db')))
  return (await rig.listen('db', 'public', undefined)).port
}

test.serial('a session is resumed with the peer known, and not when its root is not believed any more', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  const port = await listening(rig)
  const web = ORIGIN.issue(serviceId('web'))
  const first = await visit(rig, port, web)
  const second = await visit(rig, port, web, first.ticket)
  t.deepEqual([first.isReused, second.isReused], [false, true])
  t.deepEqual(new Set(rig.eventsOf('accepted').map(({ peer }) => peer?.uri)), new Set([serviceId('web')]))
  await rig.identify('db', { ...ORIGIN.issue(serviceId('db')), rootsPem: [authority().certPem] })
  const third = await visit(rig, port, web, second.ticket)
  t.false(third.isReused)
  t.regex((await rig.event('handshake-failed')).why, /unknown CA/)
  t.is(rig.eventsOf('accepted').length, 2)
})

test.serial('a session is not resumed beyond the certificate it began with', async (t) => {
  const rig = new Rig()
  const now = Date.now
  t.teardown(async () => {
    Date.now = now
    await rig.end()
  })
  const port = await listening(rig)
  const web = ORIGIN.issue(serviceId('web'), { notAfterMs: now() + 600_000 })
  const { ticket } = await visit(rig, port, web)
  Date.now = () => now() + 700_000
  const { isReused } = await visit(rig, port, web, ticket)
  t.true(isReused)
  t.is((await rig.event('handshake-failed')).why, 'the certificate has expired')
  t.is(rig.eventsOf('accepted').length, 1)
})
