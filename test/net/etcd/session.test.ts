import test from 'ava'
import type { Etcd } from '../../../net/etcd/client.ts'
import { etcdKeys } from '../../../net/etcd/keys.ts'
import type { TxnRequest } from '../../../net/etcd/messages.ts'
import { holdSession, type Seen, type Standing, stand } from '../../../net/etcd/session.ts'
import { isRefused, type Refusal, refuse } from '../../../src/kernel/refusal.ts'
import { until } from '../../kit/running.ts'

const keys = etcdKeys('dc1')

/** Servers that stand for election, each whenever it is told to, over one etcd in memory. */
function election() {
  const state = { nowMs: 0, word: undefined as string | undefined, away: undefined as Refusal | undefined }
  let leases = 0n
  const etcd = {
    grant: async () => state.away ?? { id: ++leases, ttlS: 3 },
    range: async () =>
      state.away ?? { revision: 1, found: state.word === undefined ? [] : [{ value: Buffer.from(state.word) }], more: false },
    txn: async ({ when: [condition], then: [operation] }: TxnRequest) => {
      const succeeded = condition !== undefined && ('absent' in condition ? state.word === undefined : state.word === condition.value)
      if (succeeded && operation?.do === 'put') state.word = String(operation.value)
      return { succeeded, revision: 1, found: [] }
    },
  } as unknown as Etcd
  const server = (id: string) => {
    let own: Pick<Standing, 'lease' | 'seen'> = { lease: 0n, seen: { word: undefined, sinceMs: 0 } satisfies Seen }
    return async (atMs: number): Promise<boolean | Refusal> => {
      state.nowMs = atMs
      const held = await stand({ etcd, keys, id, clock: { monotonicMs: () => state.nowMs } }, own.lease, own.seen)
      if (isRefused(held)) return held
      own = held
      return held.leads
    }
  }
  return { server, state, etcd }
}

test('the first that stands leads, and goes on to lead; the others do not', async (t) => {
  const { server } = election()
  const [a, b] = [server('a'), server('b')]
  for (const atMs of [0, 700, 1_400, 2_100, 2_800, 3_500, 4_200]) t.deepEqual([await a(atMs), await b(atMs)], [true, false])
})

test('a leader that says nothing new for 2.4 s is followed by one server, and knows it when it is back', async (t) => {
  const { server } = election()
  const [a, b, c] = [server('a'), server('b'), server('c')]
  t.deepEqual([await a(0), await b(100), await c(100)], [true, false, false])
  t.deepEqual([await b(2_400), await c(2_400)], [false, false])
  t.deepEqual([await b(2_500), await c(2_500)], [true, false])
  t.deepEqual([await a(2_600), await b(3_200), await a(3_300), await c(3_300)], [false, true, false, false])
})

test('a leader that has given its lease back is followed at once', async (t) => {
  const { server, state } = election()
  const [a, b] = [server('a'), server('b')]
  t.deepEqual([await a(0), await b(0)], [true, false])
  state.word = undefined
  t.true(await b(100))
})

test('a leader that was started again goes on to lead at once', async (t) => {
  const { server } = election()
  const [a, b] = [server('a'), server('b')]
  t.deepEqual([await a(0), await b(0)], [true, false])
  t.deepEqual([await server('a')(1_000), await b(1_100)], [true, false])
})

test('without etcd nobody leads as far as it knows; what passed meanwhile counts as silence', async (t) => {
  const { server, state } = election()
  const [a, b] = [server('a'), server('b')]
  t.deepEqual([await a(0), await b(0)], [true, false])
  state.away = refuse('busy', 'no leader')
  t.like(await b(1_000), { refused: 'busy' })
  state.away = undefined
  t.true(await b(3_000))
  t.false(await a(3_100))
})

test('a lease that has ended is followed by another one, and the last is given back; whoever keeps a renewal waiting keeps nobody else', async (t) => {
  const { etcd, state } = election()
  const given: bigint[] = []
  const beats: bigint[] = []
  const renewals = [Promise.resolve({ id: 1n, ttlS: 0 }), new Promise<never>(() => undefined)]
  const ending = new AbortController()
  const revoke = async (id: bigint) => {
    given.push(id)
    return {}
  }
  const keepAlive = async () => renewals.shift() ?? { id: 2n, ttlS: 3 }
  const holding = holdSession(
    {
      etcd: { ...etcd, keepAlive, revoke },
      keys,
      id: 'a',
      clock: { monotonicMs: () => ++state.nowMs },
      print: () => undefined,
      elected: () => undefined,
      upkeep: (lease) => beats.push(lease),
    },
    ending.signal,
  )
  await until(
    'it goes on with a new lease',
    () => beats.at(-1),
    (lease) => lease === 2n,
  )
  t.regex(state.word ?? '', /^a 2 /)
  ending.abort()
  await holding
  t.deepEqual(given, [2n])
})
