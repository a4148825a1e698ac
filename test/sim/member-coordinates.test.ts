import test from 'ava'
import { roundTripSeconds } from '../../actors/coordinates/distance.ts'
import { MemberEstate } from '../../sim/members/estate.ts'

const COUNT = 20
const MINUTES = 20
const FAR_MS = 40

/** In two places, and so far within each of them. */
function delayMs(from: string, to: string): number {
  const [a, b] = [Number(from.slice(1)), Number(to.slice(1))]
  return Math.abs(a - b) + (a % 2 === b % 2 ? 1 : FAR_MS)
}

test('members with known delays between them find where they are: estimated round trips are near the true ones', (t) => {
  const estate = new MemberEstate({ world: 'coordinates', count: COUNT, messages: 'packed', isFormed: true, delayMs })
  estate.start()
  estate.run(MINUTES * 60_000)
  const errorsMs: number[] = []
  let misplaced = 0
  for (const a of estate.members) {
    for (const b of estate.members) {
      const [from, to] = [a.state?.location.whereabouts.coordinate, b.state?.location.whereabouts.coordinate]
      if (a === b || from === undefined || to === undefined) continue
      const [truthMs, estimatedMs] = [2 * delayMs(a.name, b.name), roundTripSeconds(from, to) * 1_000]
      errorsMs.push(Math.abs(estimatedMs - truthMs))
      if (truthMs < 2 * FAR_MS !== estimatedMs < 2 * FAR_MS) misplaced++
    }
  }
  errorsMs.sort((a, b) => a - b)
  t.is(errorsMs.length, COUNT * (COUNT - 1))
  const [half, most] = [0.5, 0.9].map((part) => Math.round(errorsMs[Math.floor(errorsMs.length * part)] ?? 1_000)) as [number, number]
  t.log(`half are off by less than ${half} ms, nine of ten by less than ${most} ms, ${misplaced} of ${errorsMs.length} on the wrong side`)
  t.true(half <= 8, `${half} ms`)
  t.true(most <= 30, `${most} ms`)
  t.true(misplaced <= errorsMs.length * 0.08, `${misplaced} pairs are on the wrong side`)
})
