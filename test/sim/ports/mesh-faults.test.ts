import test from 'ava'
import { createSimMesh } from '../../../sim/ports/mesh.ts'
import { createSimSigner, readSimCertificate, readSimKey } from '../../../sim/ports/signer.ts'
import { createRandom } from '../../../sim/streams.ts'
import type { MeshEvent, MeshRequest } from '../../../src/kernel/ports.ts'
import { isRefused } from '../../../src/kernel/refusal.ts'
import { certificateKit, serviceId } from '../../net/mesh/kit.ts'
import { networkOf, say } from './network-kit.ts'

const EPOCH_MS = Date.UTC(2030, 0, 1)
const HANDSHAKE_MS = 2_000
const WITHIN_MS = 5_000
const PUBLIC_PORT = 21_000
const UPSTREAM_PORT = 9_191
const APPLICATION_PORT = 8_081

/** web's sidecar on node a dials db's on node b, whose application answers every word with `echo`. */
function mesh() {
  const { network, clock, pass } = networkOf()
  const wallMs = () => EPOCH_MS + clock.nowMs()
  const roots = certificateKit(createSimSigner({ random: createRandom('mesh') }), wallMs).authority()
  const make = (node: string) => createSimMesh({ network, node, wallMs, readCertificate: readSimCertificate, readKey: readSimKey })
  const meshes = { a: make('a'), b: make('b') }
  const events: Record<'a' | 'b', MeshEvent[]> = { a: [], b: [] }
  const ask = (node: 'a' | 'b', request: MeshRequest, destination?: Omit<Extract<MeshRequest, { do: 'connect' }>, 'do' | 'connection'>) => {
    meshes[node].perform(
      request,
      () => undefined,
      (event) => {
        events[node].push(event)
        if (event.did === 'accepted' && destination) ask(node, { do: 'connect', connection: event.connection, ...destination })
      },
    )
  }
  network.listen('b', '127.0.0.1', APPLICATION_PORT, (socket) => {
    socket.handlers = { data: () => say(socket, 'echo') }
    socket.resume()
  })
  ask('a', { do: 'identify', owner: 'web', ...roots.issue(serviceId('web')) })
  ask('b', { do: 'identify', owner: 'db', ...roots.issue(serviceId('db')) })
  const common = { do: 'listen', handshakeMs: HANDSHAKE_MS, connectionsMax: 0 } as const
  ask(
    'b',
    { ...common, owner: 'db', side: 'public', address: '10.0.0.2', port: PUBLIC_PORT },
    {
      host: '127.0.0.1',
      port: APPLICATION_PORT,
      withinMs: WITHIN_MS,
    },
  )
  ask(
    'a',
    { ...common, owner: 'web', side: 'upstream', address: '127.0.0.1', port: UPSTREAM_PORT },
    {
      host: '10.0.0.2',
      port: PUBLIC_PORT,
      identity: serviceId('db'),
      withinMs: WITHIN_MS,
    },
  )
  const talk = (): string[] => {
    const log: string[] = []
    network.dial('a', { host: '127.0.0.1', port: UPSTREAM_PORT }, (outcome) => {
      if (isRefused(outcome)) throw new Error(outcome.why)
      outcome.handlers = { data: () => log.push('echo'), closed: (how) => log.push(how) }
      outcome.resume()
      say(outcome, 'hello')
    })
    return log
  }
  const whys = (node: 'a' | 'b') => events[node].flatMap((event) => ('why' in event ? [`${event.did}: ${event.why}`] : []))
  return { network, pass, talk, whys, meshes }
}

const DIALLED = `tcp 10.0.0.2:${PUBLIC_PORT}`

test('nothing is wrong to begin with', (t) => {
  const { talk, pass, whys } = mesh()
  const log = talk()
  pass(100)
  t.deepEqual([log, whys('a'), whys('b')], [['echo'], [], []])
})

