import test, { type ExecutionContext } from 'ava'
import type { ManagedProxy } from '../../actors/proxies/protocol.ts'
import { memoryStore } from '../../net/store.ts'
import { freePorts } from '../kit/free-ports.ts'
import { asked, dial, type MachineOptions, registerInstance, serviceDefinition, startEcho, startMachine, upstream } from './machine.ts'

const DENIED = 'default/web => default/db (Precedence: 9, Action: DENY)'

test('an application reaches another through two sidecars; a deny closes what is open and refuses what is new', async (t) => {
  const ports = await freePorts()
  const port = ports.next()
  const { machine, echo } = await begin(t, { ports: ports.range(4) })
  await machine.register([serviceDefinition('db', echo.port), serviceDefinition('web', 1, { upstreams: [upstream('db', port)] })])
  await machine.proxies(areListening(2))
  await machine.proxies(reaches('web', 1))

  const first = dial(port)
  t.is(await first.answer('hello'), 'hello')

  await asked(machine.host, 'intentions', 'put', intention('deny'))
  await first.closed
  t.like(await machine.line((line) => line.startsWith('Closed a connection')), { source: 'web', destination: 'db', rule: DENIED })

  const second = dial(port)
  await second.closed
  const refused = await machine.line((line) => line.startsWith('Refused a connection'))
  t.like(refused, { source: 'web', destination: 'db', rule: DENIED })
  t.regex(String(refused['serial']), /^[0-9a-f]{2}(:[0-9a-f]{2})*$/)

  const { intentionIndex: deniedAt = 0 } = statusOf(await machine.proxies(() => true), 'db') ?? {}
  await asked(machine.host, 'intentions', 'put', intention('allow'))
  await machine.proxies((list) => (statusOf(list, 'db')?.intentionIndex ?? 0) > deniedAt)
  const third = dial(port)
  t.is(await third.answer('again'), 'again')
  third.socket.end()
  await third.closed
})

test('connections outlive a crash of whoever supervises the sidecars, and what has left meanwhile is noticed', async (t) => {
  const ports = await freePorts()
  const port = ports.next()
  const { machine, echo } = await begin(t, { ports: ports.range(4) })
  const services = [serviceDefinition('db', echo.port), serviceDefinition('web', 1, { upstreams: [upstream('db', port)] })]
  await machine.register(services)
  await machine.proxies(areListening(2))
  await machine.proxies(reaches('web', 1))
  const connection = dial(port)
  t.is(await connection.answer('hello'), 'hello')

  await t.throwsAsync(asked(machine.host, 'proxies', 'list', null), { message: 'proxies crashed' })
  await machine.proxies(areListening(2))
  t.is(await connection.answer('still here'), 'still here')
  t.is(machine.lines.filter(({ line }) => line === 'Proxy loaded config and ready to serve').length, 2)

  await machine.register([serviceDefinition('db', echo.port, { localConnectTimeoutMs: 5_000 }), services[1]!])
  await machine.proxies(areListening(2))
  t.is(await connection.answer('with other settings'), 'with other settings')

  await machine.register([services[1]!])
  await connection.closed
  await machine.proxies(areListening(1))
})

test('where nothing is allowed by default, only an intention lets somebody through', async (t) => {
  const ports = await freePorts()
  const port = ports.next()
  const { machine, echo } = await begin(t, { ports: ports.range(4), defaultAllow: false })
  await machine.register([serviceDefinition('db', echo.port), serviceDefinition('web', 1, { upstreams: [upstream('db', port)] })])
  await machine.proxies(reaches('web', 1))
  await dial(port).closed
  t.like(await machine.line((line) => line.startsWith('Refused a connection')), { rule: 'Default behavior configured by ACLs' })
  await asked(machine.host, 'intentions', 'put', intention('allow'))
  await machine.proxies((list) => (statusOf(list, 'db')?.intentionIndex ?? 0) > 0)
  const connection = dial(port)
  t.is(await connection.answer('hello'), 'hello')
  connection.socket.destroy()
})

