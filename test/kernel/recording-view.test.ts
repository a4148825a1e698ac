import test from 'ava'
import fc from 'fast-check'
import { overlay } from '../../src/kernel/overlay.ts'
import { type ReadSet, recordReads, Waiters } from '../../src/kernel/recording-view.ts'
import { type ChangeNotice, table } from '../../src/kernel/tables.ts'

const numbers = table<number>('numbers', 1)
const others = table<number>('others', 2)

test('what is read through a recording view is the same, and is noted', (t) => {
  const base = overlay({ get: () => undefined, range: () => [] })
  base.put(numbers, 'a', 1)
  base.put(numbers, 'b', 2)
  const { view, reads } = recordReads(base)
  t.deepEqual([...reads.keys, ...reads.prefixes], [])
  t.is(view.get(numbers, 'a'), 1)
  t.is(view.get(numbers, 'missing'), undefined)
  t.is(view.get(numbers, 'a'), 1)
  t.deepEqual([...view.range(numbers, { prefix: 'b', after: 'a', limit: 1 })], [['b', 2]])
  t.deepEqual([...view.range(others)], [])
  t.deepEqual(reads, {
    keys: new Map([[1, new Set(['a', 'missing'])]]),
    prefixes: new Map([
      [1, new Set(['b'])],
      [2, new Set([''])],
    ]),
  })
})

test('a waiter is woken once, by a change of what it read', (t) => {
  const waiters = new Waiters()
  const woken: string[] = []
  const add = (name: string, reads: ReadSet) => waiters.add(reads, ({ index }) => woken.push(`${name} ${index}`))
  add('key', readSet({ 1: ['a'] }, {}))
  add('prefix', readSet({}, { 1: ['a/'] }))
  add('table', readSet({}, { 1: [''] }))
  add('other', readSet({}, { 2: [''] }))
  add('nothing', readSet({}, {}))
  waiters.notify(notice(1, [1, 'b']))
  t.deepEqual(woken.splice(0), ['table 1'])
  waiters.notify(notice(2, [1, 'a/b'], [1, 'a/c']))
  t.deepEqual(woken.splice(0), ['prefix 2'])
  waiters.notify(notice(3, [1, 'a'], [2, 'x']))
  t.deepEqual(woken.splice(0), ['key 3', 'other 3'])
  waiters.notify(notice(4, [1, 'a'], [1, 'a/b'], [2, 'x']))
  t.deepEqual(woken, [])
  t.is(waiters.size, 1)
})

test('a waiter that was removed is not woken, and may be removed again', (t) => {
  const waiters = new Waiters()
  const remove = waiters.add(readSet({ 1: ['a'] }, { 1: ['a'] }), () => t.fail())
  remove()
  remove()
  t.is(waiters.size, 0)
  waiters.notify(notice(1, [1, 'a']))
  t.pass()
})

test('waking may add and remove waiters; an error does not keep the others asleep', (t) => {
  const waiters = new Waiters()
  const woken: string[] = []
  const reads = readSet({ 1: ['a'] }, {})
  const again = () => {
    woken.push('again')
    waiters.add(reads, again)
  }
  waiters.add(reads, again)
  waiters.add(reads, () => {
    throw new Error('on purpose')
  })
  waiters.add(reads, () => woken.push('last'))
  t.throws(() => waiters.notify(notice(1, [1, 'a'])), { message: 'on purpose' })
  t.deepEqual(woken, ['again', 'last'])
  t.is(waiters.size, 1)
})

test('ten thousand waiters are cheap to add, to remove and to wake, on one prefix and on keys of their own', (t) => {
  const count = 10_000
  for (const readsOf of [() => readSet({}, { 1: ['kv/'] }), (n: number) => readSet({ 1: [`kv/${n}`] }, {})]) {
    const waiters = new Waiters()
    let woken = 0
    const begunMs = performance.now()
    const removers = Array.from({ length: count }, (_, n) => waiters.add(readsOf(n), () => woken++))
    for (const remove of removers) remove()
    t.is(waiters.size, 0)
    for (let n = 0; n < count; n++) waiters.add(readsOf(n), () => woken++)
    // A scan of all waiters for each of these would take minutes.
    for (let n = 0; n < count; n++) waiters.notify(notice(n, [2, `kv/${n}`], [1, `service/${n}`]))
    t.is(woken, 0)
    waiters.notify({ index: 1, touched: Array.from({ length: count }, (_, n): [number, string] => [1, `kv/${n}`]) })
    t.is(woken, count)
    t.is(waiters.size, 0)
    t.true(performance.now() - begunMs < 5_000)
  }
})

test('exactly those are woken whose read-set holds a touched key', (t) => {
  const key = fc.array(fc.constantFrom('a', 'b', '\u{10000}'), { maxLength: 3 }).map((units) => units.join(''))
  const id = fc.constantFrom(1, 2)
  const pairs = fc.array(fc.tuple(id, key), { maxLength: 3 })
  const steps = fc.array(
    fc.oneof(
      fc.record({ do: fc.constant('add' as const), keys: pairs, prefixes: pairs }),
      fc.record({ do: fc.constant('remove' as const), position: fc.nat() }),
      fc.record({ do: fc.constant('notify' as const), touched: pairs }),
    ),
    { maxLength: 30 },
  )
  fc.assert(
    fc.property(steps, (all) => {
      const waiters = new Waiters()
      let model: { name: number; keys: [number, string][]; prefixes: [number, string][]; remove: () => void }[] = []
      const woken: number[] = []
      all.forEach((step, name) => {
        if (step.do === 'add') {
          const reads = { keys: grouped(step.keys), prefixes: grouped(step.prefixes) }
          model.push({ ...step, name, remove: waiters.add(reads, () => woken.push(name)) })
        } else if (step.do === 'remove') {
          const [removed] = model.splice(step.position, 1)
          removed?.remove()
        } else {
          const concerned = ({ keys, prefixes }: (typeof model)[number]) =>
            step.touched.some(
              ([of, key]) => keys.some(([i, k]) => i === of && k === key) || prefixes.some(([i, p]) => i === of && key.startsWith(p)),
            )
          waiters.notify({ index: 1, touched: step.touched })
          t.deepEqual(woken.splice(0), model.filter(concerned).map(({ name }) => name)) // biome-ignore format: one line
          model = model.filter((each) => !concerned(each))
        }
        t.is(waiters.size, model.length)
      })
    }),
  )
})

function readSet(keys: Record<number, string[]>, prefixes: Record<number, string[]>): ReadSet {
  const sets = (of: Record<number, string[]>) => new Map(Object.entries(of).map(([id, values]) => [Number(id), new Set(values)]))
  return { keys: sets(keys), prefixes: sets(prefixes) }
}

function grouped(pairs: [number, string][]): Map<number, Set<string>> {
  const sets = new Map<number, Set<string>>()
  for (const [id, value] of pairs) sets.set(id, (sets.get(id) ?? new Set()).add(value))
  return sets
}

function notice(index: number, ...touched: [number, string][]): ChangeNotice {
  return { index, touched }
}
