import { rmSync } from 'node:fs'
import test from 'ava'
import fc from 'fast-check'
import { memoryStore, openStore, type Store } from '../../net/store.ts'
import { createSimStore } from '../../sim/ports/store.ts'
import { compareKeys, KEY_BYTES_MAX } from '../../src/kernel/keys.ts'
import type { StoreOutcome, StoreRequest } from '../../src/kernel/ports.ts'
import type { Result } from '../../src/kernel/refusal.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'
import { manualClock } from './tables-arms.ts'

type Arm = {
  ask(request: StoreRequest): Promise<Result<StoreOutcome>>
  /** Ends the use and begins anew with what was durable; nothing for a store that keeps nothing. */
  restart: (() => Promise<void>) | undefined
  end(): Promise<void>
}

const arms: { name: string; make(): Arm }[] = [
  { name: 'lmdb', make: realArm },
  { name: 'memory', make: () => armOf(memoryStore()) },
  { name: 'simulated', make: simArm },
]

for (const { name, make } of arms) {
  test(`${name}: what is saved is loaded, ordered by kind and key`, async (t) => {
    const arm = make()
    t.teardown(arm.end)
    const record = { id: 'web', tags: ['a'], nested: { port: 80 }, bytes: new Uint8Array([1]) }
    const saves: [string, string, unknown][] = [
      ['service', 'web', record],
      ['check', 'b', 1],
      ['check', 'a', null],
      ['check', 'a\u0000b', 2],
      ['check', '', 3],
      ['checks', 'a', 4],
    ]
    for (const [kind, key, record] of saves) t.deepEqual(await arm.ask({ do: 'save', kind, key, record }), { records: [] })
    const loaded = await records(arm)
    t.deepEqual(
      loaded.map(({ kind, key }) => `${kind} ${key}`),
      ['check ', 'check a', 'check a\u0000b', 'check b', 'checks a', 'service web'],
    )
    t.deepEqual(
      loaded.slice(0, 5).map(({ record }) => record),
      [3, null, 2, 1, 4],
    )
    const web = loaded[5]?.record as typeof record
    t.deepEqual({ ...web, bytes: new Uint8Array(web.bytes) }, record)
  })

  test(`${name}: saving again replaces, removing removes, also what is not there`, async (t) => {
    const arm = make()
    t.teardown(arm.end)
    await arm.ask({ do: 'save', kind: 'k', key: 'a', record: 1 })
    await arm.ask({ do: 'save', kind: 'k', key: 'a', record: 2 })
    await arm.ask({ do: 'save', kind: 'k', key: 'b', record: 3 })
    t.deepEqual(await arm.ask({ do: 'remove', kind: 'k', key: 'b' }), { records: [] })
    t.deepEqual(await arm.ask({ do: 'remove', kind: 'k', key: 'b' }), { records: [] })
    t.deepEqual(await records(arm), [{ kind: 'k', key: 'a', record: 2 }])
  })

  test(`${name}: a record belongs to the store once it is saved`, async (t) => {
    const arm = make()
    t.teardown(arm.end)
    const record = { tags: ['a'] }
    const saved = arm.ask({ do: 'save', kind: 'k', key: 'a', record })
    record.tags.push('b')
    await saved
    const [first] = await records(arm)
    if (first !== undefined) (first.record as typeof record).tags.push('c')
    t.deepEqual(await records(arm), [{ kind: 'k', key: 'a', record: { tags: ['a'] } }])
  })

  test(`${name}: a load shows what was asked for before it, answered or not, and answers come in order`, async (t) => {
    const arm = make()
    t.teardown(arm.end)
    const answered: number[] = []
    const asked = [1, 2, 3].map((n) => arm.ask({ do: 'save', kind: 'k', key: 'a', record: n }).then(() => answered.push(n)))
    const loaded = await records(arm)
    await Promise.all(asked)
    t.deepEqual(loaded, [{ kind: 'k', key: 'a', record: 3 }])
    t.deepEqual(answered, [1, 2, 3])
  })

  test(`${name}: names that cannot be stored are refused and change nothing`, async (t) => {
    const arm = make()
    t.teardown(arm.end)
    const long = 'x'.repeat(KEY_BYTES_MAX)
    t.deepEqual(await arm.ask({ do: 'save', kind: '', key: 'a', record: 1 }), {
      refused: 'invalid',
      why: 'kind must be a name without the character U+0000',
    })
    t.like(await arm.ask({ do: 'remove', kind: 'a\u0000', key: 'a' }), { refused: 'invalid' })
    t.deepEqual(await arm.ask({ do: 'save', kind: 'kind', key: long, record: 1 }), {
      refused: 'invalid',
      why: `kind "${long.slice(0, 40)}": a key may have at most ${KEY_BYTES_MAX} bytes, this one has ${KEY_BYTES_MAX + 5}`,
    })
    t.like(await arm.ask({ do: 'save', kind: 'kind', key: '\udfff', record: 1 }), { refused: 'invalid' })
    t.deepEqual(await records(arm), [])
  })

  test(`${name}: behaves as a sorted map, and a restart gives back everything acknowledged`, async (t) => {
    const arm = make()
    t.teardown(arm.end)
    const model = new Map<string, { kind: string; key: string; record: unknown }>()
    const names = { kind: fc.constantFrom('check', 'service'), key: fc.constantFrom('', 'a', 'b', 'é', '\u{ffff}', '\u{10000}') }
    const request = fc.oneof(
      fc.record({ do: fc.constant('save' as const), ...names, record: RECORD }),
      fc.record({ do: fc.constant('remove' as const), ...names }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(request, { maxLength: 20 }), fc.boolean(), async (requests, restarts) => {
        const answers = requests.map((each) => {
          const name = `${each.kind}\u0000${each.key}`
          if (each.do === 'save') model.set(name, { kind: each.kind, key: each.key, record: each.record })
          else model.delete(name)
          return arm.ask(each)
        })
        t.true((await Promise.all(answers)).every((answer) => !isRefused(answer)))
        if (restarts) await arm.restart?.()
        const expected = [...model].sort(([a], [b]) => compareKeys(a, b)).map(([, record]) => record)
        t.is(JSON.stringify(await records(arm)), JSON.stringify(expected))
      }),
      { numRuns: 40 },
    )
  })
}

