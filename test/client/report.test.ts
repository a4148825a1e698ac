import { once } from 'node:events'
import { createServer } from 'node:https'
import test, { type ExecutionContext } from 'ava'
import { connect } from '../../src/client/index.ts'
import { until } from '../kit/running.ts'
import { listening } from '../kit/servers.ts'
import { serviceId } from '../net/mesh/kit.ts'
import { kit, type MeshAgent, openMesh } from './mesh-agent.ts'

const HOST = '127.0.0.1'
const authority = kit.authority()
const mesh = (t: ExecutionContext) => openMesh(t, authority)

/** The newest report of a service, once it is as wanted. */
const reported = (agent: MeshAgent, what: string, wanted: (report: Record<string, unknown>) => boolean) =>
  until(
    what,
    () => agent.reports.at(-1),
    (report) => report !== undefined && wanted(report),
  )

test('whoever serves tells the agent what it has in force, before it takes connections, and what changes', async (t) => {
  const { agent, open, echo } = await mesh(t)
  agent.intentions('db', { api: 'deny' })
  const server = await echo('db')
  t.like(agent.reports.at(-1), { id: 'db', TTL: '30000ms', TrustedRoots: ['root 0'], ConnectionsOpen: 0, ClosedConnections: 0 })
  const before = await reported(agent, 'its intentions are told', ({ IntentionIndex }) => Number(IntentionIndex) > 1)
  const web = await open('web')
  const sockets = await Promise.all([1, 2].map(async () => (await web.dial('db')).resume()))
  await until(
    'both are there',
    () => server.open,
    (count) => count === 2,
  )
  const closed = sockets.map((socket) => once(socket, 'close'))
  agent.intentions('db', { web: 'deny' })
  const after = await reported(agent, 'the deny is told', ({ IntentionIndex }) => IntentionIndex !== before?.['IntentionIndex'])
  t.like(after, { ClosedConnections: 2, ConnectionsOpen: 0, Process: String(before?.['Process']) })
  t.is(server.open, 0, 'what is told has been closed')
  await Promise.all(closed)
  const next = kit.authority()
  agent.roots([next.certPem, authority.certPem])
  await reported(agent, 'both roots are told', ({ TrustedRoots }) => String(TrustedRoots) === 'root 0,root 1')
  const serial = agent.reports.at(-1)?.['LeafSerialNumber']
  agent.leaf('db', next.issue(serviceId('db')))
  await reported(agent, 'the new certificate is told', ({ LeafSerialNumber }) => LeafSerialNumber !== serial)
  await server.close()
  t.deepEqual(agent.ended, ['db'])
})

test('an instance with an id is told of under that, a server of one’s own too; who only dials tells nothing', async (t) => {
  const { agent, open } = await mesh(t)
  const web = await open('web')
  const db = await open('db')
  const first = await db.listen(() => undefined, { host: HOST, register: { ID: 'db-1' } })
  const second = await db.listen(() => undefined, { host: HOST, serviceId: 'db-2' })
  const own = createServer(db.tlsOptions())
  await listening(t, own)
  const guarded = await db.guard(own, { serviceId: 'db-2' })
  t.deepEqual([...new Set(agent.reports.map(({ id }) => id))].sort(), ['db-1', 'db-2'])
  await second.close()
  t.deepEqual(agent.ended, [], 'the other one of the instance goes on')
  guarded.end()
  await until(
    'it is told',
    () => agent.ended,
    (ended) => ended.includes('db-2'),
  )
  await db.close()
  t.deepEqual(agent.ended, ['db-2', 'db-1'])
  await first.close()
  await web.close()
  t.deepEqual(agent.ended, ['db-2', 'db-1'])
})

test('an agent that takes no reports changes nothing; one that refuses them is complained of once', async (t) => {
  const { agent, events } = await mesh(t)
  const options = { address: agent.address, env: {}, host: HOST, log: (event: (typeof events)[number]) => events.push(event) }
  for (const [status, complaints] of [
    [404, 0],
    [400, 1],
  ] as const) {
    agent.reportStatus = status
    const told = agent.reports.length
    const server = await connect.listen('db', () => undefined, options)
    await until(
      'it is told again',
      () => agent.reports.length,
      (count) => count >= told + 3,
    )
    await server.close()
    t.is(events.filter((event) => event.did === 'failed' && event.what === 'report').length, complaints)
  }
})
