import test from 'ava'
import { createFence, FRESH_MS } from '../../../net/etcd/fence.ts'
import { etcdKeys } from '../../../net/etcd/keys.ts'
import type { TxnAnswer, TxnRequest } from '../../../net/etcd/messages.ts'
import { type Result, refuse } from '../../../src/kernel/refusal.ts'

const keys = etcdKeys('dc1')
const APPEND = [{ do: 'put', key: keys.log, value: 'x' }] as const

/** An etcd that has only a fence, and counts what it was asked to append. */
class Store {
  fence = ''
  appended = 0
  nowMs = 0
  isCut = false
  readonly requests: TxnRequest[] = []

  clocks = { monotonicMs: () => this.nowMs, wallMs: () => 1e12 + this.nowMs }

  txn = async (request: TxnRequest): Promise<Result<TxnAnswer>> => {
    if (this.isCut) return refuse('late', 'cut')
    this.requests.push(request)
    return this.carryOut(request)
  }

  carryOut({ when, then, otherwise = [] }: TxnRequest): TxnAnswer {
    const [condition] = when
    const succeeded = condition !== undefined && ('absent' in condition ? this.fence === '' : condition.value === this.fence)
    const found = (succeeded ? then : otherwise).map((operation) => {
      if (operation.do === 'put' && operation.key === keys.fence) this.fence = String(operation.value)
      if (operation.do === 'put' && operation.key === keys.log) this.appended++
      const shows = operation.do === 'range' && operation.key === keys.fence && this.fence !== ''
      return shows ? [{ key: keys.fence, value: Buffer.from(this.fence), createRevision: 1, modRevision: 1, version: 1 }] : []
    })
    return { succeeded, revision: 1, found }
  }

  server() {
    return createFence({ etcd: { txn: this.txn }, keys, clock: this.clocks })
  }
}

test('one server changes the fence when it may be old, and else appends without', async (t) => {
  const store = new Store()
  const fence = store.server()
  await fence.guarded([...APPEND])
  const first = store.fence
  t.not(first, '')
  store.nowMs += FRESH_MS - 1
  await fence.guarded([...APPEND])
  t.is(store.fence, first)
  store.nowMs += 1
  await fence.guarded([...APPEND])
  t.not(store.fence, first)
  t.is(store.appended, 3)
})

test('a server that learns of another fence appends with that at the next try, and trusts it as long as it can', async (t) => {
  const store = new Store()
  const [a, b] = [store.server(), store.server()]
  await a.guarded([...APPEND])
  t.like(await b.guarded([...APPEND]), { succeeded: false })
  t.like(await b.guarded([...APPEND]), { succeeded: true })
  const second = store.fence
  store.nowMs += FRESH_MS / 2
  t.like(await b.guarded([...APPEND]), { succeeded: true })
  t.like(await a.guarded([...APPEND]), { succeeded: false })
  // The fence that it knew was there at the beginning, so this one came later.
  t.like(await a.guarded([...APPEND]), { succeeded: true })
  t.is(store.fence, second)
})

test('an append that was on its way for too long does not land behind one that came later', async (t) => {
  const store = new Store()
  const [a, b] = [store.server(), store.server()]
  await a.guarded([...APPEND])
  await b.guarded([...APPEND])
  await b.guarded([...APPEND])
  await a.guarded([...APPEND])
  await a.guarded([...APPEND])
  const delayed = store.requests.at(-1) as TxnRequest
  t.is(store.appended, 3)
  store.nowMs += FRESH_MS + 1
  t.like(await b.guarded([...APPEND]), { succeeded: true })
  t.false(store.carryOut(delayed).succeeded)
  t.is(store.appended, 4)
})

test('a fence that is closed lets nothing through that was guarded with it', async (t) => {
  const store = new Store()
  const fence = store.server()
  await fence.guarded([...APPEND])
  const { known } = fence
  await fence.guarded([...APPEND])
  const delayed = store.requests.at(-1) as TxnRequest
  store.isCut = true
  t.like(await fence.close(known), { refused: 'late' })
  store.isCut = false
  await fence.close(known)
  t.false(store.carryOut(delayed).succeeded)
  t.like(await fence.guarded([...APPEND]), { succeeded: true })
})
