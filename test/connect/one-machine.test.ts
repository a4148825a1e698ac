import test from 'ava'
import type { ManagedProxy } from '../../actors/proxies/protocol.ts'
import { asked, dial, freePort, serviceDefinition, startEcho, startMachine, upstream } from './machine.ts'

const allListening = (count: number) => (list: readonly ManagedProxy[]) =>
  list.filter(({ phase }) => phase === 'listening').length === count

/** Every upstream of the service has a healthy instance. */
const reaches = (service: string) => (list: readonly ManagedProxy[]) =>
  list.some((one) => one.service === service && one.status?.upstreams.every(({ instances }) => instances > 0))

test('an application reaches another through two sidecars; a deny closes what is open and refuses what is new', async (t) => {
  const machine = startMachine({ ports: [21_300, 21_339] })
  t.teardown(machine.close)
  const echo = await startEcho()
  t.teardown(echo.close)
  const port = await freePort()
  await machine.register([serviceDefinition('db', echo.port), serviceDefinition('web', 1, { upstreams: [upstream('db', port)] })])
  await machine.proxies(allListening(2))
  await machine.proxies(reaches('web'))

  const first = dial(port)
  t.is(await first.answer('hello'), 'hello')

  await asked(machine.host, 'intentions', 'put', {
    source: 'web',
    destination: 'db',
    action: 'deny',
    permissions: 0,
    description: '',
    token: '',
  })
  await first.closed
  const closed = await machine.line((line) => line.startsWith('Closed a connection'))
  t.like(closed, { source: 'web', destination: 'db', rule: 'default/web => default/db (Precedence: 9, Action: DENY)' })

  const second = dial(port)
  await second.closed
  const refused = await machine.line((line) => line.startsWith('Refused a connection'))
  t.like(refused, { source: 'web', destination: 'db', rule: 'default/web => default/db (Precedence: 9, Action: DENY)' })
  t.regex(String(refused['serial']), /^[0-9a-f]{2}(:[0-9a-f]{2})*$/)

  await asked(machine.host, 'intentions', 'put', {
    source: 'web',
    destination: 'db',
    action: 'allow',
    permissions: 0,
    description: '',
    token: '',
  })
  await machine.proxies((list) =>
    list.some(({ service, status }) => service === 'db' && (status?.intentionIndex ?? 0) > 0 && status?.refusedConnections === 1),
  )
  const third = dial(port)
  t.is(await third.answer('again'), 'again')
  third.socket.end()
  await third.closed
})
