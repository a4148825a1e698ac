import test from 'ava'
import { defineActor } from '../../src/kernel/actor.ts'
import {
  addressOf,
  type Call,
  type Caller,
  type Cast,
  type Feed,
  LATER,
  type Ref,
  refOf,
  type Subscriber,
} from '../../src/kernel/protocol.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import { CAST, packItems } from '../../src/kernel/wire.ts'
import { testHosts } from '../kit/hosts.ts'

type ShopProtocol = {
  price: Call<{ item: string }, { cents: number }>
  wait: Call<null, { cents: number }>
  soon: Call<null, { cents: number }>
  sell: Cast<{ item: string }>
  fail: Call<null, null>
  sold: Feed<null, number>
}
type ShopOwn = { later: Cast<{ caller: Caller<{ cents: number }> }> }
type ShopState = { sold: number; waited: number; readers: Subscriber<number>[] }
const shopRef = refOf<ShopProtocol>('shop')

const shop = defineActor<ShopProtocol, ShopOwn, ShopState>({
  name: 'shop',
  mailboxMax: 4,
  remote: ['price'],
  init: () => ({ sold: 0, waited: 0, readers: [] }),
  on: {
    price: (_state, { item }) => (item === 'pen' ? { cents: 120 } : refuse('missing', `no ${item} here`)),
    wait(state, _request, turn, caller) {
      turn.timer(`later ${++state.waited}`, 1_000, { name: 'later', request: { caller } })
      return LATER
    },
    soon(_state, _request, turn, caller) {
      turn.again({ name: 'later', request: { caller } })
      return LATER
    },
    sell(state, _request, turn) {
      state.sold++
      for (const reader of state.readers) turn.emit(reader, state.sold, state.sold)
    },
    fail(state) {
      state.sold = -1
      throw new Error('on purpose')
    },
    sold(state, _request, turn, subscriber) {
      state.readers.push(subscriber)
      turn.emit(subscriber, state.sold, state.sold)
    },
    later(_state, { caller }, turn) {
      turn.answer(caller, { cents: 5 })
    },
  },
})

/** A shop on thread 1, asked from thread 0. */
function market() {
  const world = testHosts({ threads: 2, actors: [shop], place: () => 1 })
  const [front, back] = world.hosts
  back?.start('shop', '', null)
  world.settle()
  return { ...world, front: front!, back: back! }
}

test('a call crosses threads and brings an answer or a refusal', (t) => {
  const { front, settle } = market()
  const answers: unknown[] = []
  front.ask(shopRef, 'price', { item: 'pen' }, 1_000, (answer) => answers.push(answer))
  front.ask(shopRef, 'price', { item: 'ink' }, 1_000, (answer) => answers.push(answer))
  settle()
  t.deepEqual(answers, [{ cents: 120 }, { refused: 'missing', why: 'no ink here' }])
})

test('what cannot travel as it is never leaves: from outside it is refused by its name', (t) => {
  const { front, settle } = market()
  const answers: unknown[] = []
  front.ask(shopRef, 'price', JSON.parse('{"item": {"__proto__": 1}}') as { item: string }, 1_000, (answer) => answers.push(answer))
  settle()
  t.deepEqual(answers, [{ refused: 'invalid', why: 'item.__proto__: a field cannot have this name' }])
})

test('a call that is answered in a later turn', (t) => {
  const { front, advance } = market()
  const answers: unknown[] = []
  front.ask(shopRef, 'wait', null, 5_000, (answer) => answers.push(answer))
  advance(999)
  t.deepEqual(answers, [])
  advance(2)
  t.deepEqual(answers, [{ cents: 5 }])
})

test('a deadline that passes is the refusal "late", and the answer after it is dropped', (t) => {
  const { front, advance } = market()
  const answers: unknown[] = []
  front.ask(shopRef, 'wait', null, 500, (answer) => answers.push(answer))
  advance(600)
  t.deepEqual(answers, [{ refused: 'late', why: 'no answer before the deadline' }])
  advance(2_000)
  t.is(answers.length, 1)
})

test('a full mailbox answers "busy" at once', (t) => {
  const { front, settle } = market()
  const codes: unknown[] = []
  for (let asked = 0; asked < 6; asked++) {
    front.ask(shopRef, 'price', { item: 'pen' }, 1_000, (answer) => codes.push('refused' in answer ? answer.refused : answer.cents))
  }
  settle()
  t.deepEqual(codes, ['busy', 'busy', 120, 120, 120, 120])
})

test('a crash drops what the turn did, refuses its caller, and the actor goes on with a new state', (t) => {
  const { front, settle, printed } = market()
  const answers: unknown[] = []
  front.ask(shopRef, 'fail', null, 1_000, (answer) => answers.push(answer))
  front.ask(shopRef, 'price', { item: 'pen' }, 1_000, (answer) => answers.push(answer))
  settle()
  t.deepEqual(answers, [{ refused: 'gone', why: 'shop crashed' }, { cents: 120 }])
  t.true(printed.some((line) => line.startsWith('error kernel: shop crashed')))
})

