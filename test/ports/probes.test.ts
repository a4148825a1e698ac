import { createServer as createWebServer } from 'node:http'
import { createServer } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { createProbes } from '../../net/probes/index.ts'
import { createSimProbes, type SimAnswer } from '../../sim/ports/probes.ts'
import { createRandom } from '../../sim/streams.ts'
import type { Device, ProbeOutcome, ProbeRequest } from '../../src/kernel/ports.ts'
import { asking, granted } from '../kit/asking.ts'
import { dockerEngine } from '../kit/docker-engine.ts'
import { grpcHealth } from '../kit/grpc-health.ts'
import { closedPort, listening } from '../kit/servers.ts'

const TLS = { tlsServerName: '', tlsSkipVerify: false }

type World = {
  probes: Device<ProbeRequest, ProbeOutcome>
  /** Takes connections and never says anything. */
  silentPort: number
  /** Speaks HTTP and has nothing but errors to tell. */
  failingPort: number
  closedPort: number
  /** Speak gRPC: one serves, one does not. */
  servingPort: number
  notServingPort: number
}

async function realWorld(t: ExecutionContext): Promise<World> {
  const failing = createWebServer((_request, response) => {
    response.statusCode = 500
    response.end()
  })
  return {
    probes: createProbes(),
    silentPort: await listening(t, createServer()),
    failingPort: await listening(t, failing),
    closedPort: await closedPort(createServer()),
    servingPort: await grpcHealth(t, { '': 1 }),
    notServingPort: await grpcHealth(t, { '': 2 }),
  }
}

async function simulatedWorld(): Promise<World> {
  const answers = new Map<string, SimAnswer>([
    ['true', 'passing'],
    ['false', 'failing'],
    ['127.0.0.1:8001', 'passing'],
    ['127.0.0.1:8003', 'failing'],
    ['sleep', 'hangs'],
    ['127.0.0.1:8004', 'passing'],
    ['127.0.0.1:8005', 'failing'],
    ['box', 'passing'],
  ])
  return {
    probes: createSimProbes({ after: (_ms, work) => queueMicrotask(work), drawAnswerMs: () => 1, random: createRandom('probes'), answers }),
    silentPort: 8_001,
    failingPort: 8_003,
    closedPort: 8_002,
    servingPort: 8_004,
    notServingPort: 8_005,
  }
}

