import test from 'ava'
import { applyGroup } from '../../actors/commands.ts'
import { actors } from '../../actors/index.ts'
import { createSimApi, type SimReply, type SimRequest } from '../../sim/clients.ts'
import { SOUND } from '../../sim/mutants/index.ts'
import { networkOf } from '../../sim/network-of.ts'
import { SEPARATE, SimNode } from '../../sim/node.ts'
import { SnapshotFiles } from '../../sim/ports/snapshots.ts'
import { createSimTables } from '../../sim/ports/tables.ts'
import { World } from '../../sim/world.ts'
import { hostInMemory } from '../../src/config/host.ts'
import { loadConfig, parseAgentFlags } from '../../src/config/index.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { localLog } from '../../src/local-log.ts'
import { type TestHosts, testHosts } from '../kit/hosts.ts'

const COMMIT_MS = 2
/** The chance of the test hosts is always in the middle: a wait grows by half of its sixteenth. */
const JITTER = 1 + 1 / 32

/** A state thread and an edge thread that share tables in memory, and the API of the latter. */
function edge() {
  const tables = createSimTables({ after: (ms, work) => kit.clock.after(ms, work), drawCommitMs: () => COMMIT_MS })
  const log = localLog({ tables, apply: applyGroup, onCommitted: (notice) => kit.hosts[0]?.notify(notice) })
  const kit: TestHosts = testHosts({ threads: 2, actors, place: () => 0, tables, devices: { log } })
  const [state, host] = kit.hosts
  if (!state || !host) throw new Error('two hosts were made')
  const config = configured()
  state.start('ledger', '', undefined)
  state.start('kv', '', { valueBytesMax: config.limits.kvMaxValueSize })
  const api = createSimApi({ host, config, layout: [['state'], ['edge']], files: new SnapshotFiles() })

  /** Sends a request; what becomes of it is looked at later. */
  const send = (method: string, path: string, request: SimRequest = {}) => {
    const sent: { reply: SimReply | 'lost' | undefined; atMs: number; giveUp(): void } = {
      reply: undefined,
      atMs: 0,
      giveUp: () => undefined,
    }
    sent.giveUp = api.request(method, path, request, (reply) => {
      if (sent.reply !== undefined) throw new Error('one reply to each request')
      sent.reply = reply
      sent.atMs = kit.clock.nowMs
    })
    return sent
  }
  /** Sends a request and lets a short time pass, in which it must be answered. */
  const ask = (method: string, path: string, request: SimRequest = {}): SimReply => {
    const sent = send(method, path, request)
    kit.advance(2 * COMMIT_MS)
    if (sent.reply === undefined || sent.reply === 'lost') throw new Error(`${method} ${path} was not answered`)
    return sent.reply
  }
  return { ...kit, host, api, send, ask }
}

function configured() {
  const parsed = parseAgentFlags(['-server', '-bootstrap', '-bind=10.0.0.1', '-data-dir=/data', '-node=n1'])
  if ('error' in parsed) throw new Error(parsed.error)
  const loaded = loadConfig({ flags: parsed.flags, host: hostInMemory({}, 'n1', '10.0.0.1') })
  if (isRefused(loaded)) throw new Error(loaded.why)
  return loaded.config
}

test('a client writes and reads in virtual time, without a promise', (t) => {
  const { ask, send, advance } = edge()
  const put = send('PUT', '/v1/kv/x', { body: 'one', query: { flags: '7' } })
  t.is(put.reply, undefined)
  advance(COMMIT_MS / 2)
  t.is(put.reply, undefined, 'not durable yet')
  advance(COMMIT_MS)
  t.is(put.reply instanceof Object && put.reply.json, true)

  const read = ask('GET', '/v1/kv/x')
  t.is(read.status, 200)
  t.like(read.json, [{ Key: 'x', Value: Buffer.from('one').toString('base64'), Flags: 7, ModifyIndex: read.index }])
  t.is(read.header('X-Consul-Knownleader'), 'true')
  t.is(read.header('X-Mine'), undefined)
  t.is(ask('GET', '/v1/kv/x', { query: { raw: '' } }).text, 'one')
  t.is(ask('PUT', '/v1/kv/x', { body: new Uint8Array([65]), query: { cas: '0' } }).json, false)
  t.is(ask('DELETE', '/v1/kv/x').json, true)
  t.is(ask('GET', '/v1/kv/x').status, 404)
})

test('what is asked again is found kept, until it changes', (t) => {
  const { ask, host } = edge()
  ask('PUT', '/v1/kv/x', { body: 'one' })
  const first = ask('GET', '/v1/kv/x')
  t.deepEqual(ask('GET', '/v1/kv/x').json, first.json)
  t.is(host.waiters.size, 1, 'the kept answer waits for its end')
  ask('PUT', '/v1/kv/x', { body: 'two' })
  t.is(host.waiters.size, 0)
  t.true(ask('GET', '/v1/kv/x').index > first.index)
})

test('a blocking read is answered by the change it waits for', (t) => {
  const { ask, send, advance } = edge()
  ask('PUT', '/v1/kv/x', { body: 'one' })
  const { index } = ask('GET', '/v1/kv/x')
  const reading = send('GET', '/v1/kv/x', { query: { index: String(index), wait: '10s' } })
  advance(5_000)
  ask('PUT', '/v1/kv/other', { body: 'one' })
  t.is(reading.reply, undefined)
  ask('PUT', '/v1/kv/x', { body: 'two' })
  t.true(reading.reply instanceof Object && reading.reply.index > index)
  t.is(reading.atMs, 5_000 + 4 * 2 * COMMIT_MS - COMMIT_MS)
})