test('what an actor told itself before it crashed is nothing to its next life', (t) => {
  const { front, back, settle } = market()
  const answers: unknown[] = []
  front.ask(shopRef, 'soon', null, 1_000, (answer) => answers.push(answer))
  front.ask(shopRef, 'fail', null, 1_000, (answer) => answers.push(answer))
  settle()
  const gone = { refused: 'gone', why: 'shop crashed' }
  t.deepEqual(answers, [gone, gone])
  t.is(back.stats()[0]?.restarts, 1)
})

test('an actor that crashes more than five times in a minute ends its thread', (t) => {
  const { front, settle, advance, fatal } = market()
  for (let crash = 0; crash < 6; crash++) {
    front.ask(shopRef, 'fail', null, 1_000, () => undefined)
    settle()
    advance(3_000)
  }
  t.is(fatal.length, 1)
  t.regex(fatal[0] ?? '', /shop crashed 6 times within 60 s, last: Error: on purpose/)
})

test('crashes that are far apart are only restarts', (t) => {
  const { front, settle, advance, fatal, back } = market()
  for (let crash = 0; crash < 8; crash++) {
    front.ask(shopRef, 'fail', null, 1_000, () => undefined)
    settle()
    advance(61_000)
  }
  t.deepEqual(fatal, [])
  t.is(back.stats()[0]?.restarts, 8)
})

test('a feed gives a slow reader the newest value only', (t) => {
  const { front, back, settle } = market()
  const seen: unknown[] = []
  front.follow(shopRef, 'sold', null, (value) => seen.push(value))
  settle()
  for (let sale = 0; sale < 3; sale++) {
    back.receive(0, new Uint8Array([0x91, 0x94, 0x01, 0xa4, ...Buffer.from('shop'), 0xa4, ...Buffer.from('sell'), 0x80]))
  }
  settle()
  t.deepEqual(seen, [0, 1, 3])
})

test('a feed goes on after its actor crashed, and after its thread was away', (t) => {
  const { front, settle, unlink, link, back } = market()
  const seen: unknown[] = []
  front.follow(shopRef, 'sold', null, (value) => seen.push(value))
  settle()
  front.ask(shopRef, 'fail', null, 1_000, () => undefined)
  settle()
  unlink(0, 1)
  settle()
  link(0, 1)
  settle()
  t.deepEqual(seen, [0, 0, 0])
  t.is(back.stats().length, 1)
})

test('calls to a thread that goes away are refused at once', (t) => {
  const { front, settle, unlink } = market()
  const answers: unknown[] = []
  front.ask(shopRef, 'wait', null, 60_000, (answer) => answers.push(answer))
  settle()
  unlink(0, 1)
  settle()
  front.ask(shopRef, 'price', { item: 'pen' }, 1_000, (answer) => answers.push(answer))
  settle()
  t.deepEqual(answers, [
    { refused: 'gone', why: 'gone for the test' },
    { refused: 'gone', why: 'no link to thread 1' },
  ])
})

test('what is owed to a lost thread is answered in vain: nobody crashes, and no call of its new life is settled by it', (t) => {
  const { front, back, printed, settle, advance, replace } = market()
  front.ask(shopRef, 'wait', null, 60_000, () => t.fail('the thread that asked is gone'))
  settle()
  advance(500)
  const anew = replace(0)
  const answers: unknown[] = []
  anew.ask(shopRef, 'wait', null, 60_000, (answer) => answers.push(answer))
  advance(501)
  t.deepEqual(answers, [])
  advance(500)
  t.deepEqual(answers, [{ cents: 5 }])
  t.is(back.stats()[0]?.restarts, 0)
  t.deepEqual(printed, [])
})

test('what is meant for a follower of a lost thread reaches nobody, also not another one with its number', (t) => {
  const { front, back, settle, replace } = market()
  const other = refOf<ShopProtocol>('shop', 'other')
  back.start('shop', 'other', null)
  front.follow(shopRef, 'sold', null, () => undefined)
  settle()
  const anew = replace(0)
  const taken: unknown[] = []
  anew.follow(other, 'sold', null, (value) => taken.push(value))
  settle()
  const sell = (to: Ref) => back.receive(0, packItems([[CAST, addressOf(to), 'sell', { item: 'pen' }]]))
  sell(shopRef)
  settle()
  t.deepEqual(taken, [0])
  sell(other)
  settle()
  t.deepEqual(taken, [0, 1])
})

test('another machine may ask only what the protocol opens to it', (t) => {
  const { back, settle } = market()
  const sent: Uint8Array[] = []
  back.connect('n2', (batch) => sent.push(batch))
  const call = (name: string) =>
    new Uint8Array([0x91, 0x96, 0x00, 0xa4, ...Buffer.from('shop'), 0xa0 + name.length, ...Buffer.from(name), 0x80, 0x07, 0xcd, 0x03, 0xe8])
  back.receive('n2', call('price'))
  back.receive('n2', call('wait'))
  settle()
  const text = Buffer.concat(sent).toString('latin1')
  t.true(text.includes('missing'))
  t.true(text.includes('forbidden'))
})

