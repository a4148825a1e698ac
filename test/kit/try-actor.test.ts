import test from 'ava'
import { kv } from '../../actors/kv/index.ts'
import { ledger } from '../../actors/ledger.ts'
import { tryActor } from './try-actor.ts'

const entry = { key: 'a', value: new Uint8Array([1]), flags: 0n, token: '' }

test('commands are applied and answered in the same step', (t) => {
  const a = tryActor(kv, { args: { valueBytesMax: 10 } })
  const put = a.call('put', entry)
  t.deepEqual(put.result, { applied: true })
  t.deepEqual(
    a.effects().map(({ did }) => did),
    ['commit', 'answer'],
  )
})

test('kept commands wait for an answer until their deadline', (t) => {
  const a = tryActor(kv, { args: { valueBytesMax: 10 }, commits: 'keep' })
  const first = a.call('put', entry)
  const second = a.call('put', entry)
  t.is(first.result, undefined)
  a.answer('commit', { applied: false })
  t.deepEqual(first.result, { applied: false })
  a.wait(60_000)
  t.like(second.result, { refused: 'late' })
})

test('devices get their outcome from the test', (t) => {
  const a = tryActor(ledger, { args: undefined })
  const commit = a.call('commit', { kind: 'kv.delete', atMs: 0, request: { key: 'a' } })
  t.deepEqual(a.effects(), [{ did: 'act', device: 'log', request: { commands: [{ kind: 'kv.delete', atMs: 0, request: { key: 'a' } }] } }])
  a.outcome('log', { outcomes: [{ applied: true }], notice: { index: 0, touched: [] } })
  t.deepEqual(commit.result, { applied: true })
})