for (const [arm, create] of [
  ['real', realWorld],
  ['simulated', simulatedWorld],
] as const) {
  test(`${arm}: a port is passing if something listens on it`, async (t) => {
    const world = await create(t)
    const tcp = (port: number) => asking(world.probes)({ kind: 'tcp', address: `127.0.0.1:${port}`, timeoutMs: 10_000 })
    t.deepEqual(await tcp(world.silentPort), { status: 'passing', output: `TCP connect 127.0.0.1:${world.silentPort}: Success` })
    t.deepEqual(await tcp(world.closedPort), {
      status: 'critical',
      output: `dial tcp 127.0.0.1:${world.closedPort}: connect: connection refused`,
    })
  })

  test(`${arm}: a web server that is not there is critical`, async (t) => {
    const world = await create(t)
    const url = `http://127.0.0.1:${world.closedPort}/health`
    t.deepEqual(await asking(world.probes)(httpRequest(url)), {
      status: 'critical',
      output: `Get "${url}": dial tcp 127.0.0.1:${world.closedPort}: connect: connection refused`,
    })
  })

  test(`${arm}: what has only errors to tell is there all the same`, async (t) => {
    const { probes, failingPort } = await create(t)
    const ask = asking(probes)
    const address = `127.0.0.1:${failingPort}`
    const url = `http://${address}/health`
    t.deepEqual(await ask(httpRequest(url)), { status: 'critical', output: `HTTP GET ${url}: 500 Internal Server Error Output: ` })
    t.deepEqual(await ask({ kind: 'tcp', address, timeoutMs: 10_000 }), { status: 'passing', output: `TCP connect ${address}: Success` })
    t.deepEqual(await ask({ kind: 'script', args: ['false'], timeoutMs: 0, outputMax: 100, env: {} }), { status: 'warning', output: '' })
    const range = { address: '127.0.0.1', from: failingPort, to: failingPort, taken: [] }
    t.like(await ask({ kind: 'free-port', ...range }), { refused: 'conflict' })
  })

  test(`${arm}: a script passes, does not exist or takes too long`, async (t) => {
    const ask = asking((await create(t)).probes)
    const script = (args: string[]) => ask({ kind: 'script', args, timeoutMs: 100, outputMax: 100, env: {} })
    t.deepEqual(await script(['no-such-program']), {
      status: 'critical',
      output: 'exec: "no-such-program": executable file not found in $PATH',
    })
    t.deepEqual(await script(['/no/such/program']), {
      status: 'critical',
      output: 'fork/exec /no/such/program: no such file or directory',
    })
    t.deepEqual(await script(['sleep', '1000']), { status: 'critical', output: 'Timed out (100ms) running check' })
    const unread = await ask({ kind: 'script', args: ['true'], timeoutMs: 0, outputMax: 100, env: {}, input: 'x'.repeat(1_000_000) })
    t.deepEqual(unread, { status: 'passing', output: '' })
    const passing = await ask({ kind: 'script', args: ['true'], timeoutMs: 0, outputMax: 100, env: {} })
    t.deepEqual(passing, { status: 'passing', output: '' })
  })

  test(`${arm}: a gRPC server serves, does not or is not there`, async (t) => {
    const { probes, servingPort, notServingPort, closedPort: port } = await create(t)
    const grpc = (target: string) => asking(probes)({ kind: 'grpc', target, timeoutMs: 10_000, useTls: false, ...TLS })
    const serving = `127.0.0.1:${servingPort}`
    t.deepEqual(await grpc(serving), { status: 'passing', output: `gRPC check ${serving}: success` })
    const not = `127.0.0.1:${notServingPort}`
    t.deepEqual(await grpc(not), { status: 'critical', output: `gRPC ${not} serving status: NOT_SERVING` })
    const why = `transport: Error while dialing dial tcp 127.0.0.1:${port}: connect: connection refused`
    t.deepEqual(await grpc(`127.0.0.1:${port}/web`), {
      status: 'critical',
      output: `rpc error: code = Unavailable desc = all SubConns are in TransientFailure, latest connection error: connection error: desc = "${why}"`,
    })
  })

  test(`${arm}: a ping of HTTP/2 needs a server that speaks TLS`, async (t) => {
    const { probes, failingPort, closedPort: port } = await create(t)
    const ping = (address: string) => asking(probes)({ kind: 'h2ping', address, timeoutMs: 10_000, ...TLS })
    const [plain, none] = [`127.0.0.1:${failingPort}`, `127.0.0.1:${port}`]
    const refused = `dial tcp ${none}: connect: connection refused`
    t.deepEqual(await ping(none), { status: 'critical', output: `Failed to dial to ${none}: ${refused}` })
    t.deepEqual(await ping(plain), {
      status: 'critical',
      output: `Failed to dial to ${plain}: tls: first record does not look like a TLS handshake`,
    })
  })

  test.serial(`${arm}: a container runs a program or is unknown`, async (t) => {
    await dockerEngine(t, { true: { output: '', exitCode: 0 } })
    const ask = asking((await create(t)).probes)
    const docker = (container: string) => ask({ kind: 'docker', container, args: ['true'], timeoutMs: 10_000, outputMax: 100 })
    t.deepEqual(await docker('box'), { status: 'passing', output: '' })
    t.deepEqual(await docker('none'), { status: 'critical', output: 'create exec failed for unknown container none' })
  })

  test(`${arm}: a free port is neither in use nor taken`, async (t) => {
    const { probes, silentPort, closedPort: free } = await create(t)
    const range = (from: number, taken: number[]) => asking(probes)({ kind: 'free-port', address: '127.0.0.1', from, to: from, taken })
    t.is(granted(await range(free, [])).port, free)
    for (const [port, taken] of [
      [free, [free]],
      [silentPort, []],
    ] as const) {
      t.deepEqual(await range(port, [...taken]), { refused: 'conflict', why: `no free port on 127.0.0.1 from ${port} to ${port}` })
    }
  })

  test(`${arm}: ports that do not exist are refused`, async (t) => {
    const { probes } = await create(t)
    t.deepEqual(await asking(probes)({ kind: 'free-port', address: '127.0.0.1', from: 2, to: 1, taken: [] }), {
      refused: 'invalid',
      why: 'ports 2 to 1: must be a range within 1 to 65535',
    })
  })
}