/** msgpackr gives a field named `__proto__` another name, so that no message can change what objects are; no record has one. */
const RECORD = fc.jsonValue().filter((value) => !JSON.stringify(value).includes('__proto__'))

test('simulated: a crash loses what was not answered, a full disk refuses and can still be read', async (t) => {
  const clock = manualClock()
  const store = createSimStore({ after: clock.after, drawCommitMs: () => 5 })
  const outcomes: Result<StoreOutcome>[] = []
  const ask = (request: StoreRequest) => store.perform(request, (outcome) => outcomes.push(outcome), () => undefined) // biome-ignore format: one call
  ask({ do: 'save', kind: 'k', key: 'a', record: 1 })
  clock.run()
  ask({ do: 'save', kind: 'k', key: 'b', record: 2 })
  clock.run(4)
  store.disk.crash()
  clock.run()
  t.is(outcomes.length, 1)
  store.disk.full = true
  ask({ do: 'save', kind: 'k', key: 'c', record: 3 })
  ask({ do: 'load' })
  clock.run()
  t.deepEqual(outcomes.slice(1), [{ refused: 'busy', why: 'disk full: simulated' }, { records: [{ kind: 'k', key: 'a', record: 1 }] }])
})

async function records(arm: Arm): Promise<StoreOutcome['records']> {
  const outcome = await arm.ask({ do: 'load' })
  if (isRefused(outcome)) throw new Error(outcome.why)
  return outcome.records
}

function armOf(store: Store): Arm {
  return {
    ask: (request) => new Promise((resolve) => store.perform(request, resolve, () => undefined)),
    restart: undefined,
    end: () => store.close(),
  }
}

function realArm(): Arm {
  const directory = temporaryDirectory()
  let arm = armOf(openStore(directory))
  return {
    ask: (request) => arm.ask(request),
    async restart() {
      await arm.end()
      arm = armOf(openStore(directory))
    },
    async end() {
      await arm.end()
      rmSync(directory, { recursive: true })
    },
  }
}

function simArm(): Arm {
  const clock = manualClock()
  let commits = 0
  const store = createSimStore({ after: clock.after, drawCommitMs: () => 20 / ++commits })
  return {
    ask(request) {
      const answer = new Promise<Result<StoreOutcome>>((resolve) => store.perform(request, resolve, () => undefined))
      // Time passes once everything of this turn has been asked.
      queueMicrotask(() => clock.run())
      return answer
    },
    async restart() {
      store.disk.crash()
    },
    end: () => Promise.resolve(),
  }
}
