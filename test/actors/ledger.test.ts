import test from 'ava'
import { ledger } from '../../actors/ledger.ts'
import { tryActor } from '../kit/try-actor.ts'

function setUp() {
  const a = tryActor(ledger, { args: undefined })
  let keys = 0
  const propose = (count: number) =>
    Array.from({ length: count }, () => a.call('commit', { kind: 'kv.delete', atMs: 0, request: { key: `k${keys++}` } }))
  /** How many commands the groups have that went to the log since this was asked last. */
  const groups = () =>
    a.effects().flatMap((effect) => (effect.did === 'act' ? [(effect.request as { commands: unknown[] }).commands.length] : []))
  const done = (count: number) =>
    a.outcome('log', { outcomes: Array.from({ length: count }, () => ({ applied: true })), notice: { index: 1, touched: [] } })
  return { a, propose, groups, done }
}

test('what arrives while a group is with the log is the next group', (t) => {
  const { propose, groups, done } = setUp()
  propose(1)
  t.deepEqual(groups(), [1])
  const later = propose(3)
  t.deepEqual(groups(), [])
  done(1)
  t.deepEqual(groups(), [3])
  done(3)
  t.deepEqual(
    later.map(({ result }) => result),
    [{ applied: true }, { applied: true }, { applied: true }],
  )
  propose(1)
  t.deepEqual(groups(), [1])
})

test('a slow log with many under way gets one group of all: those that were answered are waited for, until all are there or for milliseconds', (t) => {
  const { a, propose, groups, done } = setUp()
  propose(1)
  propose(15)
  a.wait(6)
  done(1)
  t.deepEqual(groups(), [1])
  propose(1)
  t.deepEqual(groups(), [16])
  propose(10)
  a.wait(6)
  done(16)
  propose(15)
  t.deepEqual(groups(), [])
  a.wait(3)
  t.deepEqual(groups(), [25])
  a.wait(6)
  done(25)
  t.deepEqual(groups(), [])
  // Nobody comes back: the next one does not wait.
  a.wait(3)
  propose(1)
  t.deepEqual(groups(), [1])
})

test('a fast log waits for nobody, and neither does one that few use', (t) => {
  const { a, propose, groups, done } = setUp()
  propose(1)
  propose(20)
  a.wait(1)
  done(1)
  t.deepEqual(groups(), [1, 20])
  propose(2)
  done(20)
  t.deepEqual(groups(), [2])
  propose(2)
  a.wait(50)
  done(2)
  t.deepEqual(groups(), [2])
})
