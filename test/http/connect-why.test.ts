import test from 'ava'
import { explain } from '../../actors/intentions/explain.ts'
import type { ManagedProxy } from '../../actors/proxies/protocol.ts'
import type { EdgeContext } from '../../src/http/context.ts'
import type { ProbeOutcome, ProbeRequest } from '../../src/kernel/ports.ts'
import { type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import { gatherWhy } from '../../src/why/gather.ts'
import { granted, refused } from '../kit/asking.ts'
import { instance, proxyTo, registration } from '../kit/catalog.ts'
import { run, settings } from '../kit/http.ts'
import { emptyTables } from '../kit/tables.ts'

const QUESTION = { source: 'web', destination: 'db', token: '' }
const MANAGED: ManagedProxy = { serviceId: 'db', service: 'db', phase: 'waiting', why: 'waits for the roots', status: null }
const ANSWERS: Record<string, unknown> = {
  explain: explain([], 'web', 'db', true),
  'proxies.list': [MANAGED],
  'decisions.list': [],
  facts: { ports: { dns: 8_600 }, debugConfig: { DNSDomain: 'example.' } },
}

/** An agent on n1 whose ports 20000 and 5432 take connections, and the addresses that were tried. */
function context(answers: Record<string, unknown> = ANSWERS) {
  const tables = emptyTables()
  const register = (request: ReturnType<typeof registration>) => tables.apply([{ kind: 'catalog.register', atMs: 0, request }])
  const { kind, proxy } = proxyTo('db')
  const at = (node: string, port: number) =>
    register(
      registration({
        node,
        address: node === 'n1' ? '10.0.0.1' : '::2',
        service: instance({ name: 'db-proxy', kind, port, proxy: { ...proxy, destinationServiceId: 'db', localServicePort: 5_432 } }),
      }),
    )
  at('n1', 20_000)
  at('n2', 20_001)
  register(registration({ service: instance({ name: 'db', port: 5_432 }) }))
  const tried: string[] = []
  const probes = {
    perform(request: ProbeRequest, done: (outcome: Result<ProbeOutcome>) => void) {
      const address = request.kind === 'tcp' ? request.address : ''
      tried.push(address)
      if (address === '127.0.0.1:5432') done(refuse('busy', 'no sockets are left'))
      else done(address === '10.0.0.1:20000' ? { status: 'passing', output: '' } : { status: 'critical', output: 'refused' })
    },
  }
  const made = {
    settings,
    asked: (to: { actor: string }, name: string) => Promise.resolve(answers[`${to.actor}.${name}`] ?? answers[name]),
    host: { ports: { tables, clock: { wallMs: () => 7 }, devices: { probes } } },
  }
  return { context: made as unknown as EdgeContext, tried }
}

test('the ports of the destination are tried, and that of an application on its own node only', async (t) => {
  const { context: edge, tried } = context()
  const facts = granted(await gatherWhy(edge, QUESTION))
  t.deepEqual(tried.sort(), ['10.0.0.1:20000', '127.0.0.1:5432', '[::2]:20001'])
  t.deepEqual([...facts.dialled].sort(), [
    ['10.0.0.1:20000', ''],
    ['127.0.0.1:5432', 'no sockets are left'],
    ['[::2]:20001', 'refused'],
  ])
  t.like(facts, { nowMs: 7, node: 'n1', roots: undefined, dns: { enabled: true, domain: 'example' }, services: ['db', 'db-proxy'] })
  t.is(facts.to.members.length, 2)
  t.like(facts.to.sidecars, [{ node: 'n1', serviceId: 'db', here: { phase: 'waiting', why: 'waits for the roots', upstreams: [] } }])
  t.deepEqual(facts.from, { instances: [], members: [], sidecars: [] })
})

test('what cannot be asked is the answer', async (t) => {
  for (const name of ['explain', 'proxies.list', 'decisions.list', 'facts']) {
    const { context: edge } = context({ ...ANSWERS, [name]: refuse('gone', `no ${name}`) satisfies Refusal })
    t.is(refused(await gatherWhy(edge, QUESTION)).why, `no ${name}`)
  }
})

test('/v1/tribune/connect/why needs two names', async (t) => {
  t.deepEqual(await run('GET', '/v1/tribune/connect/why?source=web', {}), {
    status: 400,
    text: `required query parameter 'destination' not set`,
  })
})
