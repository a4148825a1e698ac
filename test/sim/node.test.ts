import assert from 'node:assert/strict'
import test from 'ava'
import fc from 'fast-check'
import { rotationProgress } from '../../actors/ca/progress.ts'
import { caRef } from '../../actors/ca/protocol.ts'
import { caRoots } from '../../actors/ca/queries.ts'
import { serviceOn } from '../../actors/catalog/queries.ts'
import { kvRef } from '../../actors/kv/index.ts'
import { kvGet } from '../../actors/kv/queries.ts'
import { SOUND } from '../../sim/mutants/index.ts'
import { networkOf } from '../../sim/network-of.ts'
import { SEPARATE, SimNode, type SimNodeOptions } from '../../sim/node.ts'
import type { SimNetwork } from '../../sim/ports/network.ts'
import { World } from '../../sim/world.ts'
import { readCaConfig } from '../../src/config/ca-config.ts'
import type { Config } from '../../src/config/config.ts'
import { hostInMemory } from '../../src/config/host.ts'
import { loadConfig, parseAgentFlags } from '../../src/config/index.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { localLog } from '../../src/local-log.ts'
import type { Role } from '../../src/placement.ts'
import { granted } from '../kit/asking.ts'

const APPLICATION_PORT = 8081
const UPSTREAM_PORT = 9191
const STARTED_MS = 3_000

type Options = Partial<Pick<SimNodeOptions, 'layout' | 'clock' | 'createLog'>> & { seed?: string }

/** A simulated agent with two services in the mesh, started. */
function machine({ seed = 'machine', ...options }: Options = {}) {
  const world = new World(seed)
  const network = networkOf(world)
  network.addNode('n1', '10.0.0.1')
  const printed: string[] = []
  const ended: string[] = []
  const restarted: (readonly Role[])[] = []
  const node = new SimNode({
    world,
    network,
    config: configured(),
    layout: SEPARATE,
    mutations: SOUND,
    createLog: localLog,
    printed: (line) => printed.push(line),
    ended: (why) => ended.push(why),
    threadRestarted: (roles) => restarted.push(roles),
    ...options,
  })
  node.answers.set(`127.0.0.1:${APPLICATION_PORT}`, 'passing')
  boot(network, node)
  const pass = (ms: number) => world.runUntil(world.nowMs + ms)
  /** Begins to write a key; the answer is looked at later. */
  const put = (key: string, value: string) => {
    const answers: unknown[] = []
    const request = { key, value: Buffer.from(value), flags: 0n, token: '' }
    node.edge.ask(kvRef, 'put', request, 8_000, (answer) => answers.push(answer))
    return answers
  }
  const read = (key: string) => {
    const { entry } = kvGet(node.tables.view(), key)
    return entry && Buffer.from(entry.value).toString()
  }
  /** Opens a connection through both sidecars; what came back and how it ended are noted as it goes on. */
  const connect = () => {
    const seen: string[] = []
    network.dial('n1', { host: '127.0.0.1', port: UPSTREAM_PORT }, (socket) => {
      if (isRefused(socket)) return seen.push('refused')
      socket.handlers = { data: () => seen.push('echo'), closed: (how) => seen.push(how) }
      socket.resume()
      return socket.write(new Uint8Array([1]))
    })
    return seen
  }
  const start = () => boot(network, node)
  return { world, network, node, start, printed, ended, restarted, pass, put, read, connect }
}

/** Starts the agent, and its application unless that still runs. */
function boot(network: SimNetwork, node: SimNode): void {
  network.listen('n1', '127.0.0.1', APPLICATION_PORT, (socket) => {
    socket.handlers = { data: (bytes) => socket.write(bytes), end: () => socket.end() }
    socket.resume()
  })
  node.start()
}

const APPLIED = { applied: true }

