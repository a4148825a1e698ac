import { realClock, realRandom } from '../../net/clock.ts'
import { defineActor } from '../../src/kernel/actor.ts'
import { Host } from '../../src/kernel/host.ts'
import type { AnyActor } from '../../src/kernel/instance.ts'
import type { Devices, Ports } from '../../src/kernel/ports.ts'
import { type Call, type Cast, type Feed, LATER, refOf, type Subscriber } from '../../src/kernel/protocol.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import type { ChangeNotice, View } from '../../src/kernel/tables.ts'

/** One message of each kind, for a worker thread. */
export type ShopProtocol = {
  /** `undefined` in `nothing`; the bytes come back reversed. */
  price: Call<Goods, Goods>
  /** Refused with `missing`. */
  unknown: Call<null, null>
  /** Never answered. */
  never: Call<null, null>
  sell: Cast<{ times: number }>
  sold: Feed<null, number>
  /** Tells all threads of a commit. */
  commit: Call<ChangeNotice, null>
  /** Ends the worker with an error that nobody catches. */
  fail: Call<null, null>
}
export type Goods = { bytes: Uint8Array; cents: bigint; nothing?: undefined; weight: number }
export const shopRef = (key = '') => refOf<ShopProtocol>('shop', key)

/** Lives on the main thread: what the shop casts arrives here, and here it is told to cast. */
export type TillProtocol = { order: Call<{ times: number }, null>; rang: Cast<{ times: number; by: string }>; rung: Feed<null, string[]> }
export const tillRef = refOf<TillProtocol>('till')

const shop = defineActor<ShopProtocol, object, { extra: bigint; sold: number; readers: Subscriber<number>[] }, { extra: bigint } | null>({
  name: 'shop',
  mailboxMax: 10_000,
  init: (args) => ({ extra: args?.extra ?? 0n, sold: 0, readers: [] }),
  on: {
    price: ({ extra }, { bytes, cents, weight }) => ({
      bytes: Uint8Array.from(bytes).reverse(),
      cents: cents + extra,
      nothing: undefined,
      weight: -weight,
    }),
    unknown: () => refuse('missing', 'no such thing here'),
    never: () => LATER,
    sell(state, { times }, turn) {
      state.sold += times
      for (const reader of state.readers) turn.emit(reader, state.sold, state.sold)
      turn.cast(tillRef, 'rang', { times, by: turn.self.key })
    },
    sold(state, _request, turn, subscriber) {
      state.readers.push(subscriber)
      turn.emit(subscriber, state.sold, state.sold)
    },
    commit(_state, notice, turn) {
      turn.act('log', { commands: [notice] })
      return null
    },
    fail(_state, _request, turn) {
      turn.act('process', { do: 'leave' })
      return LATER
    },
  },
  left(state, { feed }) {
    state.readers = state.readers.filter((reader) => reader.feed !== feed)
  },
})

const till = defineActor<TillProtocol, object, { rung: string[]; readers: Subscriber<string[]>[] }, null>({
  name: 'till',
  mailboxMax: 10_000,
  init: () => ({ rung: [], readers: [] }),
  on: {
    order(_state, { times }, turn) {
      turn.cast(shopRef(), 'sell', { times })
      return null
    },
    rang(state, { times, by }, turn) {
      state.rung.push(`${times} by "${by}"`)
      for (const reader of state.readers) turn.emit(reader, state.rung.length, state.rung)
    },
    rung(state, _request, turn, subscriber) {
      state.readers.push(subscriber)
      turn.emit(subscriber, state.rung.length, state.rung)
    },
  },
})

const NO_TABLES: View = { get: () => undefined, range: () => [] }

/** A host on real time: shops live on thread 1, the till on thread 0. */
export function shopHost(thread: number): Host {
  const devices: Pick<Devices, 'log' | 'process'> = {
    log: {
      perform({ commands: [notice] }, done) {
        host.notify(notice as ChangeNotice)
        done({ outcomes: [], notice: notice as ChangeNotice })
      },
    },
    process: {
      perform() {
        setImmediate(() => {
          throw new Error('the worker failed on purpose')
        })
      },
    },
  }
  const ports: Ports = { clock: realClock, random: () => realRandom, tables: { view: () => NO_TABLES }, devices, print: () => undefined }
  const host: Host = new Host({
    node: 'n1',
    thread,
    ports,
    actors: [shop, till] as unknown as readonly AnyActor[],
    place: (actor) => (actor === 'shop' ? 1 : 0),
    soon: setImmediate,
    fatal: (why) => {
      throw new Error(why)
    },
  })
  return host
}
