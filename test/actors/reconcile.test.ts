import test from 'ava'
import { catalogNode, serviceOn } from '../../actors/catalog/queries.ts'
import type { Member, MemberStatus } from '../../actors/membership/protocol.ts'
import { reconcile } from '../../actors/reconcile/index.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import { check, registration } from '../kit/catalog.ts'
import { emptyTables } from '../kit/tables.ts'
import { tryActor } from '../kit/try-actor.ts'

const ROUND_MS = 60_000

function idOf(number: number): string {
  return `00000000-0000-4000-8000-00000000000${number}`
}

function member(number: number, status: MemberStatus = 'alive', role = 'node'): Member {
  const tags = { role, build: '1.10.12:', port: '8300' }
  const place = { name: `n${number}`, id: idOf(number), peer: `p${number}`, address: `10.0.0.${number}`, port: 8301 }
  return { ...place, tags, incarnation: 1, status, statusLtime: 1, isSelf: number === 1 }
}

/** Server n1, and how the agent of a node is. */
function make({ leader = idOf(1), enabled = true } = {}) {
  const tables = emptyTables()
  if (leader !== '') tables.apply([{ kind: 'servers.lead', atMs: 0, request: { id: leader } }])
  const a = tryActor(reconcile, { args: { enabled, id: idOf(1) }, tables })
  const health = (number: number) => {
    const found = catalogNode(tables.view(), `n${number}`).node?.checks.find(({ checkId }) => checkId === 'serfHealth')
    return found && [found.status, found.output]
  }
  const commits = () => a.effects().filter(({ did }) => did === 'commit').length
  return { tables, a, health, commits }
}

const PASSING = ['passing', 'Agent alive and reachable']
const CRITICAL = ['critical', 'Agent not live or unreachable']

test('members that live become nodes with a passing check, servers with their service; what is so is not said again', (t) => {
  const { a, tables, health, commits } = make()
  a.value('members', [member(1, 'alive', 'consul'), member(2), member(3, 'suspect')])
  t.deepEqual([health(1), health(2), health(3)], [PASSING, PASSING, PASSING])
  t.like(serviceOn(tables.view(), 'n1', 'consul'), { name: 'consul', port: 8300, meta: { version: '1.10.12' } })
  t.is(serviceOn(tables.view(), 'n2', 'consul'), undefined)
  t.like(catalogNode(tables.view(), 'n2').node, { id: idOf(2), address: '10.0.0.2' })
  t.is(commits(), 3)
  a.value('members', [member(1, 'alive', 'consul'), member(2), member(3)], 2)
  a.wait(ROUND_MS)
  t.is(commits(), 0)
})

test('a failed member has a critical check until it is back; one that left is no node any more, but for the server itself', (t) => {
  const { a, health } = make()
  a.value('members', [member(1), member(2), member(3)])
  a.value('members', [member(1), member(2, 'failed'), member(3, 'leaving')], 2)
  t.deepEqual([health(2), health(3)], [CRITICAL, PASSING])
  a.value('members', [member(1, 'left'), member(2), member(3, 'left')], 3)
  t.deepEqual([health(1), health(2), health(3)], [PASSING, PASSING, undefined])
})

test('what failed or left without having been a node, or whose name another machine has, changes nothing', (t) => {
  const { a, tables, commits } = make()
  tables.apply([
    { kind: 'catalog.register', atMs: 0, request: registration({ node: 'n4', id: idOf(9), checks: [check({ checkId: 'serfHealth' })] }) },
  ])
  a.value('members', [member(2, 'failed'), member(3, 'left'), member(4, 'failed')])
  t.is(commits(), 0)
})

test('a node without any member goes in the second round; one that never had an agent stays', (t) => {
  const { a, tables, health } = make()
  tables.apply([{ kind: 'catalog.register', atMs: 0, request: registration({ node: 'n5', checks: [check({ checkId: 'serfHealth' })] }) }])
  tables.apply([{ kind: 'catalog.register', atMs: 0, request: registration({ node: 'external' }) }])
  a.value('members', [member(1)])
  a.wait(ROUND_MS)
  t.truthy(health(5))
  a.wait(ROUND_MS)
  t.is(health(5), undefined)
  t.truthy(catalogNode(tables.view(), 'external').node)
})

test('only the server that leads does it, and a new leader at once; a server alone leads; without gossip nobody does', (t) => {
  const { a, health, commits } = make({ leader: idOf(2) })
  a.value('members', [member(1), member(2)])
  a.value('members', [member(1), member(2, 'failed')], 2)
  a.wait(2 * ROUND_MS)
  t.is(commits(), 0)
  a.commit('catalog.register', registration({ node: 'n2', id: idOf(2), checks: [check({ checkId: 'serfHealth' })] }))
  a.commit('servers.lead', { id: idOf(1) })
  t.deepEqual(health(2), CRITICAL)

  const alone = make({ leader: '' })
  alone.a.value('members', [member(1)])
  t.deepEqual(alone.health(1), PASSING)
  t.deepEqual(make({ enabled: false }).a.effects(), [])
})

test('what the log does not take is proposed again, soon at first; one line tells of many', (t) => {
  const a = tryActor(reconcile, { args: { enabled: true, id: idOf(1) }, commits: 'keep' })
  const refuseAll = () => {
    const count = a.effects().filter(({ did }) => did === 'commit').length
    for (let number = 0; number < count; number++) a.answer('commit', refuse('busy', 'No cluster leader'))
    return [count, a.effects().filter(({ did }) => did === 'print').length]
  }
  a.value('members', [member(1), member(2)])
  t.deepEqual(refuseAll(), [2, 1])
  for (const waitMs of [1_000, 2_000, 4_000]) {
    a.wait(waitMs - 1)
    t.deepEqual(a.effects(), [])
    a.wait(1)
    t.deepEqual(refuseAll(), [2, 1])
  }
  a.wait(8_000)
  a.answer('commit', null)
  a.answer('commit', refuse('busy', 'No cluster leader'))
  t.like(a.effects().at(-1), { did: 'print', facts: { retryMs: 1_000 } })
})