test('a caller that begins a handshake and never finishes it is refused after handshakeMs', (t) => {
  const { network, talk, pass, whys, meshes } = mesh()
  network.stallHandshakes('a')
  const log = talk()
  pass(HANDSHAKE_MS - 10)
  t.deepEqual([log, whys('b')], [[], []])
  pass(30)
  t.deepEqual(whys('b'), ['handshake-failed: the TLS handshake took too long'])
  t.deepEqual(whys('a'), ['closed: reset by the destination'])
  t.deepEqual(log, ['reset'])
  t.deepEqual([meshes.a.open(), meshes.b.open()], [[], []])
})

test('a caller that goes on in time is served, with all that it had to say', (t) => {
  const { network, talk, pass, whys } = mesh()
  const goOn = network.stallHandshakes('a', { peer: 'b', port: PUBLIC_PORT })
  const log = talk()
  pass(HANDSHAKE_MS / 2)
  goOn()
  pass(100)
  t.deepEqual([log, whys('a'), whys('b')], [['echo'], [], []])
})

test('a destination that begins a handshake and never finishes it is given up after withinMs', (t) => {
  const { network, talk, pass, whys } = mesh()
  network.stallHandshakes('b')
  const log = talk()
  pass(HANDSHAKE_MS + 10)
  t.deepEqual(whys('b'), ['handshake-failed: the TLS handshake took too long'])
  t.deepEqual(whys('a'), [`dial-failed: dial ${DIALLED}: the connection was closed during the TLS handshake`])
  t.deepEqual(log, [])
})

test('an unfinished handshake ends at once if the process that owes it does', (t) => {
  const { network, talk, pass, whys } = mesh()
  network.stallHandshakes('a')
  talk()
  pass(100)
  network.crash('a')
  pass(100)
  t.deepEqual(whys('b'), ['handshake-failed: the connection was closed during the TLS handshake'])
})

test('refused, a dial fails in the words of the system', (t) => {
  const { network, talk, pass, whys } = mesh()
  network.refuseDials('b', { port: PUBLIC_PORT })
  talk()
  pass(100)
  t.deepEqual(whys('a'), [`dial-failed: dial ${DIALLED}: connect: connection refused`])
})

test('across a cut a dial takes as long as it may', (t) => {
  const { network, talk, pass, whys } = mesh()
  network.partition([['a'], ['b']])
  talk()
  pass(WITHIN_MS - 10)
  t.deepEqual(whys('a'), [])
  pass(20)
  t.deepEqual(whys('a'), [`dial-failed: dial ${DIALLED}: i/o timeout`])
})

test('a reset between two sidecars ends both connections, and the reasons say from where', (t) => {
  const { network, talk, pass, whys, meshes } = mesh()
  const log = talk()
  pass(100)
  t.is(network.resetConnections('b', { peer: 'a' }), 1)
  pass(100)
  t.deepEqual([whys('a'), whys('b'), log], [['closed: reset by the destination'], ['closed: reset by the caller'], ['echo', 'reset']])
  t.deepEqual([meshes.a.open(), meshes.b.open()], [[], []])
})

test('a pulled plug ends the connections on the other side once they are given up', (t) => {
  const { network, talk, pass, whys, meshes } = mesh()
  const log = talk()
  pass(100)
  network.crash('b', 'silently')
  pass(29_000)
  t.is(meshes.a.open().length, 1)
  pass(1_100)
  t.deepEqual([whys('a'), log], [['closed: the destination: connection timed out'], ['echo', 'reset']])
  t.deepEqual(meshes.a.open(), [])
})

test('a machine that hangs takes connections and lets their handshakes wait', (t) => {
  const { network, talk, pass, whys } = mesh()
  const letGo = network.holdConnections('b', { port: PUBLIC_PORT })
  const log = talk()
  pass(HANDSHAKE_MS / 2)
  letGo()
  pass(100)
  t.deepEqual(log, ['echo'])
  network.holdConnections('b', { port: PUBLIC_PORT })
  talk()
  pass(HANDSHAKE_MS + 100)
  t.deepEqual(whys('b'), ['handshake-failed: the TLS handshake took too long'])
})
