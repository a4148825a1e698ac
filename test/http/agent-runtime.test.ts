import test from 'ava'
import type { ProcessOutcome } from '../../src/kernel/ports.ts'
import { isRefused, refuse } from '../../src/kernel/refusal.ts'
import { asked, requested, run, settings } from '../kit/http.ts'

function replyOf(url: string, outcome: ProcessOutcome) {
  const { route, request } = requested('GET', url)
  return 'reply' in route ? route.reply(outcome as never, request, settings) : undefined
}

test('metrics are JSON, or the text of Prometheus when asked for in either way', (t) => {
  t.like(asked('GET', '/v1/agent/metrics'), { name: 'metrics', request: { format: 'json' } })
  t.like(asked('GET', '/v1/agent/metrics?format=prometheus'), { request: { format: 'prometheus' } })
  const { route, request } = requested('GET', '/v1/agent/metrics')
  const asking = (accept: string) => 'ask' in route && route.ask({ ...request, headers: { accept } }, settings)
  t.like(asking('application/openmetrics-text; version=0.0.1,text/plain'), { request: { format: 'prometheus' } })
  t.like(asking('text/plain; version=0.4.0'), { request: { format: 'prometheus' } })
  t.like(asking('*/*'), { request: { format: 'json' } })
  t.is(route.statusOf?.conflict, 415)
  t.deepEqual(replyOf('/v1/agent/metrics', { warnings: [], metrics: { json: { Points: [] } } }), { json: { Points: [] } })
  t.like(replyOf('/v1/agent/metrics', { warnings: [], metrics: { text: 'x 1\n' } }), { text: 'x 1\n' })
})

test('the log is followed from now on, and lines that were lost are counted', async (t) => {
  const pieces = [
    { text: '', newest: 4, dropped: 0 },
    { text: 'a\n', newest: 5, dropped: 0 },
    { text: 'z\n', newest: 90, dropped: 7 },
  ]
  const seen: unknown[] = []
  const { route, request } = requested('GET', '/v1/agent/monitor?loglevel=warn&logjson')
  const context = {
    asked: (_to: unknown, _name: string, wanted: unknown) => {
      seen.push(wanted)
      const log = pieces.shift()
      return Promise.resolve(log ? { warnings: [], log } : refuse('gone', 'the agent ends'))
    },
  }
  if (!('run' in route)) return t.fail()
  const reply = await route.run(request, context as never)
  if (isRefused(reply) || !reply.stream) return t.fail()
  const lines: string[] = []
  for await (const text of reply.stream) lines.push(text)
  t.deepEqual([lines[0], lines[2]], ['a\n', 'z\n'])
  t.regex(lines[1] ?? '', / \[WARN\] {2}agent: Monitor dropped 7 logs during monitor request\n$/)
  const wanted = { level: 'warn', json: true, token: '' }
  t.deepEqual(
    seen,
    [undefined, 4, 5, 90].map((after) => ({ ...wanted, after })),
  )
})

test('a level that there is not is refused', async (t) => {
  t.deepEqual(await run('GET', '/v1/agent/monitor?loglevel=foo', {}), { status: 400, text: 'Bad request: Unknown log level: foo' })
})

test('tokens cannot be set without access control lists', (t) => {
  for (const which of ['default', 'agent', 'foo']) {
    t.deepEqual(asked('PUT', `/v1/agent/token/${which}`, {}), { status: 401, text: 'ACL support disabled' })
  }
})

const facts = { node: 'n1', datacenter: 'dc1', server: true, address: '10.0.0.1', ports: { serfLan: 8301, serfWan: 8302 } }

test('joining asks the members at an address, and says why it did not work', async (t) => {
  const join = (address: string, answer?: unknown) => run('PUT', `/v1/agent/join/${address}`, { facts, join: answer })
  t.deepEqual(await join('10.0.0.1:8301'), {})
  t.deepEqual(await join('10.0.0.1:8302?wan=1'), {})
  t.deepEqual(await join('10.0.0.2', { joined: 1, failed: [] }), {})
  const failed = [{ address: { host: '10.0.0.2', port: 8301 }, why: 'it speaks no gossip' }]
  for (const [address, answer, why] of [
    ['10.0.0.2', { joined: 0, failed }, 'it speaks no gossip'],
    ['10.0.0.2', refuse('invalid', 'this agent does not gossip'), 'this agent does not gossip'],
    ['10.0.0.2?wan=1', refuse('invalid', 'this agent does not gossip'), 'this agent does not gossip'],
    ['10.0.0.2:x', undefined, '"10.0.0.2:x" must be host or host:port'],
  ] as const) {
    const text = `1 error occurred:\n\t* Failed to join ${address.replace(/\?.*/, '')}: ${why}\n\n`
    t.deepEqual(await join(address, answer), { status: 500, text })
  }
})

test('servers join those of other datacenters at their port; clients cannot', async (t) => {
  const join = (answers: Record<string, unknown>) => run('PUT', '/v1/agent/join/10.0.0.2?wan=1', { facts, ...answers })
  const failed = [{ address: { host: '10.0.0.2', port: 8302 }, why: 'for the test' }]
  const [yes, no] = [
    { joined: 1, failed: [] },
    { joined: 0, failed },
  ]
  t.deepEqual(await join({ 'wan-membership/join': yes, 'membership/join': no }), {})
  t.like(await join({ 'wan-membership/join': no, 'membership/join': yes }), { status: 500 })
  t.deepEqual(await join({ facts: { ...facts, server: false } }), { status: 500, text: 'Must be a server to join WAN cluster' })
})

test('a failed member can be made to leave; one that nobody knows cannot, and this agent stays', async (t) => {
  const leave = (name: string, answer?: unknown) => run('PUT', `/v1/agent/force-leave/${name}`, { facts, forceLeave: answer })
  t.deepEqual(await leave('n1'), {})
  t.deepEqual(await leave('n2?prune', null), {})
  t.deepEqual(await leave('x', refuse('missing', 'no member x')), { status: 500, text: `agent: No node found with name 'x'` })
  const wide = (answer: unknown) =>
    run('PUT', '/v1/agent/force-leave/n2', { facts, 'membership/forceLeave': null, 'wan-membership/forceLeave': answer })
  t.deepEqual(await wide(refuse('missing', 'no member n2.dc1')), {})
  t.like(await wide(refuse('busy', 'for the test')), { refused: 'busy' })
  const name = 's1.dc2'
  t.deepEqual(await leave(name, refuse('missing', `no member ${name}`)), { status: 500, text: `agent: No node found with name '${name}'` })
})
