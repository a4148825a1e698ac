import test from 'ava'
import { membershipRef } from '../actors/membership/protocol.ts'
import type { PoolConfig } from '../src/config/config.ts'
import { joinOthers } from '../src/joining.ts'
import { isRefused, refuse } from '../src/kernel/refusal.ts'

const A = { host: '10.0.0.1', port: 8301 }
const B = { host: 'b', port: 1 }
const NO = { joined: 0, failed: [{ address: A, why: 'no answer' }] }
const YES = { joined: 1, failed: [] }

const GOSSIP: PoolConfig = {
  bind: A,
  advertise: A,
  startJoin: [],
  retryJoin: [],
  retryIntervalMs: 30_000,
  retryMax: 0,
  allowedNetworks: [],
}

/** What comes of it when the members answer like this, one after the other. `ends`: after so many waits the agent ends. */
async function joining(gossip: Partial<PoolConfig>, answers: readonly unknown[], ends = 100) {
  const asked: unknown[] = []
  const waits: number[] = []
  const result = await joinOthers({
    host: {
      asked: ((_to: unknown, name: string, request: { addresses: unknown }) => {
        asked.push(request.addresses)
        return Promise.resolve(name === 'join' ? answers[asked.length - 1] : undefined)
      }) as never,
    },
    pool: { ...GOSSIP, ...gossip },
    membership: membershipRef,
    cluster: 'LAN',
    print: () => undefined,
    wait: (ms) => Promise.resolve(waits.push(ms) < ends),
  })
  return { asked, waits, why: isRefused(result) ? result.why : result }
}

test('nobody is asked for where nobody is to be joined', async (t) => {
  t.deepEqual(await joining({}, []), { asked: [], waits: [], why: null })
})

test('start_join works at once or not at all', async (t) => {
  t.deepEqual(await joining({ startJoin: [A, B] }, [YES]), { asked: [[A, B]], waits: [], why: null })
  t.is((await joining({ startJoin: [A] }, [NO])).why, 'Failed to join: 10.0.0.1:8301: no answer')
})

test('retry_join is tried until one is joined, the agent ends or it was tried often enough', async (t) => {
  const retryJoin = [A, B]
  t.deepEqual(await joining({ retryJoin }, [NO, NO, YES]), {
    asked: [retryJoin, retryJoin, retryJoin],
    waits: [30_000, 30_000],
    why: null,
  })
  t.deepEqual((await joining({ retryJoin }, Array(9).fill(NO), 3)).waits.length, 3)
  const exhausted = await joining({ retryJoin, retryMax: 2, retryIntervalMs: 5 }, Array(9).fill(NO))
  t.deepEqual(exhausted.waits, [5, 5])
  t.is(exhausted.why, 'max join retry exhausted, exiting: 10.0.0.1:8301: no answer')
})

test('an agent that does not listen yet joins as soon as it does, and counts no try', async (t) => {
  const busy = refuse('busy', 'this agent does not listen yet')
  t.deepEqual(await joining({ startJoin: [A] }, [busy, busy, YES]), { asked: [[A], [A], [A]], waits: [250, 250], why: null })
  t.deepEqual((await joining({ retryJoin: [A], retryMax: 1 }, [busy, busy, NO, busy, YES])).waits, [250, 250, 30_000, 250])
  const never = await joining({ startJoin: [A] }, Array(500).fill(busy), 500)
  t.is(never.why, 'Failed to join: this agent does not listen yet')
  t.is(never.waits.length, 120)
})
