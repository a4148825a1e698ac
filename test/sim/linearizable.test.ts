import test from 'ava'
import type { Operation } from '../../sim/history.ts'
import { linearizabilityFault } from '../../sim/models/linearizable.ts'

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