test('a change that leaves the answer the same does not end a blocking read; the end of its time does', (t) => {
  const { ask, send, advance, clock } = edge()
  ask('PUT', '/v1/kv/x/a', { body: 'one' })
  const { index, text } = ask('GET', '/v1/kv/x', { query: { keys: '' } })
  const fromMs = clock.nowMs
  const reading = send('GET', '/v1/kv/x', { query: { keys: '', index: String(index), wait: '10s' } })
  advance(5_000)
  ask('PUT', '/v1/kv/x/a', { body: 'two' })
  t.is(reading.reply, undefined)
  advance(10_000)
  t.true(reading.reply instanceof Object && reading.reply.text === text && reading.reply.index > index)
  t.is(reading.atMs, fromMs + 10_000 * JITTER)
})

test('who gives up is not answered and nothing waits any more; whose agent ends has lost the connection', (t) => {
  const { ask, send, advance, api, host } = edge()
  ask('PUT', '/v1/kv/x', { body: 'one' })
  const { index } = ask('GET', '/v1/kv/x')
  const kept = host.waiters.size
  const query = { index: String(index) }
  const [given, lost] = [send('GET', '/v1/kv/x', { query }), send('GET', '/v1/kv/x', { query })]
  const unsent = send('PUT', '/v1/kv/x', { body: 'never' })
  unsent.giveUp()
  advance(10)
  t.is(host.waiters.size, kept + 2)
  given.giveUp()
  t.is(host.waiters.size, kept + 1)
  api.end()
  t.is(host.waiters.size, kept)
  t.deepEqual([given.reply, unsent.reply, lost.reply, send('GET', '/v1/kv/x').reply], [undefined, undefined, 'lost', 'lost'])
})

test('what is refused is refused as on a socket, and what needs promises is not asked', (t) => {
  const { ask, send } = edge()
  t.like(ask('GET', '/v1/nothing'), { status: 404, text: '' })
  t.like(ask('PUT', '/v1/kv/x', { body: 'x'.repeat(600_000) }), { status: 413 })
  t.like(ask('GET', '/v1/kv/x', { query: { index: 'x' } }), { status: 400, text: 'Invalid index' })
  t.like(ask('PUT', '/v1/catalog/register', { body: { Node: 3 } }), {
    status: 400,
    text: 'Request decode failed: json: cannot unmarshal number into field Node of type string',
  })
  t.like(
    ask('PUT', '/v1/catalog/register', { body: { Node: 'n2', Address: '10.0.0.2' } }),
    { status: 503 },
    'nobody has started the catalog',
  )
  t.throws(() => ask('GET', '/v1/kv/x', { query: { index: 'x' } }).json, { message: /the answer is JSON, not 400 "Invalid index"/ })
  t.throws(() => send('GET', '/v1/agent/self'), { message: 'broken promise: GET /v1/agent/self can be asked in a simulation' })
})

test('clients of a simulated agent register, wait for health, and notice what happens to its edge thread', (t) => {
  const world = new World('clients')
  const network = networkOf(world)
  network.addNode('n1', '10.0.0.1')
  const config = { ...configured(), boot: 'simulated' }
  const node = new SimNode({ world, network, config, layout: SEPARATE, mutations: SOUND, createLog: localLog, printed: () => undefined })
  node.start()
  const pass = (ms: number) => world.runUntil(world.nowMs + ms)
  const api = createSimApi({ host: node.edge, config: node.config, layout: node.layout, files: node.files })
  const replies: [string, number | 'lost', number][] = []
  const send = (method: string, path: string, request: SimRequest = {}) =>
    api.request(method, path, request, (reply) =>
      replies.push([path, reply === 'lost' ? reply : reply.status, Math.floor(world.nowMs / 1_000)]),
    )

  pass(1_000)
  send('GET', '/v1/health/service/web', { query: { index: '1', wait: '60s', passing: '' } })
  send('PUT', '/v1/agent/service/register', { body: { Name: 'web', Port: 80, Check: { TTL: '30s' } } })
  pass(2_000)
  send('PUT', '/v1/agent/check/pass/service:web')
  pass(2_000)
  t.deepEqual(replies.splice(0).sort(), [
    ['/v1/agent/check/pass/service:web', 200, 3],
    ['/v1/agent/service/register', 200, 1],
    ['/v1/health/service/web', 200, 3],
  ])
  send('GET', '/v1/agent/services')
  send('GET', '/v1/agent/health/service/name/web')
  pass(100)
  t.deepEqual(replies.splice(0), [
    ['/v1/agent/services', 200, 5],
    ['/v1/agent/health/service/name/web', 200, 5],
  ])

  node.stall('edge', 3_000)
  send('GET', '/v1/catalog/nodes')
  pass(5_000)
  t.deepEqual(replies.splice(0), [['/v1/catalog/nodes', 200, 8]], 'a thread that stalls answers late')
  send('GET', '/v1/catalog/nodes')
  node.crash()
  api.end()
  pass(1_000)
  t.deepEqual(replies, [['/v1/catalog/nodes', 'lost', 10]])
})