test('an instance that does not answer is passed over', async (t) => {
  const ports = await freePorts()
  const port = ports.next()
  const nobody = ports.next()
  const { machine, echo } = await begin(t, { ports: ports.range(4) })
  await machine.register([serviceDefinition('db', echo.port), serviceDefinition('web', 1, { upstreams: [upstream('db', port)] })])
  await machine.proxies(reaches('web', 1))
  await registerInstance(machine.host, 'dead-1', 'db', nobody)
  await registerInstance(machine.host, 'dead-2', 'db', nobody)
  await machine.proxies(reaches('web', 3))
  for (let attempt = 0; attempt < 6; attempt++) {
    const connection = dial(port)
    t.is(await connection.answer('hello'), 'hello')
    connection.socket.destroy()
  }
})

test('somebody else on an instance’s port cannot pass for it', async (t) => {
  const ports = await freePorts()
  const port = ports.next()
  const { machine, echo } = await begin(t, { ports: ports.range(4) })
  await machine.register([serviceDefinition('api', echo.port), serviceDefinition('web', 1, { upstreams: [upstream('db', port)] })])
  const list = await machine.proxies(areListening(2))
  await registerInstance(machine.host, 'impostor', 'db', statusOf(list, 'api')?.port ?? 0)
  await machine.proxies(reaches('web', 1))
  await dial(port).closed
  const { error } = await machine.line((line) => line.startsWith('Could not connect to an upstream'))
  t.regex(String(error), /none of 1 instances could be reached/)
})

test('a sidecar gets another port where one is taken, and the same one again after a restart', async (t) => {
  const ports = await freePorts()
  const given = ports.range(3)
  const taken = await startEcho(given.from)
  t.teardown(taken.close)
  const store = memoryStore()
  const { machine, echo } = await begin(t, { ports: given, store })
  await machine.register([serviceDefinition('db', echo.port)])
  const list = await machine.proxies(areListening(1))
  t.is(statusOf(list, 'db')?.port, given.from + 1)
  await machine.close()

  const again = await begin(t, { ports: given, store })
  await again.machine.register([serviceDefinition('db', echo.port)])
  t.is(statusOf(await again.machine.proxies(areListening(1)), 'db')?.port, given.from + 1)
})

test('a sidecar whose service leaves closes its port and its connections', async (t) => {
  const ports = await freePorts()
  const port = ports.next()
  const { machine, echo } = await begin(t, { ports: ports.range(4) })
  const web = serviceDefinition('web', 1, { upstreams: [upstream('db', port)] })
  await machine.register([serviceDefinition('db', echo.port), web])
  await machine.proxies(reaches('web', 1))
  const connection = dial(port)
  t.is(await connection.answer('hello'), 'hello')
  await machine.register([web])
  await connection.closed
  await machine.proxies((list) => list.length === 1)
  await machine.register([])
  await machine.proxies((list) => list.length === 0)
  await dial(port).closed
  t.pass()
})

const intention = (action: string) => ({ source: 'web', destination: 'db', action, permissions: [], description: '', token: '' })
const areListening = (count: number) => (list: readonly ManagedProxy[]) =>
  list.filter(({ phase }) => phase === 'listening').length === count
/** The service listens, and each of its upstreams has so many healthy instances. */
const reaches = (service: string, count: number) => (list: readonly ManagedProxy[]) => {
  const status = statusOf(list, service)
  return status?.phase === 'listening' && status.upstreams.every(({ instances }) => instances === count)
}

function statusOf(list: readonly ManagedProxy[], service: string): ManagedProxy['status'] | undefined {
  return list.find((one) => one.service === service)?.status
}

async function begin(t: ExecutionContext, options: MachineOptions) {
  const machine = startMachine(options)
  const echo = await startEcho()
  t.teardown(machine.close)
  t.teardown(echo.close)
  return { machine, echo }
}
