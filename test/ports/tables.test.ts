import test from 'ava'
import fc from 'fast-check'
import { compareKeys, KEY_BYTES_MAX } from '../../src/kernel/keys.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { type RangeOptions, table } from '../../src/kernel/tables.ts'
import { arms, transact } from './tables-arms.ts'

const numbers = table<number>('numbers', 1)
const others = table<unknown>('others', 2)
const last = table<number>('last', 0x7ffe)

for (const { name, make } of arms) {
  test(`${name}: what is put can be read, changed and deleted`, async (t) => {
    const arm = make()
    t.teardown(arm.end)
    t.deepEqual(await transact(arm, (tx) => [tx.put(numbers, 'a', 1), tx.put(numbers, '', 2), 'done'].at(-1)), 'done')
    const view = arm.tables.view()
    t.deepEqual(
      [view.get(numbers, 'a'), view.get(numbers, ''), view.get(numbers, 'b'), view.get(others, 'a')],
      [1, 2, undefined, undefined],
    )
    t.deepEqual(await transact(arm, (tx) => [tx.put(numbers, 'a', 3), tx.delete(numbers, ''), tx.delete(numbers, 'b')]), [
      undefined,
      true,
      false,
    ])
    t.deepEqual([...arm.tables.view().range(numbers)], [['a', 3]])
  })

  test(`${name}: a transaction sees its own changes, and nobody else does before it is durable`, async (t) => {
    const arm = make()
    t.teardown(arm.end)
    const seen = await transact(arm, (tx) => {
      tx.put(numbers, 'b', 1)
      tx.put(numbers, 'a', 2)
      tx.delete(numbers, 'b')
      tx.put(numbers, 'c', 3)
      return { b: tx.get(numbers, 'b'), all: [...tx.range(numbers)] }
    })
    t.deepEqual(seen, { b: undefined, all: [['a', 2], ['c', 3]] }) // biome-ignore format: one line
  })

  test(`${name}: the answer comes after transact has returned, in order, and then the commit is visible`, async (t) => {
    const arm = make()
    t.teardown(arm.end)
    const seen: unknown[] = []
    for (const n of [1, 2, 3]) {
      arm.tables.transact(
        (tx) => {
          tx.put(numbers, 'n', (tx.get(numbers, 'n') ?? 0) + n)
          return n
        },
        (result) => seen.push([result, (arm.tables.view().get(numbers, 'n') ?? 0) >= n]),
      )
    }
    t.deepEqual(seen, [])
    await arm.settle()
    t.deepEqual(seen, [[1, true], [2, true], [3, true]]) // biome-ignore format: one line
    t.is(arm.tables.view().get(numbers, 'n'), 6)
  })

  test(`${name}: work that throws changes nothing`, async (t) => {
    const arm = make()
    t.teardown(arm.end)
    await transact(arm, (tx) => tx.put(numbers, 'a', 1))
    const work = (tx: Parameters<Parameters<typeof arm.tables.transact>[0]>[0]) => {
      tx.put(numbers, 'a', 2)
      tx.put(numbers, 'b', 2)
      throw new Error('on purpose')
    }
    t.throws(() => arm.tables.transact(work, () => t.fail()), { message: 'on purpose' })
    await arm.settle()
    t.deepEqual([...arm.tables.view().range(numbers)], [['a', 1]])
    t.is(await transact(arm, (tx) => tx.get(numbers, 'a')), 1)
  })

  test(`${name}: a transaction is of no use after its work`, async (t) => {
    const arm = make()
    t.teardown(arm.end)
    const kept = await transact(arm, (tx) => ({ tx }))
    if (isRefused(kept)) return t.fail()
    t.throws(() => kept.tx.put(numbers, 'a', 1), { message: /a transaction is used only while its work runs/ })
    t.throws(() => kept.tx.delete(numbers, 'a'), { message: /a transaction is used only while its work runs/ })
  })

  test(`${name}: records come back equal, and changing a record does not change the table`, async (t) => {
    const arm = make()
    t.teardown(arm.end)
    const record = {
      text: 'ü😀',
      bytes: new Uint8Array([0, 255]),
      none: undefined,
      nothing: null,
      list: [1, -1, 2 ** 53, 0.5, true],
      flags: 2n ** 64n - 1n,
      small: 0n,
      nested: { a: { b: {} } },
      long: 'x'.repeat(600_000),
    }
    await transact(arm, (tx) => tx.put(others, 'r', record))
    const found = arm.tables.view().get(others, 'r') as typeof record
    t.true(found.bytes instanceof Uint8Array)
    t.deepEqual({ ...found, bytes: new Uint8Array(found.bytes) }, record)
    record.nested.a = { b: 1 }
    found.list.push(7)
    const again = arm.tables.view().get(others, 'r') as typeof record
    t.deepEqual([again.nested, again.list.length], [{ a: { b: {} } }, 5])
  })

  test(`${name}: ranges by prefix, after and limit`, async (t) => {
    const arm = make()
    t.teardown(arm.end)
    const keys = ['', 'a', 'a/', 'a/1', 'a/2', 'a0', 'b', '\u{d7ff}', '\u{e000}', '\u{ffff}', '\u{10000}', '\u{10ffff}']
    await transact(arm, (tx) => {
      for (const key of keys.toReversed()) tx.put(numbers, key, keys.indexOf(key))
      tx.put(table('before', 0), 'x', 1)
      tx.put(others, 'x', 1)
      tx.put(last, 'z', 1)
    })
    const of = (options?: RangeOptions) => [...arm.tables.view().range(numbers, options)].map(([key]) => key)
    t.deepEqual(of(), keys)
    t.deepEqual(of({ prefix: 'a/' }), ['a/', 'a/1', 'a/2'])
    t.deepEqual(of({ prefix: 'a/', after: 'a/' }), ['a/1', 'a/2'])
    t.deepEqual(of({ prefix: 'a/', after: 'a' }), ['a/', 'a/1', 'a/2'])
    t.deepEqual(of({ prefix: 'a/', after: 'b' }), [])
    t.deepEqual(of({ prefix: 'a', limit: 2 }), ['a', 'a/'])
    t.deepEqual(of({ prefix: 'a', after: 'a/1', limit: 1 }), ['a/2'])
    t.deepEqual(of({ after: '\u{e000}' }), ['\u{ffff}', '\u{10000}', '\u{10ffff}'])
    t.deepEqual(of({ limit: 0 }), [])
    t.deepEqual([...arm.tables.view().range(last)], [['z', 1]])
    const [first] = arm.tables.view().range(numbers)
    t.deepEqual(first, ['', 0])
  })

  test(`${name}: a table may be changed while it is read in a transaction`, async (t) => {
    const arm = make()
    t.teardown(arm.end)
    const key = (n: number) => `k${String(n).padStart(5, '0')}`
    await transact(arm, (tx) => {
      for (let n = 0; n < 3_000; n++) tx.put(numbers, key(n), n)
    })
    const read = await transact(arm, (tx) => {
      let rows = 0
      for (const [at, n] of tx.range(numbers)) {
        rows++
        if (n % 2 === 0) tx.delete(numbers, at)
        else tx.put(numbers, at, n + 10_000)
      }
      return rows
    })
    t.is(read, 3_000)
    const left = [...arm.tables.view().range(numbers)]
    t.is(left.length, 1_500)
    t.true(left.every(([, n]) => n > 10_000))
    t.is(await transact(arm, (tx) => [...tx.range(numbers)].filter(([at]) => tx.delete(numbers, at)).length), 1_500)
    t.deepEqual([...arm.tables.view().range(numbers)], [])
  })

  test(`${name}: the longest key fits; for longer and ill-formed ones put throws and the rest finds nothing`, async (t) => {
    const arm = make()
    t.teardown(arm.end)
    const longest = 'ü'.repeat(KEY_BYTES_MAX / 2)
    const after = `${'ü'.repeat(KEY_BYTES_MAX / 2 - 1)}ý`
    await transact(arm, (tx) => [tx.put(numbers, longest, 1), tx.put(numbers, after, 2)])
    t.throws(() => arm.tables.transact((tx) => tx.put(numbers, `${longest}x`, 1), () => t.fail()), {
      message: `table numbers: a key may have at most ${KEY_BYTES_MAX} bytes, this one has ${KEY_BYTES_MAX + 1}`,
    }) // biome-ignore format: one call
    t.throws(() => arm.tables.transact((tx) => tx.put(numbers, '\ud800', 1), () => t.fail()), { message: /lone surrogates/ }) // biome-ignore format: one call
    const view = arm.tables.view()
    t.deepEqual([view.get(numbers, longest), view.get(numbers, `${longest}x`)], [1, undefined])
    t.deepEqual([...view.range(numbers, { prefix: `${longest}x` })], [])
    t.deepEqual(
      [...view.range(numbers, { after: `${longest}x` })].map(([, n]) => n),
      [2],
    )
    t.deepEqual(
      [...view.range(numbers, { after: `${longest.slice(0, -1)}a` })].map(([, n]) => n),
      [1, 2],
    )
    t.is(await transact(arm, (tx) => tx.delete(numbers, `${longest}x`)), false)
  })

  test(`${name}: a view that is kept shows the newest state again in a later turn`, async (t) => {
    const arm = make()
    t.teardown(arm.end)
    const view = arm.tables.view()
    t.is(view.get(numbers, 'a'), undefined)
    await transact(arm, (tx) => tx.put(numbers, 'a', 1))
    t.is(view.get(numbers, 'a'), 1)
  })

  test(`${name}: a restart gives back everything acknowledged`, async (t) => {
    const arm = make()
    t.teardown(arm.end)
    for (let n = 0; n < 50; n++) await transact(arm, (tx) => tx.put(numbers, `${n}`, n))
    arm.restart()
    t.is([...arm.tables.view().range(numbers)].length, 50)
    await transact(arm, (tx) => tx.delete(numbers, '7'))
    arm.restart()
    t.is([...arm.tables.view().range(numbers)].length, 49)
  })

  test(`${name}: behaves as a sorted map, whatever is asked of it`, async (t) => {
    const arm = make()
    t.teardown(arm.end)
    const model = new Map<string, number>()
    // Units that UTF-16 and UTF-8 order differently, and few enough for keys to meet.
    const unit = fc.constantFrom('', 'a', 'b', '\u0000', 'é', '\u{d7ff}', '\u{e000}', '\u{ffff}', '\u{10000}', '\u{10ffff}')
    const key = fc.array(unit, { maxLength: 4 }).map((units) => units.join(''))
    const change = fc.oneof(
      fc.record({ do: fc.constant('put' as const), key, n: fc.nat() }),
      fc.record({ do: fc.constant('delete' as const), key }),
    )
    const question = fc.record({ prefix: key, after: key, limit: fc.nat(5) }, { requiredKeys: [] })
    const group = fc.record({ changes: fc.array(change, { maxLength: 20 }), throws: fc.boolean(), question })
    const run = async (groups: (typeof group extends fc.Arbitrary<infer G> ? G : never)[]) => {
      for (const { changes, throws, question } of groups) {
        const after = new Map(model)
        const work = (tx: Parameters<Parameters<typeof arm.tables.transact>[0]>[0]) => {
          for (const each of changes) {
            if (each.do === 'delete') t.is(tx.delete(numbers, each.key), after.delete(each.key))
            else {
              tx.put(numbers, each.key, each.n)
              after.set(each.key, each.n)
            }
          }
          t.deepEqual([...tx.range(numbers, question)], asked(after, question))
          if (throws) throw new Error('on purpose')
        }
        if (throws) t.throws(() => arm.tables.transact(work, () => t.fail()), { message: 'on purpose' })
        else {
          await transact(arm, work)
          model.clear()
          for (const [at, n] of after) model.set(at, n)
        }
        const view = arm.tables.view()
        t.deepEqual([...view.range(numbers)], asked(model, {}))
        t.deepEqual([...view.range(numbers, question)], asked(model, question))
        t.is(view.get(numbers, question.prefix ?? ''), model.get(question.prefix ?? ''))
      }
    }
    await fc.assert(fc.asyncProperty(fc.array(group, { minLength: 1, maxLength: 5 }), run), { numRuns: 60 })
  })
}

function asked(model: Map<string, number>, { prefix = '', after, limit }: RangeOptions): [string, number][] {
  const rows = [...model].filter(([key]) => key.startsWith(prefix) && (after === undefined || compareKeys(key, after) > 0))
  return rows.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))).slice(0, limit)
}
