import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { ManagedProxyConfig } from '../../actors/definitions.ts'
import type { ManagedProxy } from '../../actors/proxies/protocol.ts'
import { freePorts } from '../kit/free-ports.ts'
import { preparedQuery } from '../kit/queries.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'
import { asked, dial, registerInstance, serviceDefinition, startEcho, startMachine, upstream } from './machine.ts'

type Machine = ReturnType<typeof startMachine>

/** web reaches db, an echo, over `config`. */
async function startPair(t: ExecutionContext) {
  const ports = await freePorts()
  const [entry, other] = [ports.next(), ports.next()]
  const echo = await startEcho()
  const machine = startMachine({ ports: ports.range(4) })
  t.teardown(async () => {
    echo.close()
    await machine.close()
  })
  const register = async (web: Partial<ManagedProxyConfig>, db: Partial<ManagedProxyConfig> = {}) => {
    await machine.register([serviceDefinition('db', echo.port, db), serviceDefinition('web', 1, web)])
    return machine.proxies((list) => list.length === 2 && list.every(isListening))
  }
  return { machine, echo, entry, other, ports, register }
}

function isListening({ phase, status }: ManagedProxy): boolean {
  return phase === 'listening' && (status?.upstreams.every((one) => one.phase === 'listening' && one.instances > 0) ?? false)
}

const stateOf = async (machine: Machine, id: string, wanted: (proxy: ManagedProxy) => boolean) => {
  const list = await machine.proxies((all) => all.some((one) => one.serviceId === id && wanted(one)))
  return list.find((one) => one.serviceId === id)
}

test('no connection ends and no listener closes when settings change; what is removed ends', async (t) => {
  const { machine, entry, other, register } = await startPair(t)
  await register({ upstreams: [upstream('db', entry)] })
  const standing = dial(entry)
  t.is(await standing.answer('before'), 'before')
  const config: Partial<ManagedProxyConfig> = { maxInboundConnections: 9, handshakeTimeoutMs: 5_000 }
  for (let round = 1; round <= 3; round++) {
    const upstreams = [{ ...upstream('db', entry), connectionsMax: round + 5 }, upstream('db', other)]
    await register({ upstreams }, { ...config, maxInboundConnections: 9 + round })
    t.is(await standing.answer(`round ${round}`), `round ${round}`)
    const another = dial(other)
    t.is(await another.answer('there'), 'there')
    another.socket.destroy()
  }
  t.is(
    machine.lines.filter(({ line, facts }) => line === 'Starting listener' && String(facts['bind_addr']).endsWith(`:${entry}`)).length,
    1,
  )
  await machine.register([serviceDefinition('web', 1, { upstreams: [upstream('db', other)] })])
  await standing.closed
})

test('a limit on who comes in holds from one moment to the next, for connections that share a TLS connection too', async (t) => {
  const { machine, entry, register } = await startPair(t)
  const upstreams = [upstream('db', entry)]
  await register({ upstreams })
  const first = dial(entry)
  t.is(await first.answer('one'), 'one')
  await register({ upstreams }, { maxInboundConnections: 1 })
  const refused = dial(entry)
  t.is(await refused.answer('two'), '')
  t.is(await first.answer('still'), 'still')
  const db = await stateOf(machine, 'db', ({ status }) => (status?.refusedConnections ?? 0) > 0)
  t.like(db?.status?.refusals[0], { side: 'inbound', kind: 'limit' })
  first.socket.destroy()
  await stateOf(machine, 'db', ({ status }) => status?.inboundOpen === 0)
  const next = dial(entry)
  t.is(await next.answer('three'), 'three')
})

