import test from 'ava'
import { serviceInstances } from '../../actors/catalog/queries.ts'
import { routerRef } from '../../actors/router/protocol.ts'
import { apisOf } from '../../sim/apis.ts'
import type { SimReply, SimRequest } from '../../sim/clients.ts'
import { SOUND } from '../../sim/mutants/index.ts'
import { drawPlan, type Plan, readPlan } from '../../sim/plan.ts'
import { Run } from '../../sim/run.ts'
import { scenarioNamed } from '../../sim/scenarios/index.ts'
import { isRefused } from '../../src/kernel/refusal.ts'

const BOOT_MS = 5_000

function booted(...nodes: string[]): Run {
  const plan: Plan = { format: 2, seed: 'clients', nodes, threads: 'separate', checkEveryMs: 2_000, quietAtMs: 1e9, events: [] }
  const run = new Run({ plan, mutations: SOUND })
  run.advance(BOOT_MS)
  return run
}

function asked(run: Run, node: string, method: string, path: string, request: SimRequest = {}): SimReply | 'lost' | undefined {
  let got: SimReply | 'lost' | undefined
  apisOf(run).request(node, method, path, request, (reply) => (got = reply))
  run.advance(run.world.nowMs + 2_000)
  return got
}

function textOf(reply: SimReply | 'lost' | undefined): string {
  return reply === undefined || reply === 'lost' ? String(reply) : `${reply.status} ${reply.text}`.trim()
}

function usedBy(run: Run, client: string): string {
  let used = ''
  run.cluster.node(client).edge.ask(routerRef, 'show', null, 1_000, (routes) => {
    used = isRefused(routes) ? routes.why : routes.used
  })
  run.advance(run.world.nowMs + 1_000)
  return used
}

test('a client agent has no state: a server answers, and knows what is registered with it', (t) => {
  const run = booted('n1', 'n2', 'n3', 'c1')
  t.deepEqual(
    run.cluster.clients.map(({ name }) => name),
    ['c1'],
  )
  t.is(textOf(asked(run, 'c1', 'PUT', '/v1/kv/a', { body: 'x' })), '200 true')
  t.is(textOf(asked(run, 'c1', 'GET', '/v1/kv/a', { query: { raw: '' } })), '200 x')
  t.is(textOf(asked(run, 'n2', 'GET', '/v1/kv/a', { query: { raw: '' } })), '200 x')
  for (const { tables } of run.cluster.servers) {
    t.deepEqual(
      serviceInstances(tables.view(), 'db').instances.map(({ node }) => node.name),
      ['c1'],
    )
  }
})

test('a client that loses its server uses another one; without any it says so, and its services go on', (t) => {
  const run = booted('n1', 'n2', 'n3', 'c1')
  const first = usedBy(run, 'c1')
  t.true(['n1', 'n2', 'n3'].includes(first), first)
  run.cluster.crash(first, 600_000, 'silently')
  run.advance(run.world.nowMs + 45_000)
  const second = usedBy(run, 'c1')
  t.true(second !== first && ['n1', 'n2', 'n3'].includes(second), second)
  t.is(textOf(asked(run, 'c1', 'PUT', '/v1/kv/a', { body: 'x' })), '200 true')
  for (const { name } of run.cluster.servers) run.cluster.crash(name, 600_000, 'aloud')
  run.advance(run.world.nowMs + 5_000)
  t.is(textOf(asked(run, 'c1', 'GET', '/v1/kv/a')), '500 No known Consul servers')
  t.is(textOf(asked(run, 'c1', 'PUT', '/v1/agent/service/register', { body: { Name: 'late', Port: 1 } })), '200')
  t.is(run.failure?.what, undefined)
})

test('a thread of a client that fails finds the server in use again', (t) => {
  const run = booted('n1', 'c1')
  for (const role of ['state', 'edge'] as const) {
    run.cluster.node('c1').crashThread(role)
    run.advance(run.world.nowMs + 5_000)
    t.is(textOf(asked(run, 'c1', 'PUT', '/v1/kv/a', { body: role })), '200 true')
    t.is(textOf(asked(run, 'c1', 'PUT', '/v1/agent/service/register', { body: { Name: role, Port: 1 } })), '200')
    const [server] = run.cluster.servers
    t.is(server && serviceInstances(server.tables.view(), role).instances.length, 1)
  }
})

test('a plan of clients alone is refused, and what only servers have is not asked of a client', (t) => {
  const plan = drawPlan('written', { nodes: 1, seconds: 5 })
  const why = (change: object) => {
    const read = readPlan(JSON.stringify({ ...plan, events: [], ...change }))
    return isRefused(read) ? read.why : 'read'
  }
  t.is(why({ nodes: ['n1', 'c1'] }), 'read')
  t.is(why({ nodes: ['c1', 'c2'] }), 'plan.nodes: one of them at least must be a server, called otherwise than c1, c2, …')
  const event = { atMs: 1, do: 'log-lag', node: 'c1', lagMs: 50, forMs: 500 }
  t.is(why({ nodes: ['n1', 'c1'], events: [event] }), 'plan.events[0].node: c1 is a client agent, and log-lag is about a server')
  t.is(why({ nodes: ['n1', 'c1'], events: [{ ...event, node: 'n1' }] }), 'read')
})

test('plans with clients are drawn for both', (t) => {
  const scenario = scenarioNamed('clients')
  const plans = ['a', 'b', 'c', 'd'].map((seed) => drawPlan(seed, { scenario, nodes: 3 }))
  for (const { nodes, events } of plans) {
    t.deepEqual(nodes.slice(0, 4), ['n1', 'n2', 'n3', 'c1'])
    t.true(events.some(({ do: what, node }) => what === 'kv.put' && node === 'c1'))
    t.false(events.some(({ do: what, node }) => what === 'query.execute' && node.startsWith('c')))
  }
})
