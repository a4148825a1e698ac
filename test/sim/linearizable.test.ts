import test from 'ava'
import fc from 'fast-check'
import type { Operation } from '../../sim/history.ts'
import { checkHistory, linearizabilityFault } from '../../sim/models/linearizable.ts'

const put = (value: string, invokedMs: number, answeredMs: number, more: Partial<Operation> = {}): Operation => ({
  client: 'a',
  do: 'put',
  value,
  invokedMs,
  answeredMs,
  outcome: true,
  ...more,
})
const get = (outcome: string | null, invokedMs: number, answeredMs: number): Operation => ({
  client: 'b',
  do: 'get',
  value: null,
  invokedMs,
  answeredMs,
  outcome,
})
const NEVER = Number.POSITIVE_INFINITY

test('one after the other', (t) => {
  t.is(linearizabilityFault([put('1', 0, 1), get('1', 2, 3), put('2', 4, 5), get('2', 6, 7)]), undefined)
})

test('a read that goes back is found', (t) => {
  t.regex(linearizabilityFault([put('1', 0, 1), put('2', 2, 3), get('2', 4, 5), get('1', 6, 7)]) ?? '', /b: get -> "1"/)
})

test('a lost acknowledged write is found', (t) => {
  t.truthy(linearizabilityFault([put('1', 0, 1), get(null, 2, 3)]))
})

test('overlapping writes may come in either order', (t) => {
  t.is(linearizabilityFault([put('1', 0, 10), put('2', 1, 9), get('1', 11, 12)]), undefined)
  t.is(linearizabilityFault([put('1', 0, 10), put('2', 1, 9), get('2', 11, 12)]), undefined)
  t.truthy(linearizabilityFault([put('1', 0, 10), put('2', 1, 9), get('2', 11, 12), get('1', 13, 14)]))
})

test('a write that nobody heard of again may have happened, late or never', (t) => {
  t.is(linearizabilityFault([put('1', 0, NEVER), get(null, 1, 2), get('1', 3, 4)]), undefined)
  t.is(linearizabilityFault([put('1', 0, NEVER), get(null, 1, 2), get(null, 3, 4)]), undefined)
  t.truthy(linearizabilityFault([put('1', 0, NEVER), get('1', 1, 2), get(null, 3, 4)]))
})

test('conditions are judged where the write happens', (t) => {
  t.is(
    linearizabilityFault([put('1', 0, 1, { expected: null }), put('2', 2, 3, { expected: null, outcome: false }), get('1', 4, 5)]),
    undefined,
  )
  t.truthy(linearizabilityFault([put('1', 0, 1, { expected: null }), put('2', 2, 3, { expected: null }), get('2', 4, 5)]))
  t.is(linearizabilityFault([put('1', 0, 1), put('2', 2, 3, { expected: '1' }), get('2', 4, 5)]), undefined)
})

const remove = (invokedMs: number, answeredMs: number, more: Partial<Operation> = {}): Operation => ({
  client: 'c',
  do: 'delete',
  value: null,
  invokedMs,
  answeredMs,
  outcome: true,
  ...more,
})

test('a deletion is a write of nothing, and deleting nothing succeeds', (t) => {
  t.is(linearizabilityFault([put('1', 0, 1), remove(2, 3), get(null, 4, 5), remove(6, 7, { expected: '1' })]), undefined)
  t.truthy(linearizabilityFault([put('1', 0, 1), remove(2, 3), get('1', 4, 5)]))
  t.truthy(linearizabilityFault([put('1', 0, 1), put('2', 2, 3), remove(4, 5, { expected: '1' })]))
  t.is(linearizabilityFault([put('1', 0, 1), put('2', 2, 3), remove(4, 5, { expected: '1', outcome: false })]), undefined)
})

test('a failed condition may be explained by a write that nobody heard of again, but not by nothing', (t) => {
  const failed = put('3', 5, 6, { expected: '1', outcome: false })
  t.is(linearizabilityFault([put('1', 0, 1), put('2', 2, NEVER), failed]), undefined)
  t.is(linearizabilityFault([put('1', 0, 1), put('2', 2, NEVER), failed, get('2', 7, 8)]), undefined)
  t.truthy(linearizabilityFault([put('1', 0, 1), put('2', 2, NEVER), failed, get('1', 7, 8)]))
  t.truthy(linearizabilityFault([put('1', 0, 1), put('2', 7, NEVER), failed]))
})

