import test from 'ava'
import fc from 'fast-check'
import { membership } from '../../actors/membership/index.ts'
import type { MembershipArgs } from '../../actors/membership/protocol.ts'
import { lineOf, unwritten, written } from '../../actors/membership/recording.ts'
import { readRecording } from '../../sim/members/replay.ts'
import { argsOf } from '../kit/membership.ts'
import { tryActor } from '../kit/try-actor.ts'

const NOW_MS = Date.UTC(2026, 10, 23, 7)
const KEY = 'cg8StVXbQJ0gPvMd9o7yrg=='
const OTHER_KEY = 'bE6n/+KTo7Z0sJ1cD5xQ2w=='
const ARGS: MembershipArgs = { ...argsOf('n1'), keys: [KEY] }

function listening(args: Partial<MembershipArgs> = {}) {
  const a = tryActor(membership, { args: { ...ARGS, ...args }, nowMs: NOW_MS })
  if (args.enabled === false) return a
  a.outcome('gossip', { peer: 'p1', port: 8301, keys: args.keys ?? [KEY] }, (request: { do: string }) => request.do === 'listen')
  return a
}

test('a recording holds every input, with its time and what came of it, and ends when it was told to', (t) => {
  const a = listening()
  const recording = a.call('record', { forMs: 3_000 })
  a.call('tag', { tags: { role: 'node', color: 'blue' } })
  a.event('gossip', { did: 'connected', peer: 'p2', address: { host: '127.0.0.2', port: 8301 } })
  const feed = a.subscribe('members', null)
  a.leave(feed as never)
  a.wait(2_999)
  t.is(recording.result, undefined)
  a.wait(1)
  const { lines, ended } = recording.result as { lines: string[]; ended: string }
  t.is(ended, 'time')
  const read = readRecording(lines.join('\n'))
  if (!('header' in read)) return t.fail(JSON.stringify(read))
  t.like(read.header, { format: 'tribune-gossip', version: 1, node: 'n1', atMs: NOW_MS, forMs: 3_000 })
  const names = read.inputs.map(({ name }) => name)
  for (const name of ['tag', 'event', 'members', 'left', 'beat']) t.true(names.includes(name), name)
  t.true(read.inputs.some(({ did }) => JSON.stringify(did).includes('"do":"hello"')))
  t.deepEqual(
    read.end?.members.map(({ name, status }) => [name, status]),
    [['n1', 'alive']],
  )
  t.is(a.state.recording, undefined)
})

test('there is no key in a recording, whether it was there before or came while it went on', (t) => {
  const a = listening()
  const recording = a.call('record', { forMs: 3_000 })
  a.call('keyring', { do: 'install', key: OTHER_KEY })
  a.outcome('gossip', {}, (request: { do: string }) => request.do === 'keys')
  a.call('keyring', { do: 'list' })
  a.wait(3_000)
  const text = (recording.result as { lines: string[] }).lines.join('\n')
  t.regex(text, /key-1/)
  t.regex(text, /key-2/)
  t.false(text.includes(KEY))
  t.false(text.includes(OTHER_KEY))
})

test('a recording ends when it has no more room', (t) => {
  const a = listening()
  const recording = a.call('record', { forMs: 600_000 })
  const color = 'x'.repeat(500)
  const message = { do: 'refused', why: 'x'.repeat(60_000) }
  a.event('gossip', { did: 'connected', peer: 'p2', address: { host: '127.0.0.2', port: 8301 } })
  for (let count = 0; recording.result === undefined && count < 1_000; count++) {
    a.call('tag', { tags: { role: 'node', color } })
    a.event('gossip', { did: 'message', from: 'p2', message })
  }
  const { lines, ended } = recording.result as { lines: string[]; ended: string }
  t.is(ended, 'full')
  const length = lines.join('').length
  t.true(length > 8 * 1_024 * 1_024 && length < 8.5 * 1_024 * 1_024, `${length}`)
  t.false(a.timers().includes('record'))
})

test('a second recording, one of no time or too much, and one of an agent that does not gossip are refused', (t) => {
  const a = listening()
  for (const forMs of [0, -1, Number.NaN, 600_001]) t.like(a.call('record', { forMs }).result, { refused: 'invalid' })
  a.call('record', { forMs: 1_000 })
  t.like(a.call('record', { forMs: 1_000 }).result, { refused: 'conflict' })
  t.like(listening({ enabled: false }).call('record', { forMs: 1_000 }).result, { refused: 'invalid' })
})

test('whatever a state or message holds comes out of its line as it was', (t) => {
  const leaf = fc.oneof(fc.string(), fc.double(), fc.boolean(), fc.constant(null), fc.constant(undefined), fc.bigInt(), fc.uint8Array())
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('$map', '$none')), tie('value'), { maxKeys: 3, noNullPrototype: true }),
      fc.array(fc.tuple(fc.string(), tie('value')), { maxLength: 3 }).map((pairs) => new Map(pairs)),
      fc.array(fc.string(), { maxLength: 3 }).map((items) => new Set(items)),
    ),
  }))
  fc.assert(fc.property(value, (one) => t.deepEqual(unwritten(JSON.parse(lineOf({ one: written(one) }, new Map())).one), one)))
})
