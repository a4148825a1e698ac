import test from 'ava'
import type { ClusterMember } from '../../actors/formation/protocol.ts'
import type { EdgeContext } from '../../src/http/context.ts'
import type { HttpReply } from '../../src/http/route.ts'
import type { LogContact } from '../../src/kernel/ports.ts'
import { isRefused, type Refusal, refuse } from '../../src/kernel/refusal.ts'
import { asked, requested, settings } from '../kit/http.ts'
import { emptyTables } from '../kit/tables.ts'

const MEMBERS: ClusterMember[] = [
  { id: 'a', name: 'n1', address: '10.0.0.1:8300', votes: true, leads: true, serf: 'alive', version: '1.10.12' },
  { id: 'b', name: 'n2', address: '10.0.0.2:8300', votes: true, leads: false, serf: 'alive', version: '1.10.12' },
  { id: 'c', name: '', address: '10.0.0.3:8300', votes: true, leads: false, serf: 'failed', version: '' },
]
const ANSWERS: Record<string, unknown> = {
  members: { members: MEMBERS, term: 7 },
  facts: { compatibleVersion: '1.10.12' },
  status: { index: 42, startedMs: 0, contactMs: 12 },
  get: { lastContactThresholdMs: 200 },
}

/** Runs an endpoint with actors that answer like this, by the message's name. `sent` is what they were told. */
async function ran(
  method: string,
  url: string,
  answers: Record<string, unknown> = ANSWERS,
  sent: unknown[] = [],
  contact?: LogContact,
): Promise<HttpReply | Refusal> {
  const { route, request } = requested(method, url)
  if (!('run' in route)) throw new Error(`${url} runs`)
  const context = {
    settings,
    host: { node: 'n1', ports: { tables: emptyTables(), ...(contact && { contact: () => contact }) } },
    asked(to: { node?: string }, name: string, message: unknown) {
      sent.push([to.node ?? '', name, message])
      return Promise.resolve(answers[name] ?? refuse('gone', 'nobody'))
    },
  }
  return route.run(request, context as unknown as EdgeContext)
}

test('the servers are those that etcd has, with what members know of them', async (t) => {
  const reply = await ran('GET', '/v1/operator/raft/configuration')
  t.deepEqual(reply, {
    json: {
      Servers: [
        { ID: 'a', Node: 'n1', Address: '10.0.0.1:8300', Leader: true, ProtocolVersion: '3', Voter: true },
        { ID: 'b', Node: 'n2', Address: '10.0.0.2:8300', Leader: false, ProtocolVersion: '3', Voter: true },
        { ID: 'c', Node: '(unknown)', Address: '10.0.0.3:8300', Leader: false, ProtocolVersion: '3', Voter: true },
      ],
      Index: 0,
    },
  })
  const without = { ...ANSWERS, members: refuse('busy', 'No cluster leader') }
  for (const path of ['raft/configuration', 'autopilot/health', 'autopilot/state']) {
    t.deepEqual(await ran('GET', `/v1/operator/${path}`, without), { status: 500, text: 'No cluster leader' })
  }
  t.deepEqual(await ran('GET', '/v1/operator/raft/configuration', { members: { term: 0 } }), { json: { Servers: [], Index: 0 } })
})

test('a server that is away is not well, and the others tolerate no further one', async (t) => {
  const sent: unknown[] = []
  const reply = await ran('GET', '/v1/operator/autopilot/health', ANSWERS, sent)
  t.like(reply, {
    status: 429,
    json: {
      Healthy: false,
      FailureTolerance: 0,
      Servers: [
        { Name: 'n1', Healthy: true, LastContact: '0s', LastIndex: 42, LastTerm: 7, StableSince: '1970-01-01T00:00:00Z' },
        { Name: 'n2', Healthy: true, LastContact: '12ms', SerfStatus: 'alive' },
        { ID: 'c', Healthy: false, SerfStatus: 'failed', StableSince: '0001-01-01T00:00:00Z' },
      ],
    },
  })
  t.deepEqual(
    sent.filter((message) => (message as string[])[1] === 'status'),
    [
      ['', 'status', null],
      ['n2', 'status', null],
    ],
  )
  t.like(await ran('GET', '/v1/operator/autopilot/state'), { json: { Leader: 'a', Voters: ['a', 'b', 'c'] } })
  const silent = await ran('GET', '/v1/operator/autopilot/health', { ...ANSWERS, status: refuse('late', 'no answer') })
  t.is(isRefused(silent) ? undefined : silent.status, 429)
})

test('a server that takes longer than the threshold to hear of the log is not well; the one that leads is, and it is asked what the threshold is', async (t) => {
  const slow = { ...ANSWERS, status: { index: 42, startedMs: 0, contactMs: 201 } }
  const healthOf = async (answers: Record<string, unknown>) => {
    const reply = (await ran('GET', '/v1/operator/autopilot/state', answers)) as { json: { Servers: Record<string, { Healthy: boolean }> } }
    return Object.values(reply.json.Servers).map(({ Healthy }) => Healthy)
  }
  t.deepEqual(await healthOf(slow), [true, false, false])
  t.deepEqual(await healthOf({ ...slow, get: { lastContactThresholdMs: 201 } }), [true, true, false])
})

test('while nobody is known to lead, nobody can say who belongs to the cluster; what this server knows is told as stale', async (t) => {
  const unled: LogContact = { isLed: false, silentMs: 5_000, overdueMs: 4_000, term: 7 }
  for (const path of ['raft/configuration', 'autopilot/health', 'autopilot/state']) {
    t.deepEqual(await ran('GET', `/v1/operator/${path}`, ANSWERS, [], unled), { status: 500, text: 'No cluster leader' })
  }
  t.like(await ran('GET', '/v1/operator/raft/configuration?stale', ANSWERS, [], unled), { json: { Index: 0 } })
})

test('a server is taken out by its id or its address, and why it cannot be is said', async (t) => {
  const sent: unknown[] = []
  t.deepEqual(await ran('DELETE', '/v1/operator/raft/peer?id=c', { ...ANSWERS, remove: {} }, sent), {})
  t.deepEqual(sent.at(-1), ['', 'remove', { id: 'c', address: '', token: '' }])
  const why = 'id "x" was not found in the Raft configuration'
  t.deepEqual(await ran('DELETE', '/v1/operator/raft/peer?id=x', { ...ANSWERS, remove: refuse('missing', why) }), refuse('missing', why))
  t.like(await ran('DELETE', '/v1/operator/raft/peer'), { status: 400 })
  t.like(await ran('DELETE', '/v1/operator/raft/peer?id=a&address=b'), { status: 400 })
})

test('the state of a server alone is prepared for several: /v1/tribune/servers/migrate', (t) => {
  t.like(asked('PUT', '/v1/tribune/servers/migrate'), { name: 'migrate', request: { token: '' } })
})
