import test from 'ava'
import { formation } from '../../actors/formation/index.ts'
import type { FormationArgs } from '../../actors/formation/protocol.ts'
import { serversMigrate } from '../../actors/servers/commands.ts'
import type { EtcdMember } from '../../src/kernel/ports.ts'
import { isRefused, refuse } from '../../src/kernel/refusal.ts'
import { emptyTables } from '../kit/tables.ts'
import { tryActor } from '../kit/try-actor.ts'

const AUTHORITY = { certPem: 'cert', keyPem: 'key' }
const URL = 'https://10.0.0.1:8300'

function args(expect: number): FormationArgs {
  const tags = { role: 'consul', dc: 'dc1' }
  return { own: { id: 'id-1', name: 'n1', datacenter: 'dc1', expect, url: URL, tags, cleansUp: true, minQuorum: 0 }, shares: true }
}

function member(number: number, stage: string, status = 'alive') {
  const tags = { role: 'consul', dc: 'dc1', port: '8300', expect: '3', build: '1.10.12:', ...(stage !== '' && { tribune_servers: stage }) }
  const place = { name: `n${number}`, id: `id-${number}`, peer: `p${number}`, address: `10.0.0.${number}`, port: 8301 }
  return { ...place, tags, incarnation: 1, status, statusLtime: 0, isSelf: number === 1 } as never
}

function etcdMember(number: number, about: Partial<EtcdMember> = {}): EtcdMember {
  return { id: `e${number}`, name: `id-${number}`, url: `https://10.0.0.${number}:8300`, learns: false, ...about }
}

/** The newest of what it asked its etcd, by what it is. */
function asked(a: { acts(device: 'etcd'): unknown[] }): unknown {
  return a.acts('etcd').at(-1)
}

function founded() {
  const a = tryActor(formation, { args: args(1) })
  a.outcome('etcd', { isMember: false })
  a.value('members', [member(1, '')], 1)
  a.wait(2_000)
  a.outcome('etcd', { authority: AUTHORITY })
  a.outcome('etcd', {})
  return a
}

test('a server that expects nobody else founds a cluster with an authority of its own', (t) => {
  const a = tryActor(formation, { args: args(1) })
  t.deepEqual(asked(a), { do: 'look' })
  a.outcome('etcd', { isMember: false })
  a.value('members', [member(1, '')], 1)
  a.wait(1_000)
  a.wait(1_000)
  t.deepEqual(asked(a), { do: 'authorize' })
  a.outcome('etcd', { authority: AUTHORITY })
  t.deepEqual(asked(a), { do: 'start', name: 'id-1', members: [{ name: 'id-1', url: URL }], founds: true, authority: AUTHORITY })
})

test('a server that was a member starts at once with what it has', (t) => {
  const a = tryActor(formation, { args: args(3) })
  a.outcome('etcd', { isMember: true, authority: AUTHORITY })
  t.like(asked(a), { do: 'start', founds: false })
})

test('a server joins through one that is a member, and tries the next one if that cannot', (t) => {
  const a = tryActor(formation, { args: args(3) })
  a.outcome('etcd', { isMember: false })
  a.value('members', [member(1, ''), member(2, 'in:c'), member(3, 'in:c')], 1)
  a.wait(1_000)
  const calls = () => a.pending().filter((effect) => effect.did === 'call' && effect.name === 'admit')
  t.like(calls().at(-1), { request: { id: 'id-1', url: URL } })
  a.answer('admit', refuse('gone', 'no link'))
  a.wait(1_000)
  const members = [
    { name: 'id-3', url: 'https://10.0.0.3:8300' },
    { name: 'id-1', url: URL },
  ]
  a.answer('admit', { authority: AUTHORITY, members })
  t.deepEqual(asked(a), { do: 'start', name: 'id-1', members, founds: false, authority: AUTHORITY })
})

test('a member admits servers that are alive, where they are said to be; what was at their address before goes first', (t) => {
  const a = founded()
  a.value('members', [member(1, ''), member(2, ''), member(3, '', 'failed')], 3)
  const refused = (request: { id: string; url: string }) => {
    const { result } = a.call('admit', request)
    return isRefused(result) ? result.why : result
  }
  t.is(refused({ id: 'id-9', url: URL }), 'no server with the id id-9 is known to be alive')
  t.is(refused({ id: 'id-3', url: 'https://10.0.0.3:8300' }), 'no server with the id id-3 is known to be alive')
  t.is(refused({ id: 'id-2', url: 'https://10.0.0.7:8300' }), 'n2 is at 10.0.0.2:8300, not at 10.0.0.7:8300')

  const url = 'https://10.0.0.2:8300'
  const call = a.call('admit', { id: 'id-2', url })
  a.outcome('etcd', { members: [etcdMember(1), etcdMember(7, { url })] })
  t.deepEqual(asked(a), { do: 'remove', id: 'e7' })
  a.outcome('etcd', { members: [etcdMember(1)] })
  t.deepEqual(asked(a), { do: 'add', url })
  a.outcome('etcd', { members: [etcdMember(1), etcdMember(2, { name: '', learns: true })] })
  t.deepEqual(call.result, {
    authority: AUTHORITY,
    members: [
      { name: 'id-1', url: URL },
      { name: 'id-2', url },
    ],
  })
})

test('who has learned may vote; whoever leads takes out who has left', (t) => {
  const tables = emptyTables()
  tables.apply([{ kind: 'servers.lead', atMs: 0, request: { id: 'id-1' } }])
  const a = tryActor(formation, { args: args(3), tables })
  a.outcome('etcd', { isMember: true, authority: AUTHORITY })
  a.outcome('etcd', {})
  a.value('members', [member(1, ''), member(2, ''), member(3, '', 'left')], 1)
  a.wait(1_000)
  t.deepEqual(asked(a), { do: 'members' })
  a.outcome('etcd', {
    members: [1, 2, 3].map((number) => etcdMember(number)).concat(etcdMember(4, { learns: true })),
    leader: 'e1',
    cluster: 'c',
  })
  t.deepEqual(a.acts('etcd').slice(-2), [
    { do: 'promote', id: 'e4' },
    { do: 'remove', id: 'e3' },
  ])
})

test('a server that was taken out forgets its membership and asks for a new one', (t) => {
  const a = tryActor(formation, { args: args(3) })
  a.outcome('etcd', { isMember: true, authority: AUTHORITY })
  a.event('etcd', { did: 'ended', why: 'x', isOut: true })
  t.deepEqual(asked(a), { do: 'forget' })
})

test('the state of a server alone becomes what a cluster begins with; one that shares it already refuses', (t) => {
  const alone = tryActor(formation, { args: { own: undefined, shares: false } })
  const { result } = alone.call('migrate', { token: '' })
  t.true(result !== undefined && !isRefused(result) && result.id.length === 36)
  t.deepEqual(
    tryActor(formation, { args: { own: undefined, shares: true } }).call('migrate', { token: '' }).result,
    refuse('conflict', 'this server shares its state already'),
  )
  t.deepEqual(alone.call('members', null).result, { term: 0 })
  t.is(typeof serversMigrate, 'function')
})

test('a server says how it is once it has heard of its log, and how long that took; one that cannot says why', (t) => {
  const a = founded()
  const status = a.call('status', null)
  a.wait(30)
  t.is(status.result, undefined)
  a.answer('catchUp', null)
  t.like(status.result, { index: 0, contactMs: 30 })
  const other = a.call('status', null)
  a.answer('catchUp', refuse('busy', 'No cluster leader'))
  t.deepEqual(other.result, refuse('busy', 'No cluster leader'))
})
