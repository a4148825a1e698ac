import test from 'ava'
import { memberToRemove, planOf, type Server, type Stage, serversAmong, stageText } from '../../actors/formation/plan.ts'
import type { Member } from '../../actors/membership/protocol.ts'
import type { EtcdMember } from '../../src/kernel/ports.ts'

const NEW: Stage = { is: 'new' }

function server(name: string, about: Partial<Server> = {}): Server {
  return { name, id: `id-${name}`, address: `10.0.0.${name}:8300`, version: '1', status: 'alive', expect: 3, stage: NEW, ...about }
}

/** What each of these decides, given that all see all. */
function planned(servers: Server[]): string[] {
  return servers.map((own) => {
    const plan = planOf(own, servers)
    return plan.do === 'promise' ? `promise ${plan.to}` : plan.do
  })
}

test('servers promise the lowest one to leave the founding to it; it founds once all have', (t) => {
  const servers = [server('1'), server('2'), server('3')]
  t.deepEqual(planned(servers.slice(1)), ['wait', 'wait'])
  t.deepEqual(planned(servers), ['promise id-1', 'promise id-1', 'promise id-1'])
  const promised: Stage = { is: 'promised', to: 'id-1' }
  const [one, two, three] = servers.map((one) => ({ ...one, stage: promised })) as [Server, Server, Server]
  t.deepEqual(planned([one, two, servers[2] as Server]), ['wait', 'wait', 'promise id-1'])
  t.deepEqual(planned([one, two, three]), ['found', 'wait', 'wait'])
  t.deepEqual(planned([{ ...one, stage: { is: 'in', cluster: 'c' } }, two, three]).slice(1), ['join', 'join'])
})

test('a promise is kept until its founder is away, so two servers never found', (t) => {
  const toTwo: Stage = { is: 'promised', to: 'id-2' }
  const late = server('1')
  const servers = [late, server('2', { stage: toTwo }), server('3', { stage: toTwo }), server('4', { stage: toTwo })]
  t.deepEqual(planned(servers), ['promise id-1', 'wait', 'wait', 'wait'])
  const away = servers.map((one) => (one.id === 'id-2' ? { ...one, status: 'failed' as const } : one))
  t.deepEqual(planned(away).slice(2), ['promise id-1', 'promise id-1'])
})

test('a server founds alone if it expects nobody else or holds state, and never where there is a cluster', (t) => {
  t.deepEqual(planned([server('1', { expect: 1, stage: { is: 'promised', to: 'id-1' } })]), ['found'])
  const holder = server('3', { stage: { is: 'holds' } })
  t.deepEqual(planned([server('1'), server('2'), holder]), ['wait', 'wait', 'found'])
  const member = server('2', { stage: { is: 'in', cluster: 'c' } })
  t.deepEqual(
    [server('1'), holder].map((own) => planOf(own, [server('1'), member, holder]).do),
    ['join', 'complain'],
  )
  const gone = { ...member, status: 'failed' as const }
  t.like(planOf(server('1'), [gone]), { do: 'wait', why: 'none of the servers that have a cluster is there: 2' })
  t.deepEqual(planned([server('1', { expect: 0 }), { ...member, status: 'left' }])[0], 'wait')
})

test('servers that expect different numbers do not found; one that expects nothing waits, or joins', (t) => {
  t.deepEqual(planOf(server('1'), [server('1'), server('2', { expect: 5 })]), {
    do: 'complain',
    why: 'all servers must expect the same number: this one has bootstrap_expect 3, 2 has 5',
  })
  t.like(planOf(server('1', { expect: 0 }), []), { do: 'wait', why: 'there is no cluster to join, and no server has bootstrap_expect' })
  t.like(planOf(server('1', { expect: 0 }), [server('2'), server('3')]), { do: 'promise', to: 'id-2' })
})

test('servers are read from the tags of members, and what one says of itself comes back', (t) => {
  const member = (tags: Record<string, string>): Member => ({
    ...{ name: 'n', id: 'i', peer: 'p', address: '::1', port: 8301, incarnation: 1, status: 'suspect', statusLtime: 0, isSelf: false },
    tags: { role: 'consul', dc: 'dc1', port: '8300', build: '1.10.12:', ...tags },
  })
  t.deepEqual(serversAmong([member({ role: 'node' }), member({ dc: 'dc2' })], 'dc1'), [])
  const base = { name: 'n', id: 'i', address: '[::1]:8300', version: '1.10.12', status: 'alive' }
  t.deepEqual(serversAmong([member({ bootstrap: '1' })], 'dc1') as object[], [{ ...base, expect: 1, stage: NEW }])
  for (const stage of [{ is: 'promised', to: 'x' }, { is: 'in', cluster: 'c' }, { is: 'holds' }] as Stage[]) {
    const [read] = serversAmong([member({ expect: '3', tribune_servers: stageText(stage) })], 'dc1')
    t.deepEqual([read?.expect, read?.stage], [3, stage])
  }
  t.deepEqual(serversAmong([member({ tribune_servers: 'rubbish', expect: 'x' })], 'dc1')[0]?.stage, NEW)
})

const RULES = { cleansUp: true, minQuorum: 0, expect: 3 }

test('who has left goes out; who has failed once as many as are expected are well without it; a majority stays', (t) => {
  const member = (name: string, learns = false): EtcdMember => ({
    id: `e${name}`,
    name: `id-${name}`,
    url: `https://10.0.0.${name}:8300`,
    learns,
  })
  const of = (...names: string[]) => names.map((name) => member(name))
  const statuses = (...list: Server['status'][]) => list.map((status, at) => server(String(at + 1), { status }))
  const removed = (members: EtcdMember[], servers: Server[], rules = RULES) => memberToRemove(members, servers, rules)?.id
  t.is(removed(of('1', '2', '3'), statuses('alive', 'alive', 'left')), 'e3')
  t.is(removed(of('1', '2', '3'), statuses('alive', 'alive', 'failed')), undefined)
  t.is(removed(of('1', '2', '3', '4'), statuses('alive', 'alive', 'failed', 'alive')), 'e3')
  t.is(removed(of('1', '2', '3', '4'), statuses('alive', 'alive', 'failed', 'alive'), { ...RULES, cleansUp: false }), undefined)
  t.is(removed(of('1', '2', '3', '4'), statuses('alive', 'alive', 'failed', 'alive'), { ...RULES, minQuorum: 4 }), undefined)
  t.is(removed(of('1', '2'), statuses('alive', 'left')), undefined)
  const learner = { ...member('4', true), name: '' }
  t.is(removed([...of('1', '2'), learner], statuses('alive', 'alive', 'alive', 'failed')), 'e4')
})
