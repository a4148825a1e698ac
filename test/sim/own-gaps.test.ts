import test from 'ava'
import fc from 'fast-check'
import { gapsOf, goodPart, LOOK_EVERY_MS, lengthOf, longest, type Sample, startOf } from '../../sim/own/gaps.ts'

/** One look every 500 ms: `+` good, `-` not, a space: nobody looked. */
function looks(marks: string): Sample[] {
  return [...marks].flatMap((mark, at) => (mark === ' ' ? [] : [{ atMs: at * LOOK_EVERY_MS, isGood: mark === '+' }]))
}

const FOREVER = Number.POSITIVE_INFINITY

test('a gap goes from the first look that failed to the next that did not', (t) => {
  t.deepEqual(gapsOf(looks('++--+-+'), 0, FOREVER), [
    { fromMs: 1_000, toMs: 2_000, isOver: true },
    { fromMs: 2_500, toMs: 3_000, isOver: true },
  ])
})

test('one that has no end is not over', (t) => {
  t.deepEqual(gapsOf(looks('+--'), 0, FOREVER), [{ fromMs: 500, toMs: 1_500, isOver: false }])
})

test('nothing is known of a time in which nobody looked', (t) => {
  t.deepEqual(gapsOf(looks('+--   +--   --+'), 0, FOREVER), [
    { fromMs: 500, toMs: 1_500, isOver: false },
    { fromMs: 3_500, toMs: 4_500, isOver: false },
    { fromMs: 6_000, toMs: 7_000, isOver: true },
  ])
})

test('only what lies between two times counts', (t) => {
  t.deepEqual(gapsOf(looks('----++----'), 1_000, 4_000), [
    { fromMs: 1_000, toMs: 2_000, isOver: true },
    { fromMs: 3_000, toMs: 4_000, isOver: false },
  ])
})

test('nothing needs to be good before it was so for the first time, or for ten seconds', (t) => {
  t.is(startOf(looks('---+-')), 1_500)
  t.is(startOf(looks('-'.repeat(60))), 10_000)
  t.is(startOf(looks(`${'-'.repeat(60)}+`)), 10_000)
  t.is(startOf([]), 10_000)
})

test('the part that was good, and none if nobody looked', (t) => {
  t.is(goodPart(looks('+-+-'), 0, FOREVER), 0.5)
  t.is(goodPart(looks('+-+-'), 0, 400), 1)
  t.is(goodPart([], 0, FOREVER), undefined)
})

test('gaps and what is good add up to all looks', (t) => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('+', '-'), { minLength: 1, maxLength: 200 }), (marks) => {
      const samples = looks(marks.join(''))
      const gaps = gapsOf(samples, 0, FOREVER)
      const bad = marks.filter((mark) => mark === '-').length
      t.is(
        gaps.reduce((sum, gap) => sum + lengthOf(gap), 0),
        bad * LOOK_EVERY_MS,
      )
      t.is(goodPart(samples, 0, FOREVER), 1 - bad / marks.length === 0 ? 0 : (marks.length - bad) / marks.length)
      t.true(gaps.every((gap, at) => at === 0 || gap.fromMs > (gaps[at - 1]?.toMs ?? 0)))
      t.is(longest(gaps) === undefined ? 0 : lengthOf(longest(gaps) as (typeof gaps)[number]), Math.max(0, ...gaps.map(lengthOf)))
    }),
  )
})