test('what stays as it is when it is started again is rebuilt from the newest arguments', (t) => {
  const began: string[] = []
  const clerk = defineActor<{ fail: Call<null, null> }, Record<never, never>, null, string>({
    name: 'clerk',
    mailboxMax: 4,
    init: (name) => {
      began.push(name)
      return null
    },
    stays: () => true,
    on: {
      fail: () => {
        throw new Error('on purpose')
      },
    },
  })
  const { hosts, settle } = testHosts({ threads: 1, actors: [clerk], place: () => 0 })
  const host = hosts[0]!
  host.start('clerk', '', 'old')
  host.start('clerk', '', 'new')
  t.deepEqual(began, ['old'])
  host.ask(refOf<{ fail: Call<null, null> }>('clerk'), 'fail', null, 1_000, () => undefined)
  settle()
  t.deepEqual(began, ['old', 'new'])
})

test('what stays may take the new arguments over, and its wishes are carried out; what is measured is a sample', (t) => {
  const taken: string[] = []
  const clerk = defineActor<Record<never, never>, { told: Cast<{ name: string }> }, null, string>({
    name: 'clerk',
    mailboxMax: 4,
    init: () => null,
    stays: (_state, name, turn) => {
      turn.measure('clerk.time', 7)
      turn.again({ name: 'told', request: { name } })
      return name !== 'other'
    },
    on: { told: (_state, { name }) => void taken.push(name) },
  })
  const { hosts, settle } = testHosts({ threads: 1, actors: [clerk], place: () => 0 })
  const host = hosts[0]!
  for (const name of ['old', 'new', 'other']) host.start('clerk', '', name)
  settle()
  t.deepEqual(taken, [], 'the one that wished for it was replaced')
  host.start('clerk', '', 'newest')
  settle()
  t.deepEqual(taken, ['newest'])
  t.like(host.samples.take()[0]?.[1], { count: 2, sum: 14 })
})

test('what is started again is replaced, unless it says that it stays as it is; it keeps its thread, whatever the lane', (t) => {
  const ended = new Set<string>()
  const began: string[] = []
  const counter = defineActor<{ count: Call<null, number> }, Record<never, never>, { name: string; counted: number }, { name: string }>({
    name: 'counter',
    mailboxMax: 4,
    init: ({ name }) => {
      began.push(name)
      return { name, counted: 0 }
    },
    stays: (state, { name }) => state.name === name && !ended.has(name),
    on: { count: (state) => ++state.counted },
  })
  const { hosts, settle } = testHosts({ threads: 3, actors: [shop, counter], place: (_actor, _key, lane) => lane ?? 1 })
  const front = hosts[0]!
  const count = () => {
    const answers: unknown[] = []
    front.ask(refOf<{ count: Call<null, number> }>('counter', 'a'), 'count', null, 1_000, (answer) => answers.push(answer))
    settle()
    return answers[0]
  }
  front.start('counter', 'a', { name: 'x' }, 2)
  t.is(count(), 1)
  front.start('counter', 'a', { name: 'x' }, 1)
  t.is(count(), 2)
  t.deepEqual(
    hosts.map((host) => host.stats().length),
    [0, 0, 1],
  )
  front.start('counter', 'a', { name: 'y' }, 2)
  t.is(count(), 1)
  ended.add('y')
  front.start('counter', 'a', { name: 'y' }, 2)
  t.is(count(), 1)
  t.deepEqual(began, ['x', 'y', 'y'])

  front.stop('counter', 'a')
  front.start('counter', 'a', { name: 'x' }, 1)
  t.is(count(), 1)
  t.is(hosts[1]?.stats().length, 1)
})

test('a commit is told only to threads where readers may wait; nobody waits where it is not told', (t) => {
  const { hosts, settle } = testHosts({ threads: 3, actors: [shop], place: () => 0, hears: (thread) => thread !== 1 })
  hosts[2]?.notify({ index: 7, touched: [[3, 'a']] })
  settle()
  t.deepEqual(
    hosts.map(({ noticed }) => noticed),
    [7, 0, 7],
  )
  const reads = { keys: new Map([[3, new Set(['a'])]]), prefixes: new Map() }
  let woken = 0
  hosts[0]?.waiters.add(reads, () => woken++)
  t.throws(() => hosts[1]?.waiters.add(reads, () => woken++), { message: /readers wait only where commits are told/ })
  hosts[2]?.notify({ index: 8, touched: [[3, 'a']] })
  settle()
  t.is(woken, 1)
})

test('a started actor is started anew when its thread comes back', (t) => {
  const { front, back, settle, unlink, link } = market()
  front.start('shop', 'corner', null)
  settle()
  back.stop('shop', 'corner')
  unlink(0, 1)
  link(0, 1)
  settle()
  t.true(back.stats().some(({ key }) => key === 'corner'))
})