for (const role of ['state', 'edge', 'mesh'] as const) {
  test(`a ${role} thread that fails is made anew, and everything works again; the second time the process ends`, (t) => {
    const { node, start, pass, put, connect, restarted, ended, printed } = machine()
    pass(STARTED_MS)
    const before = node.hostOf(role)
    node.crashThread(role, 'for the test')
    t.not(node.hostOf(role), before)
    t.is(node.hostOf(role).thread, node.thread(role))
    pass(STARTED_MS)
    t.deepEqual(restarted, [[role]])
    const [answer, seen] = [put('a', '1'), connect()]
    pass(1_000)
    t.deepEqual([answer, seen], [[APPLIED], ['echo']])
    t.deepEqual(ended, [])
    node.crashThread(role, 'for the test')
    t.false(node.isUp)
    const name = `thread ${SEPARATE.findIndex((roles) => roles.includes(role))} (${role})`
    t.deepEqual(ended, [`${name} failed again: for the test`])
    t.true(printed.some((line) => line.includes(`threads: ${name} failed and is started again`)))
    start()
    pass(STARTED_MS)
    node.crashThread(role, 'for the test')
    t.true(node.isUp, 'a new process counts anew')
  })
}

test('without its main thread the process ends, and so does one that has no other', (t) => {
  for (const layout of [SEPARATE, [['main', 'state', 'edge', 'mesh']] as const]) {
    const { node, start, pass, ended } = machine({ layout })
    pass(STARTED_MS)
    node.crashThread('main', 'for the test')
    t.deepEqual([ended, node.isUp, node.hosts], [['for the test'], false, []])
    start()
    pass(STARTED_MS)
    t.true(serviceOn(node.tables.view(), 'n1', 'web') !== undefined)
  }
})

test('who waits for a thread that fails is told that it is gone; what it was about to commit is there or not', (t) => {
  const fates = new Set<string | undefined>()
  for (let seed = 0; seed < 20; seed++) {
    const { node, pass, put, read } = machine({ seed: String(seed) })
    pass(STARTED_MS)
    node.diskSlowness = 1_000
    const answers = put('a', '1')
    pass(5)
    node.crashThread('state')
    fates.add(read('a'))
    node.diskSlowness = 1
    pass(STARTED_MS)
    t.deepEqual(answers, [{ refused: 'gone', why: 'thread 1 (state) failed' }])
    const again = put('b', '1')
    pass(1_000)
    t.deepEqual(again, [APPLIED])
  }
  t.deepEqual([...fates].sort(), ['1', undefined])
})

test('what was under way to a thread that fails is lost with it', (t) => {
  const { node, pass, put, read } = machine()
  pass(STARTED_MS)
  const answers = put('a', '1')
  // The edge has sent it, and it has not arrived.
  pass(0)
  node.crashThread('state')
  pass(STARTED_MS)
  t.deepEqual(answers, [{ refused: 'gone', why: 'thread 1 (state) failed' }])
  t.is(read('a'), undefined)
})

test('readers on other threads look anew when the state thread fails, and those on the lost thread are gone', (t) => {
  const { node, pass } = machine()
  pass(STARTED_MS)
  let woken = 0
  const reads = { keys: new Map([[10, new Set(['a'])]]), prefixes: new Map() }
  node.edge.waiters.add(reads, () => woken++)
  node.crashThread('state')
  pass(1_000)
  t.is(woken, 1)
  node.edge.waiters.add(reads, () => woken++)
  const before = node.edge
  node.crashThread('edge')
  pass(1_000)
  t.deepEqual([woken, node.edge === before, node.edge.waiters.size], [1, false, 0])
})

test('the connections of a mesh thread end with it, and its sidecars listen again', (t) => {
  const { node, pass, connect } = machine()
  pass(STARTED_MS)
  const seen = connect()
  pass(1_000)
  t.is(node.mesh?.open().length, 2)
  node.crashThread('mesh')
  pass(1)
  t.deepEqual(seen, ['echo', 'reset'])
  t.deepEqual(node.mesh?.open(), [])
  pass(STARTED_MS)
  const again = connect()
  pass(1_000)
  t.deepEqual(again, ['echo'])
})

test('an actor crashes once the next message has been handled: its caller is refused, and nothing of it happens', (t) => {
  const { node, pass, put, read, printed } = machine()
  pass(STARTED_MS)
  node.crashActor('kv')
  const answers = put('a', '1')
  pass(1_000)
  t.deepEqual(answers, [{ refused: 'gone', why: 'kv crashed' }])
  t.is(read('a'), undefined)
  t.true(printed.some((line) => /simulated bug in \W+put\W+ of kv/.test(line)))
  const again = put('a', '2')
  pass(1_000)
  t.deepEqual([again, read('a')], [[APPLIED], '2'])
  t.throws(() => node.crashActor('nobody'), { message: 'broken promise: there is an actor "nobody"' })
})

