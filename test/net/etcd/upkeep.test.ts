import { setImmediate as nextTurn } from 'node:timers/promises'
import test from 'ava'
import type { Etcd } from '../../../net/etcd/client.ts'
import { etcdKeys } from '../../../net/etcd/keys.ts'
import type { KeyValue, TxnRequest } from '../../../net/etcd/messages.ts'
import { Upkeep } from '../../../net/etcd/upkeep.ts'
import { type Refusal, refuse } from '../../../src/kernel/refusal.ts'

const keys = etcdKeys('dc1')

function setUp() {
  const done: unknown[] = []
  const servers = new Map<string, string>()
  const state = { nowMs: 0, revision: 10, compacting: undefined as Refusal | undefined }
  const shown = ([key, value]: [string, string]): KeyValue => ({
    key,
    value: Buffer.from(value),
    createRevision: 1,
    modRevision: 1,
    version: 1,
  })
  const etcd: Pick<Etcd, 'txn' | 'range' | 'compact'> = {
    txn: async ({ then }: TxnRequest) => {
      for (const operation of then) if (operation.do === 'put') servers.set(operation.key, String(operation.value))
      done.push('told')
      return { succeeded: true, revision: 1, found: [] }
    },
    range: async () => ({ revision: 1, found: [...servers].map(shown), more: false }),
    compact: async (revision) => {
      done.push(revision)
      return state.compacting ?? {}
    },
  }
  const upkeep = new Upkeep({
    etcd: etcd as Etcd,
    keys,
    id: 'n1',
    follower: {
      get visible() {
        return { position: 1, revision: state.revision }
      },
    },
    durable: () => state.revision,
    clock: { monotonicMs: () => state.nowMs },
    print: () => undefined,
    retainMs: 1_000,
    give: async () => undefined,
  })
  async function run(leads: boolean, atMs: number, revision: number): Promise<unknown[]> {
    Object.assign(state, { nowMs: atMs, revision })
    done.length = 0
    upkeep.run(1n, leads)
    await nextTurn()
    return [...done]
  }
  return { run, servers, state }
}

test('a server says how far it is, when that has changed; one that does not lead lets nothing be forgotten', async (t) => {
  const { run, servers } = setUp()
  t.deepEqual(await run(false, 0, 10), ['told'])
  t.deepEqual([...servers], [[`${keys.servers.key}n1`, '10']])
  t.deepEqual(await run(false, 5_000, 10), [])
  t.deepEqual(await run(false, 9_000, 11), ['told'])
})

test('the leader lets etcd forget what is old, once', async (t) => {
  const { run } = setUp()
  await run(true, 0, 10)
  t.deepEqual(await run(true, 500, 20), ['told'])
  t.deepEqual(await run(true, 1_000, 30), ['told', 10])
  t.deepEqual(await run(true, 1_400, 30), [])
  t.deepEqual(await run(true, 1_500, 30), [20])
})

test('what a living server lacks is kept for it; a new leader waits as long as an old one', async (t) => {
  const { run, servers } = setUp()
  await run(true, 0, 10)
  servers.set(`${keys.servers.key}n2`, '7')
  t.deepEqual(await run(true, 2_000, 40), ['told', 7])
  servers.delete(`${keys.servers.key}n2`)
  t.deepEqual(await run(true, 2_100, 40), [10])
  await run(false, 2_200, 40)
  t.deepEqual(await run(true, 9_000, 50), ['told'])
})

test('what somebody else made etcd forget is done; what fails is done again', async (t) => {
  const { run, state } = setUp()
  await run(true, 0, 10)
  state.compacting = refuse('late', 'no answer')
  t.deepEqual(await run(true, 1_000, 10), [10])
  state.compacting = refuse('gone', 'compacted')
  t.deepEqual(await run(true, 1_100, 10), [10])
  t.deepEqual(await run(true, 1_200, 10), [])
})
