import test from 'ava'
import fc from 'fast-check'
import { pack } from 'msgpackr'
import { defineActor } from '../../src/kernel/actor.ts'
import { type Call, type Cast, refOf } from '../../src/kernel/protocol.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { type Item, packItems, readBatch } from '../../src/kernel/wire.ts'
import { testHosts } from '../kit/hosts.ts'

type CounterProtocol = { add: Cast<null>; total: Call<null, number> }
const counterRef = refOf<CounterProtocol>('counter')
const counter = defineActor<CounterProtocol, Record<never, never>, { total: number }, null>({
  name: 'counter',
  mailboxMax: 1_000,
  remote: ['total'],
  init: () => ({ total: 0 }),
  on: {
    add(state) {
      state.total++
    },
    total: ({ total }) => total,
  },
})

function running() {
  const hosts = testHosts({ threads: 2, actors: [counter], place: () => 1 })
  const [front, back] = hosts.hosts
  if (!front || !back) throw new Error('two hosts were made')
  front.start('counter', '', null)
  hosts.settle()
  return { ...hosts, front, back }
}

const ADD: Item = [1, 'counter', 'add', null]

test('items in their form are read; one that is not makes the whole batch refused', (t) => {
  const good: Item[] = [
    [0, 'counter', 'total', null, 7, 1_000],
    ADD,
    [2, 7, { refused: 'gone', why: 'x' }],
    [3, 'counter', 'feed', null, 1],
    [4, 1],
    [5, 1, 2, 'value'],
    [6, 1],
    [7, 'counter', '', null],
    [8, 'counter', ''],
    [9, 3, [[10, 'a']]],
    [10, 5],
  ]
  t.deepEqual(readBatch(packItems(good), 0), good)
  for (const bad of [
    [0, 'counter', 'total', null, 7],
    [1, 5, 'add'],
    [2, -1],
    [5, 1.5, 2],
    [9, 3, [[10]]],
    [10, 'x'],
    [11],
    [],
    null,
    'x',
  ]) {
    t.like(readBatch(packItems([ADD, bad as unknown as Item]), 0), { refused: 'invalid' }, JSON.stringify(bad))
  }
  t.like(readBatch(pack({ a: 1 }), 0), { why: 'not a list of items' })
  t.like(readBatch(new Uint8Array([0xdd]), 0), { refused: 'invalid' })
})

test('another machine may neither start nor stop actors, nor tell of commits', (t) => {
  for (const item of [
    [7, 'counter', '', null],
    [8, 'counter', ''],
    [9, 3, []],
  ] as Item[]) {
    t.false(isRefused(readBatch(packItems([item]), 0)))
    t.like(readBatch(packItems([item]), 'n2'), { refused: 'invalid' })
  }
})

test('a refused batch is counted and printed, changes nothing, and those after it are taken', (t) => {
  const { front, back, settle, printed, fatal } = running()
  back.receive(0, packItems([ADD, [1, 5, 'add', null] as unknown as Item]))
  back.receive(0, new Uint8Array([0xc1]))
  back.receive(0, packItems([ADD]))
  settle()
  let total: unknown
  front.ask(counterRef, 'total', null, 1_000, (answer) => (total = answer))
  settle()
  t.is(total, 1)
  t.is(back.counters.get('kernel.dropped'), 2)
  t.deepEqual(printed.slice(-2), ['warn kernel: dropped a batch', 'warn kernel: dropped a batch'])
  t.deepEqual(fatal, [])
})

test('an answer from somebody who was not asked is dropped', (t) => {
  const { front, settle } = running()
  front.connect('n2', () => undefined)
  let total: unknown
  front.ask(counterRef, 'total', null, 1_000, (answer) => (total = answer))
  front.receive('n2', packItems(Array.from({ length: 10 }, (_, call): Item => [2, call, 999])))
  settle()
  t.is(total, 0)
})

test('no noise from another machine stops a host', (t) => {
  const { front, back, settle, fatal } = running()
  back.connect('n2', () => undefined)
  const item = fc.tuple(
    fc.nat({ max: 11 }),
    fc.constantFrom('counter', 'nobody', '__proto__', 5),
    fc.constantFrom('add', 'total', 'constructor'),
    fc.anything(),
    fc.anything(),
    fc.anything(),
  )
  const packed = fc.array(fc.oneof(item, fc.jsonValue(), fc.constant(ADD))).map((items) => packItems(items as unknown as Item[]))
  const changed = fc.tuple(packed, fc.nat(), fc.nat({ max: 255 })).map(([bytes, at, byte]) => bytes.with(at % bytes.length, byte))
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), packed, changed), (bytes) => {
      back.receive('n2', bytes)
      settle()
    }),
    { numRuns: 2_000 },
  )
  let total: unknown
  front.ask(counterRef, 'total', null, 1_000, (answer) => (total = answer))
  settle()
  t.is(total, 0)
  t.deepEqual(fatal, [])
})