test('an actor that crashes again and again ends its thread', (t) => {
  const { node, pass, put, restarted } = machine()
  pass(STARTED_MS)
  node.crashActor('kv', 6)
  const answers: unknown[][] = []
  for (let times = 0; times < 8; times++) {
    answers.push(put('a', '1'))
    pass(2_000)
  }
  t.deepEqual(restarted, [['state']])
  t.deepEqual(answers.at(-1), [APPLIED])
})

test('a signer that refuses, or takes seconds, only delays what needs it', (t) => {
  const busy = machine()
  busy.node.signerFailing = 'busy'
  busy.pass(10_000)
  t.is(caRoots(busy.node.tables.view()), undefined)
  t.true(busy.printed.some((line) => line.includes('no keys and no signatures: simulated')))
  busy.node.heal()
  busy.pass(60_000)
  const seen = busy.connect()
  busy.pass(1_000)
  t.deepEqual(seen, ['echo'])

  const slow = machine()
  slow.node.signerFailing = 'slow'
  slow.pass(999)
  t.is(caRoots(slow.node.tables.view()), undefined)
  slow.pass(300_000)
  const late = slow.connect()
  slow.pass(1_000)
  t.deepEqual(late, ['echo'])
})

test('the root of the mesh changes under simulated traffic; days later the old one is gone', (t) => {
  const { node, pass, connect } = machine()
  pass(10_000)
  const { settings, config } = { config: { PrivateKeyBits: 384 }, ...readCaConfig('consul', { PrivateKeyBits: 384 }) }
  const answers: unknown[] = []
  const ask = { provider: 'consul', settings, config, rehearse: false, token: '' } as const
  node.edge.ask(caRef, 'configure', ask, 8_000, (answer) => answers.push(answer))
  const seen: string[][] = []
  for (let second = 0; second < 40; second++) {
    seen.push(connect())
    pass(1_000)
  }
  t.deepEqual(answers, [{ plan: undefined }])
  t.true(seen.every(([first]) => first === 'echo'))
  t.like(rotationProgress(node.tables.view()), { phase: 'retiring', done: 2, proxies: 2 })
  pass(73 * 3_600_000)
  t.like(caRoots(node.tables.view()), { roots: { length: 1 } })
  const late = connect()
  pass(1_000)
  t.deepEqual(late, ['echo'])
})

test('a machine that sleeps does nothing, and goes on where it was', (t) => {
  const { node, pass, put, read } = machine()
  pass(STARTED_MS)
  const answers = put('a', '1')
  const wallMs = node.wallMs()
  node.suspend(60_000)
  pass(59_999)
  t.deepEqual([answers, read('a')], [[], undefined])
  t.is(node.wallMs() - wallMs, 59_999)
  pass(1_000)
  t.deepEqual([answers, read('a')], [[APPLIED], '1'])
})

test('a power cut ends a sleep', (t) => {
  const { node, start, pass, put } = machine()
  pass(STARTED_MS)
  node.suspend(60_000)
  node.crash()
  start()
  pass(STARTED_MS)
  const answers = put('a', '1')
  pass(100)
  t.deepEqual(answers, [APPLIED])
})

test('each machine has a clock of its own', (t) => {
  const { node, world, pass } = machine({ clock: { skewMs: -5_000, driftPart: 0.01 } })
  const plain = machine()
  pass(100_000)
  plain.pass(100_000)
  t.is(node.wallMs() - plain.node.wallMs(), -5_000 + 1_000)
  t.is(world.nowMs, 100_000)
})

test('threads that are slow answer late', (t) => {
  const { node, world, pass, put } = machine()
  pass(STARTED_MS)
  node.slowThreads(1_000, world.nowMs + 5_000)
  const answers = put('a', '1')
  pass(20)
  t.deepEqual(answers, [])
  pass(10_000)
  t.deepEqual(answers, [APPLIED])
})

test('a disk that fails refuses until the process or its state thread is started again', (t) => {
  const { node, start, pass, put } = machine()
  pass(STARTED_MS)
  const failed = { refused: 'busy', why: 'disk failed: simulated' }
  for (const how of ['thread', 'process']) {
    node.failDisk(true)
    const refused = put('a', '1')
    pass(100)
    if (how === 'thread') node.crashThread('state')
    else node.crash()
    if (!node.isUp) start()
    pass(STARTED_MS)
    const taken = put('a', '1')
    pass(100)
    t.deepEqual([refused, taken], [[failed], [APPLIED]])
  }
  node.fillDisk(true)
  const full = put('b', '1')
  pass(100)
  t.deepEqual(full, [{ refused: 'busy', why: 'disk full: simulated' }])
})

