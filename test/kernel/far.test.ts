import test from 'ava'
import { defineActor } from '../../src/kernel/actor.ts'
import {
  askingPeer,
  askingServer,
  datacenterPeer,
  farPeer,
  nodeOf,
  readDatacenterPeer,
  readFarPeer,
  serverPeer,
  serverRole,
} from '../../src/kernel/far.ts'
import type { Host } from '../../src/kernel/host.ts'
import { type AnyActor, Instance } from '../../src/kernel/instance.ts'
import { type Call, type Cast, type Feed, LATER, refOf, type Subscriber } from '../../src/kernel/protocol.ts'
import { placeFar, placer } from '../../src/placement.ts'
import { linkedHosts } from '../kit/linked-hosts.ts'

type ShopProtocol = {
  price: Call<{ item: string }, { cents: number; asker: string }>
  never: Call<null, null>
  sell: Cast<null>
  secret: Call<null, null>
  sold: Feed<null, number>
  books: Feed<null, number>
}
type ShopState = { sold: number; readers: Subscriber<number>[]; gone: number }
const shop = defineActor<ShopProtocol, Record<never, never>, ShopState>({
  name: 'shop',
  mailboxMax: 100,
  remote: ['price', 'never', 'sell', 'sold'],
  init: () => ({ sold: 0, readers: [], gone: 0 }),
  on: {
    price: ({ gone }, _request, _turn, caller) => ({ cents: gone, asker: nodeOf(caller) ?? '' }),
    never: () => LATER,
    sell(state, _request, turn) {
      state.sold++
      for (const reader of state.readers) turn.emit(reader, state.sold, state.sold)
    },
    secret: () => null,
    sold(state, _request, turn, subscriber) {
      state.readers.push(subscriber)
      turn.emit(subscriber, state.sold, state.sold)
    },
    books(_state, _request, turn, subscriber) {
      turn.emit(subscriber, 1, 1)
    },
  },
  left(state, subscriber) {
    state.gone++
    state.readers = state.readers.filter(({ peer, feed }) => peer !== subscriber.peer || feed !== subscriber.feed)
  },
})

type KeeperProtocol = { sell: Call<null, null> }
/** On the client: sells through the shop of the server. */
const keeper = defineActor<KeeperProtocol, Record<never, never>, null>({
  name: 'keeper',
  mailboxMax: 10,
  init: () => null,
  on: {
    sell(_state, _request, turn) {
      turn.cast(refOf<ShopProtocol>('shop'), 'sell', null)
      return null
    },
  },
})

const shopRef = refOf<ShopProtocol>('shop')
const far = ({ node = '' }: { node?: string }) => farPeer(node, 'state')

/** A client `c` and servers `s1` and `s2`; `c` uses none yet. */
function market() {
  const server = { server: true, actors: [shop], place: () => 0, far }
  const world = linkedHosts([
    { node: 'c', server: false, actors: [keeper], place: (actor) => (actor === 'shop' ? serverPeer('state') : 0), far },
    { node: 's1', ...server },
    { node: 's2', ...server },
  ])
  for (const node of ['s1', 's2']) world.host(node).start('shop', '', null)
  world.host('c').start('keeper', '', null)
  world.settle()
  const ask = (host: Host, ref = shopRef) => {
    let found: unknown
    host.ask(ref, 'price', { item: 'pen' }, 1_000, (result) => {
      found = result
    })
    world.settle()
    return found
  }
  return { ...world, ask }
}

test('what only servers have is asked of the server in use, or refused while there is none', (t) => {
  const { ask, host, use } = market()
  t.deepEqual(ask(host('c')), { refused: 'gone', why: 'No known Consul servers' })
  use('c', 's1')
  t.deepEqual(ask(host('c')), { cents: 0, asker: 'c' })
  use('c', undefined)
  t.deepEqual(ask(host('c')), { refused: 'gone', why: 'No known Consul servers' })
})

test('what was asked of a server that is not used any more is refused; feeds go on with the next one', (t) => {
  const { host, use, settle } = market()
  const values: unknown[] = []
  let answer: unknown
  const end = host('c').follow(shopRef, 'sold', null, (value) => values.push(value))
  settle()
  use('c', 's1')
  host('c').ask(shopRef, 'never', null, 60_000, (result) => {
    answer = result
  })
  settle()
  t.deepEqual(values, [0])
  host('s2').start('shop', '', null)
  use('c', 's2')
  settle()
  t.deepEqual(answer, { refused: 'gone', why: 'another server is used' })
  t.deepEqual(values, [0, 0])
  host('c').ask(shopRef, 'price', { item: 'pen' }, 1_000, () => undefined)
  settle()
  end()
  settle()
})

test('casts of an actor reach the server; its feed tells each value once', (t) => {
  const { host, use, settle, printed } = market()
  const values: unknown[] = []
  host('c').follow(shopRef, 'sold', null, (value) => values.push(value))
  use('c', 's1')
  settle()
  const sell = () => host('c').ask(refOf<KeeperProtocol>('keeper'), 'sell', null, 1_000, () => undefined)
  sell()
  settle()
  t.deepEqual(values, [0, 1])
  use('c', undefined)
  sell()
  settle()
  t.true(printed.some((line) => line.startsWith('c warn kernel: dropped "sell"')))
})

