import test from 'ava'
import { checks } from '../../actors/checks/index.ts'
import type { CheckDefinition } from '../../actors/definitions.ts'
import type { HealthStatus } from '../../src/kernel/ports.ts'
import { tcpCheck } from '../kit/local.ts'
import { tryActor } from '../kit/try-actor.ts'

function tryChecks(...wanted: CheckDefinition[]) {
  const a = tryActor(checks, { args: undefined })
  a.value('checks', wanted)
  a.effects()
  return {
    ...a,
    /** Lets one interval pass and gives the look its outcome; what was told of it. */
    look(status: HealthStatus) {
      a.wait(5_000)
      a.outcome('probes', { status, output: status })
      return a.effects().flatMap((effect) => (effect.did === 'cast' ? [(effect.request as { status: string }).status] : []))
    },
  }
}

test('a check is looked at at its interval, first within it', (t) => {
  const a = tryChecks(tcpCheck('c'))
  a.wait(5_000)
  t.deepEqual(a.acts('probes'), [{ kind: 'tcp', address: '127.0.0.1:80', timeoutMs: 10_000 }])
  a.outcome('probes', { status: 'passing', output: 'ok' })
  t.deepEqual(a.effects().at(-1), { did: 'cast', to: 'local', name: 'checked', request: { checkId: 'c', status: 'passing', output: 'ok' } })
  a.wait(4_999)
  t.deepEqual(a.acts('probes'), [])
  a.wait(1)
  t.is(a.acts('probes').length, 1)
})

test('an interval is at least a second', (t) => {
  const a = tryChecks(tcpCheck('c', { intervalMs: 10 }))
  a.wait(1_000)
  a.outcome('probes', { status: 'passing', output: '' })
  a.wait(999)
  t.deepEqual(a.acts('probes'), [])
})

test('each kind is asked for in its own way, with its own time limit', (t) => {
  const http = tcpCheck('a', { type: 'http', http: 'http://x/', header: { A: ['b'] }, timeoutMs: 2_000, tlsSkipVerify: true })
  const script = tcpCheck('b', { type: 'script', args: ['true', '-x'], outputMaxSize: 7 })
  const a = tryChecks(http, script)
  a.wait(5_000)
  const [first, second] = (a.acts('probes') as { kind: string }[]).toSorted((x, y) => (x.kind < y.kind ? -1 : 1))
  t.like(first, { kind: 'http', url: 'http://x/', method: 'GET', headers: { A: ['b'] }, timeoutMs: 2_000, tlsSkipVerify: true })
  t.deepEqual(second as unknown, { kind: 'script', args: ['true', '-x'], timeoutMs: 30_000, outputMax: 7, env: {} })
})

test('services of gRPC, HTTP/2 and containers are asked for too', (t) => {
  const tls = { tlsServerName: 'my.name', tlsSkipVerify: true }
  const grpc = tcpCheck('a', { type: 'grpc', grpc: 'x:1/web', grpcUseTls: true, ...tls })
  const h2ping = tcpCheck('b', { type: 'h2ping', h2ping: 'x:2', timeoutMs: 1_000, ...tls })
  const docker = tcpCheck('c', { type: 'docker', dockerContainerId: 'box', args: ['true'], outputMaxSize: 9 })
  const a = tryChecks(grpc, h2ping, docker)
  a.wait(5_000)
  const asked = (a.acts('probes') as { kind: string }[]).toSorted((x, y) => (x.kind < y.kind ? -1 : 1))
  t.deepEqual(asked as object[], [
    { kind: 'docker', container: 'box', args: ['true'], timeoutMs: 30_000, outputMax: 9 },
    { kind: 'grpc', target: 'x:1/web', timeoutMs: 10_000, useTls: true, ...tls },
    { kind: 'h2ping', address: 'x:2', timeoutMs: 1_000, ...tls },
  ])
})

test('the first result counts at once; then so many alike in a row are needed', (t) => {
  const a = tryChecks(tcpCheck('c', { successBeforePassing: 2, failuresBeforeCritical: 3 }))
  t.deepEqual(a.look('passing'), ['passing'])
  t.deepEqual(a.look('critical'), [])
  t.deepEqual(a.look('critical'), [])
  t.deepEqual(a.look('critical'), ['critical'])
  t.deepEqual(a.look('warning'), [])
  t.deepEqual(a.look('critical'), [])
  t.deepEqual(a.look('passing'), [])
  t.deepEqual(a.look('passing'), ['passing'])
})

test('a check that is no longer wanted is not looked at, and its late outcome does not count', (t) => {
  const a = tryChecks(tcpCheck('c'))
  a.wait(5_000)
  a.value('checks', [tcpCheck('c', { tcp: 'elsewhere:1' })])
  a.outcome('probes', { status: 'passing', output: '' })
  t.deepEqual(
    a.effects().filter(({ did }) => did === 'cast'),
    [],
  )
  a.value('checks', [])
  a.wait(60_000)
  t.deepEqual(a.acts('probes'), [])
})

test('a look that cannot be made is a failure', (t) => {
  const a = tryChecks(tcpCheck('c'))
  a.wait(5_000)
  a.outcome('probes', { refused: 'busy', why: 'too many' })
  t.like(a.effects().at(-1), { request: { status: 'critical', output: 'too many' } })
})
