import test from 'ava'
import fc from 'fast-check'
import { membership } from '../../actors/membership/index.ts'
import { changed } from '../../actors/membership/keyring.ts'
import type { KeyAnswer, KeyRequest, MemberRecord } from '../../actors/membership/protocol.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import { argsOf, connect, hear, NOW_MS, n2, n3, n4, record, say, sent, type Tried } from '../kit/membership.ts'
import { tryActor } from '../kit/try-actor.ts'

const [ONE, TWO] = ['key1', 'key2']
const server = record('n2', { tags: { role: 'consul' } })

function withKeys(keys: string[], members: MemberRecord[] = [server, n3]): Tried {
  const a = tryActor(membership, { args: { ...argsOf('n1', members), keys }, nowMs: NOW_MS })
  a.outcome('store', { records: [] })
  a.outcome('gossip', { peer: 'p-n1', port: 8301 }, ({ do: what }: { do: string }) => what === 'listen')
  a.effects()
  return a
}

function isKeys({ do: what }: { do: string }): boolean {
  return what === 'keys'
}

function askedIn(a: Tried): { id: string; from: string; request: KeyRequest } {
  a.wait(20)
  const rumours = sent(a).flatMap((one) => (one.do === 'news' ? (one['rumours'] as { is: string }[]) : []))
  return rumours.find(({ is }) => is === 'asked') as unknown as { id: string; from: string; request: KeyRequest }
}

test('all members are asked for their keys, and each answers for itself', (t) => {
  const a = withKeys([ONE, TWO])
  connect(a, server)
  connect(a, n3)
  const call = a.call('keyring', { do: 'list' })
  const { id, from, request } = askedIn(a)
  t.deepEqual([from, request], ['n1', { do: 'list' }])
  hear(a, server, { do: 'keys', id, keys: [ONE], why: '' })
  hear(a, server, { do: 'keys', id, keys: [TWO], why: '' })
  t.is(call.result, undefined)
  hear(a, n3, { do: 'keys', id, keys: [], why: 'no' })
  t.deepEqual(call.result, [
    { name: 'n1', isServer: false, keys: [ONE, TWO], why: '' },
    { name: 'n2', isServer: true, keys: [ONE], why: '' },
    { name: 'n3', isServer: false, keys: [], why: 'no' },
  ])
})

test('whoever is silent is named, and was waited for as long as it may take', (t) => {
  const a = withKeys([ONE])
  connect(a, server)
  const call = a.call('keyring', { do: 'list' })
  a.wait(3_199)
  t.is(call.result, undefined)
  a.wait(1)
  t.deepEqual(
    (call.result as KeyAnswer[]).map(({ name, why }) => [name, why]),
    [
      ['n1', ''],
      ['n2', null],
      ['n3', null],
    ],
  )
})

test('a key is installed, used and removed when another member asks for it; the answer says what holds then', (t) => {
  const a = withKeys([ONE])
  connect(a, server)
  const steps: [KeyRequest, string[]][] = [
    [{ do: 'install', key: TWO }, [ONE, TWO]],
    [{ do: 'use', key: TWO }, [TWO, ONE]],
    [{ do: 'remove', key: ONE }, [TWO]],
  ]
  for (const [at, [request, keys]] of steps.entries()) {
    sent(a)
    say(a, server, { is: 'asked', id: `q${at}`, from: 'n2', request })
    say(a, server, { is: 'asked', id: `q${at}`, from: 'n2', request })
    t.deepEqual(
      a.acts('gossip').filter((one) => isKeys(one as { do: string })),
      [{ do: 'keys', keys }],
    )
    t.false(
      sent(a).some((one) => one.do === 'keys'),
      'not before it is kept',
    )
    a.outcome('gossip', {}, isKeys)
    t.deepEqual(sent(a), [{ to: server.peer, do: 'keys', id: `q${at}`, keys, why: '' }])
  }
})

test('a key that cannot be kept is not one, and the answer says why', (t) => {
  const a = withKeys([ONE])
  connect(a, server)
  sent(a)
  say(a, server, { is: 'asked', id: 'q', from: 'n2', request: { do: 'install', key: TWO } })
  a.outcome('gossip', refuse('busy', 'the keys are not kept: disk full'), isKeys)
  t.deepEqual(sent(a), [{ to: server.peer, do: 'keys', id: 'q', keys: [], why: 'the keys are not kept: disk full' }])
  t.deepEqual(a.state.keyring.keys, [ONE])
})

test('whoever asks and is not connected is dialled, and answered once it is there; strangers are not', (t) => {
  const a = withKeys([ONE], [server, n3, n4])
  connect(a, server)
  sent(a)
  say(
    a,
    server,
    { is: 'asked', id: 'q', from: 'n4', request: { do: 'list' } },
    { is: 'asked', id: 'r', from: 'n9', request: { do: 'list' } },
  )
  a.wait(20)
  t.like(a.acts('gossip').at(-1), { do: 'dial', addresses: [{ host: n4.address, port: n4.port }] })
  connect(a, n4)
  t.deepEqual(
    sent(a).filter((one) => one.do === 'keys'),
    [{ to: n4.peer, do: 'keys', id: 'q', keys: [ONE], why: '' }],
  )
  t.is(a.state.keyring.owed.size, 0)
})

test('gossip that is open to all has no keys, and does not say aloud which one it was to have', (t) => {
  const a = withKeys([], [n2])
  connect(a, n2)
  const call = a.call('keyring', { do: 'install', key: TWO })
  const { id, request } = askedIn(a)
  t.deepEqual(request, { do: 'install', key: '' })
  hear(a, n2, { do: 'keys', id, keys: [], why: 'Keyring is empty (encryption not enabled)' })
  t.like(call.result, [{ why: 'Keyring is empty (encryption not enabled)' }, { why: 'Keyring is empty (encryption not enabled)' }])
})

test('an agent without gossip answers for itself', (t) => {
  const a = tryActor(membership, { args: { ...argsOf('n1'), enabled: false } })
  t.deepEqual(a.call('keyring', { do: 'list' }).result, [
    { name: 'n1', isServer: false, keys: [], why: 'Keyring is empty (encryption not enabled)' },
  ])
})

test('garbage about keys is counted', (t) => {
  const a = withKeys([ONE])
  connect(a, server)
  const bad = [{ do: 'drop', key: TWO }, { do: 'use' }, null, { do: 'install', key: 'x'.repeat(200) }]
  for (const request of bad) say(a, server, { is: 'asked', id: 'q', from: 'n2', request })
  hear(a, server, { do: 'keys', id: 'q', keys: Array(9).fill(ONE), why: '' })
  hear(a, server, { do: 'keys', id: 'q', keys: [], why: 5 })
  t.is(a.counters.get('membership.garbage'), bad.length + 2)
  t.deepEqual(a.state.keyring.keys, [ONE])
})

test('whatever is asked for, there is a key in use, and no key twice', (t) => {
  const key = fc.constantFrom('a', 'b', 'c')
  const request: fc.Arbitrary<KeyRequest> = fc.oneof(
    fc.constant({ do: 'list' as const }),
    fc.record({ do: fc.constantFrom('install' as const, 'use' as const, 'remove' as const), key }),
  )
  fc.assert(
    fc.property(fc.array(request), (requests) => {
      let keys: readonly string[] = ['a']
      for (const one of requests) {
        const next = changed(keys, one)
        if (!('refused' in next)) keys = next
        if (one.do === 'use' && !('refused' in next)) t.is(keys[0], one.key)
      }
      return keys.length > 0 && new Set(keys).size === keys.length
    }),
  )
  t.pass()
})
