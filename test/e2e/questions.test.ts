import { Resolver } from 'node:dns/promises'
import { existsSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { type Agent, startAgent } from '../kit/agents.ts'
import { runProgram, until } from '../kit/running.ts'

const DIG = '/usr/bin/dig'

test.serial('a blocking query of a key wakes on its change and on no other', async (t) => {
  t.timeout(60_000)
  const agent = await startAgent(t)
  await agent.http('PUT', '/v1/kv/mine', '1')
  const wakes = await waiting(agent, '/v1/kv/mine')
  for (let n = 0; n < 20; n++) t.is((await agent.http('PUT', `/v1/kv/other-${n}`, 'x')).status, 200)
  t.is((await agent.http('PUT', '/v1/agent/service/register', { Name: 'web', Port: 80 })).status, 200)
  t.false(wakes.woke())
  await agent.http('PUT', '/v1/kv/mine', '2')
  const reply = await wakes.reply
  t.is((JSON.parse(reply.text) as { Value: string }[])[0]?.Value, Buffer.from('2').toString('base64'))
  t.true(Number(reply.headers['x-consul-index']) > wakes.index)
  t.is(reply.headers['x-consul-knownleader'], 'true')
})

test.serial('a blocking query of a service wakes when its check changes, and not for another service', async (t) => {
  t.timeout(60_000)
  const agent = await startAgent(t)
  const register = (Name: string) =>
    agent.http('PUT', '/v1/agent/service/register', { Name, Port: 80, Check: { TTL: '10m', Status: 'critical' } })
  await register('web')
  await until('web is in the catalog', () => agent.json<object[]>('/v1/health/service/web'), ({ length }) => length === 1) // biome-ignore format: one line
  const wakes = await waiting(agent, '/v1/health/service/web?passing')
  await register('api')
  await agent.http('PUT', '/v1/kv/x', '1')
  await until('api is in the catalog', () => agent.json<object[]>('/v1/health/service/api'), ({ length }) => length === 1) // biome-ignore format: one line
  t.false(wakes.woke())
  await agent.http('PUT', '/v1/agent/check/pass/service:web')
  const reply = await wakes.reply
  t.is((JSON.parse(reply.text) as object[]).length, 1)
})

test.serial('a blocking query ends after its wait with the same index; a missing key blocks too', async (t) => {
  const agent = await startAgent(t)
  const first = await agent.http('GET', '/v1/kv/missing')
  t.is(first.status, 404)
  const index = first.headers['x-consul-index']
  const beganMs = performance.now()
  const reply = await agent.http('GET', `/v1/kv/missing?index=${index}&wait=300ms`)
  t.true(performance.now() - beganMs >= 300)
  t.is(reply.status, 404)
  t.is(reply.headers['x-consul-index'], index)
  const wakes = await waiting(agent, '/v1/kv/missing')
  await agent.http('PUT', '/v1/kv/missing', 'found')
  t.is((await wakes.reply).status, 200)
})

test.serial('hundreds of parked readers hear of a change, all the same', async (t) => {
  t.timeout(60_000)
  // From one client address, 200 connections are the default limit.
  const agent = await startAgent(t, { files: { 'limits.json': { limits: { http_max_conns_per_client: 1000 } } } })
  await agent.http('PUT', '/v1/kv/x', '1')
  const parked = await Promise.all(Array.from({ length: 300 }, () => waiting(agent, '/v1/kv/x')))
  t.false(parked.some(({ woke }) => woke()))
  await agent.http('PUT', '/v1/kv/x', '2')
  const replies = await Promise.all(parked.map(({ reply }) => reply))
  t.deepEqual([...new Set(replies.map(({ text }) => text))].length, 1)
})

test.serial('node:dns finds services, their ports and nodes', async (t) => {
  t.timeout(60_000)
  const agent = await registered(t)
  const resolver = new Resolver()
  resolver.setServers([`127.0.0.1:${agent.ports.dns}`])
  t.deepEqual(await resolver.resolve4('web.service.consul'), ['127.0.0.2'])
  const [found, ...more] = await resolver.resolveSrv('web.service.consul')
  t.like(found, { name: '7f000002.addr.dc1.consul', port: 8080, priority: 1, weight: 1 })
  t.deepEqual(more, [])
  t.deepEqual(await resolver.resolveSrv('_web._v1.service.consul'), [found])
  t.deepEqual(await resolver.resolve4('7f000002.addr.dc1.consul'), ['127.0.0.2'])
  t.deepEqual(await resolver.resolve4('n1.node.consul'), ['127.0.0.1'])
  await t.throwsAsync(resolver.resolve4('nope.service.consul'), { code: 'ENOTFOUND' })
  await t.throwsAsync(resolver.resolve6('web.service.consul'), { code: 'ENODATA' })
  await agent.http('PUT', '/v1/agent/check/fail/service:web')
  await until(
    'a critical instance is not announced',
    () => resolver.resolve4('web.service.consul').catch(({ code }) => code),
    (answer) => answer === 'ENOTFOUND',
  )
})

test.serial(existsSync(DIG) ? 'dig finds the same' : 'dig would find the same, but it is not installed (Debian: dnsutils)', async (t) => {
  t.timeout(60_000)
  const agent = await registered(t)
  if (!existsSync(DIG)) return t.pass()
  const dig = async (...args: string[]) =>
    (await runProgram(t, DIG, ['@127.0.0.1', '-p', String(agent.ports.dns), ...args])).out.trimEnd().split('\n').sort()
  t.deepEqual(await dig('+short', 'web.service.consul'), ['127.0.0.2'])
  t.deepEqual(await dig('+short', '+tcp', 'web.service.consul', 'SRV'), ['1 1 8080 7f000002.addr.dc1.consul.'])
  t.deepEqual(await dig('+short', 'v1.web.service.dc1.consul'), ['127.0.0.2'])
  t.deepEqual(await dig('+short', 'n1.node.consul'), ['127.0.0.1'])
  t.regex((await dig('nope.service.consul')).join('\n'), /status: NXDOMAIN/)
  const empty = (await dig('web.service.consul', 'AAAA')).join('\n')
  t.regex(empty, /status: NOERROR/)
  t.regex(empty, /SOA\tns\.consul\. hostmaster\.consul\./)
})

/** An agent `n1` whose service `web` is passing. */
async function registered(t: ExecutionContext): Promise<Agent> {
  const service = { name: 'web', address: '127.0.0.2', port: 8080, tags: ['v1'], check: { ttl: '10m', status: 'passing' } }
  const agent = await startAgent(t, { files: { 'web.json': { node_name: 'n1', service } } })
  await until('web is passing', () => agent.json<object[]>('/v1/health/service/web?passing'), ({ length }) => length === 1) // biome-ignore format: one line
  return agent
}

/** Asks for the next change of an answer. `woke` tells whether it came. */
async function waiting(agent: Agent, path: string) {
  const index = Number((await agent.http('GET', path)).headers['x-consul-index'])
  let woken = false
  const reply = agent.http('GET', `${path}${path.includes('?') ? '&' : '?'}index=${index}&wait=1m`).finally(() => {
    woken = true
  })
  // A test that fails earlier does not wait for it.
  reply.catch(() => undefined)
  return { index, reply, woke: () => woken }
}