test('an actor of a certain agent is reached when it is needed, and its feeds again after a cut', (t) => {
  const { ask, host, settle, advance, cut, join } = market()
  const there = refOf<ShopProtocol>('shop', '', 's2')
  t.deepEqual(ask(host('s1'), there), { cents: 0, asker: 's1' })
  t.deepEqual(ask(host('s1'), refOf<ShopProtocol>('shop', '', 's1')), { cents: 0, asker: '' })
  t.deepEqual(ask(host('s1'), refOf<ShopProtocol>('shop', '', 's9')), { refused: 'gone', why: 'no way to @s9/state' })
  const values: unknown[] = []
  host('s1').follow(there, 'sold', null, (value) => values.push(value))
  settle()
  t.deepEqual(values, [0])
  cut('s1', 's2')
  t.deepEqual(ask(host('s1'), there), { refused: 'gone', why: 'no way to @s2/state' })
  advance(5_000)
  t.deepEqual(values, [0])
  join('s1', 's2')
  advance(1_000)
  t.deepEqual(values, [0, 0])
  // The reader of before the cut is gone there.
  t.deepEqual(ask(host('s1'), there), { cents: 1, asker: 's1' })
})

test('an agent that was restarted is another one: its readers are forgotten, those who read from it ask again', (t) => {
  const { ask, host, settle, advance, restart } = market()
  const there = refOf<ShopProtocol>('shop', '', 's2')
  const values: unknown[] = []
  host('s1').follow(there, 'sold', null, (value) => values.push(value))
  settle()
  restart('s2').start('shop', '', null)
  advance(1_000)
  t.deepEqual(values, [0, 0])
  restart('s1')
  settle()
  t.deepEqual(ask(host('s1'), there), { cents: 1, asker: 's1' })
})

test('only what is marked can be asked or followed from another agent', (t) => {
  const { host, settle, printed } = market()
  const there = refOf<ShopProtocol>('shop', '', 's2')
  const values: unknown[] = []
  let answer: unknown
  host('s1').follow(there, 'books', null, (value) => values.push(value))
  host('s1').ask(there, 'secret', null, 1_000, (result) => {
    answer = result
  })
  settle()
  t.deepEqual(answer, { refused: 'forbidden', why: '"secret" of shop cannot be asked from another machine' })
  t.deepEqual(values, [])
  t.true(printed.includes('s2 warn kernel: dropped a reader of "books"'))
})

test('names of peers on other agents', (t) => {
  t.deepEqual(readFarPeer(farPeer('a/b', 'state')), { node: 'a/b', role: 'state' })
  for (const peer of [serverPeer('edge'), askingPeer('server', 3, 1), 4]) t.is(readFarPeer(peer), undefined)
  t.is(serverRole(serverPeer('edge')), 'edge')
  for (const peer of [askingPeer('server', 3, 1), farPeer('server', 'edge'), 4]) t.is(serverRole(peer), undefined)
  t.deepEqual(
    [askingPeer('a/b', 3, 7), farPeer('a/b', 'edge')].map((peer) => nodeOf({ peer })),
    ['a/b', 'a/b'],
  )
  t.is(nodeOf({ peer: 2 }), undefined)
  t.deepEqual(readDatacenterPeer(datacenterPeer('dc2', 'edge')), { datacenter: 'dc2', role: 'edge' })
  for (const peer of [serverPeer('edge'), farPeer('dc2', 'edge'), askingServer('n1.dc2', 3, 1), 4])
    t.is(readDatacenterPeer(peer), undefined)
  t.is(nodeOf({ peer: askingServer('n1.dc2', 3, 7) }), 'n1.dc2')
})

test('what servers of other datacenters may ask is less than what agents of this one may', (t) => {
  const refusals = [true, undefined].map((abroad) => {
    const definition = { ...shop, ...(abroad && { abroad }) } as unknown as AnyActor
    const random = { next: () => 0, int: () => 0, uuid: () => '' }
    const instance = new Instance(definition, shopRef, 'shop', undefined, random, 0)
    return [askingServer('n1.dc2', 0, 1), askingPeer('c1', 0, 1)].map((peer) => instance.refuses('price', peer)?.why)
  })
  t.deepEqual(refusals, [
    [undefined, undefined],
    ['"price" of shop cannot be asked from another datacenter', undefined],
  ])
})

test('an actor of another datacenter is reached through the thread of its role there', (t) => {
  t.is(placeFar({ actor: 'exchange', key: '', datacenter: 'dc2' }), '%dc2/edge')
  t.is(placeFar({ actor: 'exchange', key: '', node: 's2' }), '@s2/edge')
})

test('a client has no thread for what only servers have', (t) => {
  const layout = [['main'], ['state'], ['edge', 'mesh']] as const
  t.is(placer(layout, true)('kv', ''), 1)
  t.is(placer(layout, false)('kv', ''), 'server/state')
  t.is(placer(layout, false)('local', ''), 1)
})