test('real: a program reads its input to the end, and without any it has none', async (t) => {
  const ask = asking(createProbes())
  const count = { kind: 'script', args: ['wc', '-c'], timeoutMs: 0, outputMax: 100, env: {} } as const
  t.like(await ask({ ...count, args: [...count.args], input: 'ü'.repeat(100_000) }), { output: '200000\n' })
  t.like(await ask({ ...count, args: [...count.args] }), { output: '0\n' })
})

test('simulated: a web server answers, and one that hangs takes the whole time', async (t) => {
  const waitsMs: number[] = []
  const answers = new Map<string, SimAnswer>([
    ['10.0.0.1:80', 'passing'],
    ['10.0.0.2:443', 'hangs'],
  ])
  const probes = createSimProbes({
    after(ms, work) {
      waitsMs.push(ms)
      queueMicrotask(work)
    },
    drawAnswerMs: () => 3,
    random: createRandom('probes'),
    answers,
  })
  t.deepEqual(await asking(probes)(httpRequest('http://10.0.0.1/up')), {
    status: 'passing',
    output: 'HTTP GET http://10.0.0.1/up: 200 OK Output: ',
  })
  t.deepEqual(await asking(probes)(httpRequest('https://10.0.0.2/up')), {
    status: 'critical',
    output: 'Get "https://10.0.0.2/up": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
  })
  t.deepEqual(waitsMs, [3, 10_000])
})

test('simulated: a slow one passes late, and in time', async (t) => {
  const waitsMs: number[] = []
  const answers = new Map<string, SimAnswer>([['10.0.0.1:80', 'slow']])
  const after = (ms: number, work: () => void) => {
    waitsMs.push(ms)
    queueMicrotask(work)
  }
  const probes = createSimProbes({ after, drawAnswerMs: () => 3, random: createRandom('slow'), answers })
  for (let count = 0; count < 50; count += 1) t.like(await asking(probes)(httpRequest('http://10.0.0.1/up')), { status: 'passing' })
  t.true(waitsMs.every((ms) => ms >= 3_000 && ms <= 9_500))
  t.true(new Set(waitsMs).size > 1)
})

test('simulated: a flaky one is drawn for each probe, from its own stream', async (t) => {
  const see = async (seed: string) => {
    const answers = new Map<string, SimAnswer>([['10.0.0.1:80', 'flaky']])
    const after = (_ms: number, work: () => void) => queueMicrotask(work)
    const ask = asking(createSimProbes({ after, drawAnswerMs: () => 3, random: createRandom(seed), answers }))
    const seen: string[] = []
    for (let count = 0; count < 100; count += 1) seen.push(granted(await ask(httpRequest('http://10.0.0.1/up'))).output)
    return seen
  }
  const seen = await see('flaky')
  t.deepEqual([...new Set(seen)].sort(), [
    'Get "http://10.0.0.1/up": dial tcp 10.0.0.1:80: connect: connection refused',
    'HTTP GET http://10.0.0.1/up: 200 OK Output: ',
    'HTTP GET http://10.0.0.1/up: 500 Internal Server Error Output: ',
  ])
  t.deepEqual(seen, await see('flaky'))
  t.notDeepEqual(seen, await see('another'))
})

function httpRequest(url: string): ProbeRequest {
  const tls = { tlsServerName: '', tlsSkipVerify: false }
  return { kind: 'http', url, method: '', headers: {}, body: '', timeoutMs: 10_000, outputMax: 100, ...tls, disableRedirects: false }
}