test('the log is made for each life of the state thread and may use nothing of an earlier one', (t) => {
  const lives: { after(ms: number, work: () => void): () => void }[] = []
  const fired: number[] = []
  const { node, pass } = machine({
    createLog(life) {
      lives.push(life)
      return localLog(life)
    },
  })
  pass(STARTED_MS)
  t.is(lives.length, 1)
  lives[0]?.after(10, () => fired.push(0))
  node.crashThread('state')
  pass(STARTED_MS)
  t.is(lives.length, 2)
  lives[1]?.after(10, () => fired.push(1))
  pass(10)
  t.deepEqual(fired, [1])
})

const trouble = fc.record({
  afterMs: fc.integer({ min: 0, max: 1_500 }),
  what: fc.oneof(
    fc.record({ do: fc.constant('thread' as const), role: fc.constantFrom<Role>('main', 'state', 'edge', 'mesh') }),
    fc.record({ do: fc.constant('actor' as const), name: fc.constantFrom('ledger', 'kv', 'local', 'ca', 'proxies', 'proxy', 'feeds') }),
    fc.record({ do: fc.constant('signer' as const), how: fc.constantFrom('busy', 'slow', undefined) }),
    fc.record({ do: fc.constantFrom('crash' as const, 'suspend' as const, 'stall' as const, 'slow' as const, 'fail' as const) }),
  ),
})

test('whatever fails, two runs are the same, and once all is well again everything works', (t) => {
  fc.assert(
    fc.property(fc.array(trouble, { maxLength: 12 }), fc.string(), (troubles, seed) => {
      const play = () => {
        const { world, node, start, pass, put, connect } = machine({ seed })
        for (const { afterMs, what } of troubles) {
          pass(afterMs)
          if (!node.isUp) start()
          put('a', String(afterMs))
          if (what.do === 'thread') node.crashThread(what.role)
          else if (what.do === 'actor') node.crashActor(what.name)
          else if (what.do === 'signer') node.signerFailing = what.how
          else if (what.do === 'crash') node.crash()
          else if (what.do === 'suspend') node.suspend(500)
          else if (what.do === 'stall') node.stall('state', 700)
          else if (what.do === 'slow') node.slowThreads(100, world.nowMs + 1_000)
          else node.failDisk(true)
        }
        if (!node.isUp) start()
        node.heal()
        pass(40_000)
        const [answers, seen] = [put('b', 'last'), connect()]
        pass(2_000)
        return { answers, seen, hash: world.trace.hash }
      }
      const [once, twice] = [play(), play()]
      assert.deepEqual(once, twice)
      assert.deepEqual([once.answers, once.seen], [[APPLIED], ['echo']])
    }),
    { numRuns: 40 },
  )
  t.pass()
})

/** A server with an application behind a sidecar and one that connects to it. */
function configured(): Config {
  const disable_tcp_check = true
  const upstreams = [{ destination_name: 'db', local_bind_port: UPSTREAM_PORT }]
  const file = {
    connect: { enabled: true },
    services: [
      {
        name: 'db',
        port: APPLICATION_PORT,
        connect: { proxy: { config: { disable_tcp_check } } },
        check: { tcp: `127.0.0.1:${APPLICATION_PORT}`, interval: '2s' },
      },
      { name: 'web', port: 8080, connect: { proxy: { config: { disable_tcp_check, upstreams } } } },
    ],
  }
  const flags = parseAgentFlags(['-server', '-bootstrap', '-bind=10.0.0.1', '-data-dir=/data', '-node=n1', '-config-file=/etc/web.json'])
  if ('error' in flags) throw new Error(flags.error)
  const host = hostInMemory({ '/etc/web.json': JSON.stringify(file) }, 'n1', '10.0.0.1')
  const { config } = granted(loadConfig({ flags: flags.flags, host }))
  return { ...config, boot: 'simulated', node: { ...config.node, id: '00000000-0000-4000-8000-000000000001' } }
}
