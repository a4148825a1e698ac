import test from 'ava'
import fc from 'fast-check'
import { compareKeys } from '../../src/kernel/keys.ts'
import { overlay } from '../../src/kernel/overlay.ts'
import { type RangeOptions, type Table, table, type View } from '../../src/kernel/tables.ts'

const numbers = table<number>('numbers', 1)
const others = table<number>('others', 2)
const tables = [numbers, others]

type Model = Map<Table<number>, Map<string, number>>

test('an overlay shows its changes over the base and keeps them to itself', (t) => {
  const base = overlay(empty())
  base.put(numbers, 'a', 1)
  base.put(numbers, 'b', 2)
  const top = overlay(base)
  top.put(numbers, 'c', 3)
  t.true(top.delete(numbers, 'a'))
  t.false(top.delete(numbers, 'a'))
  t.false(top.delete(numbers, 'z'))
  t.deepEqual([...top.range(numbers)], [['b', 2], ['c', 3]]) // biome-ignore format: one line
  t.deepEqual([...base.range(numbers)], [['a', 1], ['b', 2]]) // biome-ignore format: one line
  top.applyTo(base)
  t.deepEqual([...base.range(numbers)], [['b', 2], ['c', 3]]) // biome-ignore format: one line
})

test('touched names each changed key once, and none that is as it was', (t) => {
  const base = overlay(empty())
  base.put(numbers, 'a', 1)
  const top = overlay(base)
  t.deepEqual(top.touched(), [])
  top.put(others, 'x', 1)
  top.put(numbers, 'new', 1)
  top.put(numbers, 'new', 2)
  top.delete(numbers, 'a')
  top.delete(numbers, 'missing')
  t.deepEqual(top.touched(), [[2, 'x'], [1, 'new'], [1, 'a']]) // biome-ignore format: one line
  top.delete(numbers, 'new')
  t.deepEqual(top.touched(), [[2, 'x'], [1, 'a']]) // biome-ignore format: one line
})

test('a range shows what was there when its reading began', (t) => {
  const base = overlay(empty())
  for (const key of ['a', 'b', 'c']) base.put(numbers, key, 1)
  const top = overlay(base)
  top.put(numbers, 'b2', 1)
  const seen: string[] = []
  for (const [key] of top.range(numbers)) {
    seen.push(key)
    top.delete(numbers, key)
    top.put(numbers, `${key}+`, 1)
  }
  t.deepEqual(seen, ['a', 'b', 'b2', 'c'])
  t.deepEqual([...top.range(numbers)].map(([key]) => key), ['a+', 'b+', 'b2+', 'c+']) // biome-ignore format: one line
})

test('a range that is not read to its end closes the one below', (t) => {
  let closed = 0
  function* endless(): Generator<readonly [string, number]> {
    try {
      for (let n = 0; ; n++) yield [`k${n}`, n]
    } finally {
      closed++
    }
  }
  const top = overlay({ get: () => undefined, range: <Record>() => endless() as Iterable<never> as Iterable<readonly [string, Record]> })
  top.put(numbers, 'k5', -1)
  const [first] = top.range(numbers)
  t.deepEqual(first, ['k0', 0])
  t.is(closed, 1)
  t.is([...top.range(numbers, { limit: 3 })].length, 3)
  t.is(closed, 2)
})

test('an overlay over an overlay behaves as one sorted map', (t) => {
  const unit = fc.constantFrom('a', 'b', '\u{d7ff}', '\u{e000}', '\u{ffff}', '\u{10000}')
  const key = fc.array(unit, { maxLength: 3 }).map((units) => units.join(''))
  const at = { of: fc.constantFrom(...tables), key }
  const change = fc.oneof(
    fc.record({ do: fc.constant('put' as const), n: fc.nat(), ...at }),
    fc.record({ do: fc.constant('delete' as const), ...at }),
  )
  const question = fc.record({ prefix: key, after: key, limit: fc.nat(4) }, { requiredKeys: [] })
  const groups = fc.array(fc.record({ changes: fc.array(change, { maxLength: 15 }), keep: fc.boolean(), question }), { maxLength: 6 })
  fc.assert(
    fc.property(groups, (all) => {
      const base = overlay(empty())
      let model: Model = new Map(tables.map((of) => [of, new Map()]))
      for (const { changes, keep, question } of all) {
        const top = overlay(base)
        const next: Model = new Map([...model].map(([of, rows]) => [of, new Map(rows)]))
        for (const each of changes) {
          const rows = next.get(each.of)!
          if (each.do === 'delete') t.is(top.delete(each.of, each.key), rows.delete(each.key))
          else {
            top.put(each.of, each.key, each.n)
            rows.set(each.key, each.n)
          }
        }
        for (const of of tables) {
          t.deepEqual([...top.range(of)], asked(next.get(of)!, {}))
          t.deepEqual([...top.range(of, question)], asked(next.get(of)!, question))
          t.deepEqual([...base.range(of)], asked(model.get(of)!, {}))
          for (const key of [...next.get(of)!.keys(), ...model.get(of)!.keys()]) t.is(top.get(of, key), next.get(of)!.get(key))
        }
        const different = tables.flatMap((of) => differing(model.get(of)!, next.get(of)!).map((key) => `${of.id} ${key}`))
        const touched = new Set(top.touched().map(([id, key]) => `${id} ${key}`))
        t.true(different.every((each) => touched.has(each)))
        t.is(touched.size, top.touched().length)
        if (!keep) continue
        top.applyTo(base)
        model = next
      }
    }),
  )
})

function empty(): View {
  return { get: () => undefined, range: () => [] }
}

function asked(model: Map<string, number>, { prefix = '', after, limit }: RangeOptions): [string, number][] {
  const rows = [...model].filter(([key]) => key.startsWith(prefix) && (after === undefined || compareKeys(key, after) > 0))
  return rows.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))).slice(0, limit)
}

function differing(a: Map<string, number>, b: Map<string, number>): string[] {
  return [...new Set([...a.keys(), ...b.keys()])].filter((key) => a.get(key) !== b.get(key))
}