test('hundreds of writes that nobody heard of again, or at the same moment, take no time', (t) => {
  const unanswered = Array.from({ length: 300 }, (_, at) => put(`u${at}`, at, NEVER))
  const steady = Array.from({ length: 300 }, (_, at) => [put(`s${at}`, at, at + 0.4), get(`s${at}`, at + 0.5, at + 0.9)]).flat()
  t.is(linearizabilityFault([...unanswered, ...steady, get('u7', 400, 401)]), undefined)
  const lost = checkHistory([...unanswered, ...steady, get('s7', 400, 401)])
  t.regex(lost.fault ?? '', /b: get -> "s7"/)
  const burst = Array.from({ length: 200 }, (_, at) => put(`b${at}`, at / 1_000, 50 + at / 1_000))
  for (const last of [0, 100, 199]) t.is(linearizabilityFault([...burst, get(`b${last}`, 60, 61)]), undefined)
  t.truthy(linearizabilityFault([...burst, get('b7', 60, 61), get('b8', 62, 63)]))
})

test('a search that takes too long says so instead of judging', (t) => {
  const { fault, gaveUp } = checkHistory([put('1', 0, 1), put('2', 2, 3), get('2', 4, 5)], 1)
  t.true(gaveUp)
  t.is(fault, undefined)
})

/** What a register does with a drawn sequence of operations, each of which happens at some moment while it is under way. */
const legal = fc
  .array(
    fc.record({
      do: fc.constantFrom('put', 'put', 'delete', 'get'),
      condition: fc.constantFrom('none', 'none', 'fits', 'absent', 'other'),
      before: fc.nat(25),
      after: fc.nat(25),
      unheard: fc.constantFrom(false, false, false, true),
      happens: fc.boolean(),
    }),
    { maxLength: 7 },
  )
  .map((drawn) => {
    let value: string | null = null
    return drawn.map(({ do: what, condition, before, after, unheard, happens }, at): Operation => {
      const momentMs = at * 10
      const expected = { none: undefined, fits: value, absent: null, other: 'w0' }[condition]
      const fits = what === 'get' || expected === undefined || expected === value || (what === 'delete' && value === null)
      const outcome = what === 'get' ? value : fits
      if (what !== 'get' && fits && (!unheard || happens)) value = what === 'put' ? `w${at}` : null
      return {
        client: `c${at}`,
        do: what as Operation['do'],
        value: what === 'put' ? `w${at}` : null,
        invokedMs: momentMs - before,
        answeredMs: unheard ? NEVER : momentMs + after,
        ...(what !== 'get' && expected !== undefined && { expected }),
        ...(!unheard && { outcome }),
      }
    })
  })

test('what a register did is always accepted', (t) => {
  fc.assert(fc.property(legal, (operations) => checkHistory(operations).fault === undefined))
  t.pass()
})

test('a history in which one outcome is not as it was is judged as trying every order judges it', (t) => {
  let rejected = 0
  const changed = fc.record({ operations: legal, at: fc.nat(), value: fc.constantFrom(null, 'w0', 'w1', 'w2', 'w3') })
  fc.assert(
    fc.property(changed, ({ operations: drawn, at, value }) => {
      const operations = drawn.map((operation) => ({ ...operation }))
      const answered = operations.filter(({ answeredMs }) => answeredMs !== NEVER)
      const one = answered[at % Math.max(answered.length, 1)]
      if (one) one.outcome = one.do === 'get' ? value : !one.outcome
      const expected = everyOrderFails(operations)
      if (expected) rejected++
      return (checkHistory(operations).fault !== undefined) === expected
    }),
    { numRuns: 400 },
  )
  t.true(rejected > 50, `${rejected} histories were rejected`)
})

/** Tries every order of every choice of what happened. */
function everyOrderFails(operations: readonly Operation[]): boolean {
  const fits = (value: string | null, left: readonly Operation[]): boolean => {
    if (left.every(({ answeredMs }) => answeredMs === NEVER)) return true
    const untilMs = Math.min(...left.map(({ answeredMs }) => answeredMs))
    return left.some((one) => {
      if (one.invokedMs > untilMs) return false
      const rest = left.filter((other) => other !== one)
      const isMet = one.expected === undefined || one.expected === value || (one.do === 'delete' && value === null)
      if (one.do === 'get') return (one.answeredMs === NEVER || one.outcome === value) && fits(value, rest)
      if (one.answeredMs !== NEVER && one.outcome !== isMet) return false
      return fits(isMet ? one.value : value, rest) || (one.answeredMs === NEVER && fits(value, rest))
    })
  }
  return !fits(null, operations)
}