test('a service that leaves lets its connections go on for a while, and a deny ends them all the same', async (t) => {
  const { machine, echo, entry, register } = await startPair(t)
  const upstreams = [upstream('db', entry)]
  const db = { drainMs: 60_000 }
  await register({ upstreams }, db)
  const web = serviceDefinition('web', 1, { upstreams })
  const standing = dial(entry)
  t.is(await standing.answer('before'), 'before')
  await machine.register([web])
  await machine.line((line) => line === 'Waits for its connections to end')
  t.is(await standing.answer('while'), 'while')
  await machine.register([web, serviceDefinition('db', echo.port, db)])
  await machine.proxies((list) => list.length === 2 && list.every(isListening))
  t.is(await standing.answer('called back'), 'called back')
  await machine.register([web])
  const intention = { source: 'web', destination: 'db', action: 'deny', description: '' }
  await asked(machine.host, 'ledger', 'commit', { kind: 'intentions.put', atMs: 0, request: intention })
  await standing.closed
})

test('a prepared query as an upstream, on a path: who is healthy, and who the query means by now', async (t) => {
  const { machine, register } = await startPair(t)
  const socketPath = join(temporaryDirectory(t), 'near.sock')
  const id = '11111111-2222-4333-8444-555555555555'
  const commit = (kind: string, request: object) => asked(machine.host, 'ledger', 'commit', { kind, atMs: 0, request })
  await commit('queries.create', { id, query: preparedQuery({ name: 'near' }, { service: 'db' }) })
  const near = { ...upstream('near', 0), destinationType: 'prepared_query' as const, localBindSocketPath: socketPath }
  await register({ upstreams: [near] })
  const through = (text: string) =>
    new Promise<string>((resolve) => {
      const socket = connect(socketPath, () => socket.end(text))
      let got = ''
      socket.on('data', (bytes) => {
        got += bytes.toString()
      })
      socket.on('error', () => socket.destroy())
      socket.on('close', () => resolve(got))
    })
  t.is(await through('hello'), 'hello')
  await commit('queries.update', { id, query: preparedQuery({ name: 'near' }, { service: 'nobody' }) })
  await stateOf(machine, 'web', ({ status }) => status?.upstreams[0]?.instances === 0)
  t.is(await through('hello'), '')
})

test('an instance that takes no connections is left out, and nobody notices', async (t) => {
  const { machine, entry, ports, register } = await startPair(t)
  const dead = ports.next()
  await registerInstance(machine.host, 'db-dead', 'db', dead)
  await register({ upstreams: [{ ...upstream('db', entry), ejection: { failuresMax: 2, intervalMs: 60_000 } }] })
  for (let count = 0; count < 30; count++) {
    const one = dial(entry)
    t.is(await one.answer('hello'), 'hello')
    one.socket.destroy()
  }
  const facts = await machine.line((line) => line === 'An instance is left out')
  t.regex(String(facts['instance']), new RegExp(`db-dead.* ${dead}$`))
  const web = await stateOf(machine, 'web', ({ status }) => (status?.upstreams[0]?.ejected.length ?? 0) > 0)
  t.is(web?.status?.upstreams[0]?.instances, 2)
})

test('the application is told who connects before it gets anything else', async (t) => {
  const { machine, entry } = await startPair(t)
  const heard = new Promise<Buffer>((resolve) => {
    const server = createServer((socket) => {
      const pieces: Buffer[] = []
      socket.on('data', (bytes) => pieces.push(bytes))
      socket.on('end', () => {
        socket.end()
        resolve(Buffer.concat(pieces))
      })
    })
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = typeof address === 'object' && address ? address.port : 0
      const web = serviceDefinition('web', 1, { upstreams: [upstream('db', entry)] })
      void machine
        .register([serviceDefinition('db', port, { sendProxyProtocol: 'v2' }), web])
        .then(() => machine.proxies((list) => list.length === 2 && list.every(isListening)))
        .then(() => dial(entry).socket.end('GET /'))
    })
    t.teardown(() => server.close())
  })
  const bytes = await heard
  const length = bytes.readUInt16BE(14)
  t.is(bytes.subarray(0, 14).toString('hex'), '0d0a0d0a000d0a515549540a2111')
  t.is(bytes.subarray(16, 24).toString('hex'), '7f0000017f000001')
  t.regex(bytes.subarray(28, 16 + length).toString('latin1'), /^\u0002\u0000.spiffe:\/\/[^/]+\/ns\/default\/dc\/dc1\/svc\/web$/)
  t.is(bytes.subarray(16 + length).toString(), 'GET /')
})
