import test from 'ava'
import fc from 'fast-check'
import { roundTripSeconds } from '../../actors/coordinates/distance.ts'
import { type Coordinate, origin } from '../../actors/coordinates/tables.ts'
import { coordinateFault, measured, median, nowhere, type Whereabouts } from '../../actors/membership/coordinate.ts'
import { connect, hear, listening, n2, n3, sent } from '../kit/membership.ts'

const aside = (dimension: number) => (dimension % 2 === 0 ? 0.5 : -0.25)

/** Everybody measures everybody again and again. Answers how far the estimates are from the truth on average, as a part of it. */
function converge(roundTripOf: (a: number, b: number) => number, count: number, rounds: number): number {
  const places: Whereabouts[] = Array.from({ length: count }, nowhere)
  const pairs: [number, number][] = []
  for (let a = 0; a < count; a++) for (let b = 0; b < count; b++) if (a !== b) pairs.push([a, b])
  for (let round = 0; round < rounds; round++) {
    for (const [a, b] of pairs) {
      const salted = (dimension: number) => (((a + 1) * 7_919 + (b + 1) * 104_729 + dimension * 1_299_709) % 1_000) / 1_000 - 0.5
      places[a] = measured(places[a] as Whereabouts, (places[b] as Whereabouts).coordinate, roundTripOf(a, b), salted)
    }
  }
  const wrong = pairs.map(([a, b]) => {
    const estimated = roundTripSeconds((places[a] as Whereabouts).coordinate, (places[b] as Whereabouts).coordinate)
    return Math.abs(estimated - roundTripOf(a, b)) / roundTripOf(a, b)
  })
  return wrong.reduce((sum, one) => sum + one, 0) / wrong.length
}

test('members on a line, on a grid, in two places and behind slow lines find where they are', (t) => {
  const grid = (a: number, b: number) => Math.hypot((a % 5) - (b % 5), Math.floor(a / 5) - Math.floor(b / 5)) * 0.01
  t.true(converge((a, b) => Math.abs(a - b) * 0.01, 10, 200) < 0.1, 'line')
  t.true(converge(grid, 25, 100) < 0.1, 'grid')
  t.true(converge((a, b) => (a % 2 === b % 2 ? 0.001 : 0.08), 12, 200) < 0.25, 'two places')
  t.true(converge((a, b) => 0.002 * (a + 1) + 0.002 * (b + 1), 10, 200) < 0.15, 'slow lines')
})

test('two that are close together are told from those far away', (t) => {
  let [a, b, c] = [nowhere(), nowhere(), nowhere()]
  for (let round = 0; round < 100; round++) {
    a = measured(a, b.coordinate, 0.001, aside)
    a = measured(a, c.coordinate, 0.1, aside)
    b = measured(b, a.coordinate, 0.001, (dimension) => -aside(dimension))
    b = measured(b, c.coordinate, 0.1, aside)
    c = measured(c, a.coordinate, 0.1, (dimension) => -aside(dimension))
    c = measured(c, b.coordinate, 0.1, (dimension) => -aside(dimension))
  }
  t.true(roundTripSeconds(a.coordinate, b.coordinate) < 0.02)
  const far = roundTripSeconds(a.coordinate, c.coordinate)
  t.true(far > 0.08 && far < 0.12, String(far))
  t.true(a.coordinate.error < 0.5)
})

test('whatever is measured to whomever, what comes out is a coordinate', (t) => {
  const number = fc.double({ min: -1e9, max: 1e9, noNaN: true })
  const positive = fc.double({ min: 0, max: 1e9, noNaN: true })
  const place: fc.Arbitrary<Coordinate> = fc.record({
    vec: fc.array(number, { minLength: 8, maxLength: 8 }),
    error: positive,
    adjustment: number,
    height: positive,
  })
  fc.assert(
    fc.property(fc.array(fc.tuple(place, fc.double({ min: 0, max: 10, noNaN: true })), { maxLength: 30 }), (samples) => {
      let own = nowhere()
      for (const [other, seconds] of samples) own = measured(own, other, seconds, aside)
      const { coordinate, differences } = own
      return coordinateFault(coordinate) === undefined && coordinate.error <= 1.5 && coordinate.height >= 1e-5 && differences.length <= 20
    }),
  )
  t.pass()
})

test('what is no coordinate or no round trip changes nothing', (t) => {
  const before = measured(nowhere(), { ...origin(), error: 0.3 }, 0.05, aside)
  const strange: [Coordinate, number][] = [
    [{ ...origin(), vec: [1] }, 0.1],
    [{ ...origin(), vec: [Number.NaN, 0, 0, 0, 0, 0, 0, 0] }, 0.1],
    [{ ...origin(), height: Number.POSITIVE_INFINITY }, 0.1],
    [{ ...origin(), height: -1 }, 0.1],
    [origin(), -1],
    [origin(), 11],
    [origin(), Number.NaN],
  ]
  for (const [other, seconds] of strange) {
    t.is(measured(before, other, seconds, aside), before)
  }
  t.is(median([5, 1, 3]), 3)
})

test('a member asks the others in turn where they are, and answers them', (t) => {
  const a = listening([n2, n3])
  connect(a, n2)
  connect(a, n3)
  sent(a)
  const asked = (): { to: string; seq: number }[] =>
    sent(a).flatMap((one) => (one.do === 'where' ? [{ to: one.to, seq: Number(one['seq']) }] : []))
  a.wait(1_000)
  const [first] = asked()
  t.is(first?.to, n2.peer)
  const far: Coordinate = { ...origin(), vec: [0.05, 0, 0, 0, 0, 0, 0, 0], error: 0.1 }
  a.wait(100)
  hear(a, n3, { do: 'here', seq: first?.seq, coordinate: far })
  t.deepEqual(a.call('whereabouts', null).result, { coordinate: origin(), members: 3 }, 'somebody else has no answer to it')
  hear(a, n2, { do: 'here', seq: first?.seq, coordinate: far })
  const found = a.call('whereabouts', null).result as { coordinate: Coordinate }
  t.true(roundTripSeconds(found.coordinate, far) > roundTripSeconds(origin(), far))
  a.wait(2_000)
  t.is(asked()[0]?.to, n3.peer)
  a.wait(6_000)
  t.deepEqual(asked(), [], 'one question at a time')
  a.wait(4_000)
  t.is(asked()[0]?.to, n2.peer)
  hear(a, n2, { do: 'where', seq: 7 })
  t.like(
    sent(a).find((one) => one.do === 'here'),
    { to: n2.peer, seq: 7, coordinate: found.coordinate },
  )
  hear(a, n2, { do: 'here', seq: 8, coordinate: { ...far, vec: [] } })
  t.is(a.counters.get('membership.garbage'), 1)
})
