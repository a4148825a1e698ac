import test from 'ava'
import fc from 'fast-check'
import { MachineClock } from '../../sim/clock.ts'
import { Schedule } from '../../sim/schedule.ts'
import { World } from '../../sim/world.ts'

function make(options: { skewMs?: number; driftPart?: number } = {}) {
  const world = new World('schedule')
  const clock = new MachineClock({ ...options, nowMs: () => world.nowMs })
  return { world, clock, schedule: new Schedule(world, clock), beganMs: clock.wallMs() }
}

test('a clock that drifts gains its part of the time, and timers are by that clock', (t) => {
  const { world, clock, schedule, beganMs } = make({ driftPart: 0.001 })
  const firedMs: number[] = []
  schedule.after(10_010, () => firedMs.push(world.nowMs))
  world.runUntil(20_000)
  t.is(clock.wallMs() - beganMs, 20_020)
  t.is(Math.round(clock.monotonicMs()), 20_020)
  t.is(Math.round(firedMs[0] ?? 0), 10_000)
  clock.driftPart = -0.5
  world.runUntil(21_000)
  t.is(clock.wallMs() - beganMs, 20_520)
})

test('a clock is off by its skew, which may change at any time, and the monotonic clock knows nothing of it', (t) => {
  const { world, clock, beganMs } = make({ skewMs: 5_000 })
  t.is(beganMs - make().beganMs, 5_000)
  world.runUntil(1_000)
  clock.skewMs = -1_000
  t.is(clock.wallMs() - beganMs, -5_000)
  t.is(clock.monotonicMs(), 1_000)
})

test('while a machine sleeps its wall clock goes on and its monotonic clock stands still, so timers come late', (t) => {
  const { world, clock, schedule, beganMs } = make()
  const fired: string[] = []
  for (const ms of [100, 1_500, 3_000]) schedule.after(ms, () => fired.push(`${ms} at ${world.nowMs}`))
  world.runUntil(1_000)
  clock.suspend(10_000)
  world.runUntil(6_000)
  clock.suspend(1_000)
  t.deepEqual([clock.wallMs() - beganMs, clock.monotonicMs()], [6_000, 1_000])
  world.runUntil(20_000)
  t.deepEqual(fired, ['100 at 100', '1500 at 11500', '3000 at 13000'])
  t.deepEqual([clock.wallMs() - beganMs, clock.monotonicMs()], [20_000, 10_000])
})

test('a machine that is woken goes on at once', (t) => {
  const { world, clock, schedule } = make()
  const fired: number[] = []
  schedule.after(500, () => fired.push(world.nowMs))
  clock.suspend(10_000)
  world.runUntil(2_000)
  clock.resume()
  schedule.after(10, () => fired.push(world.nowMs))
  world.runUntil(2_100)
  t.is(clock.monotonicMs(), 100)
  t.deepEqual(fired, [2_010])
  world.runUntil(2_600)
  t.deepEqual(fired, [2_010, 2_500])
})

test('what is due during a pause is done after it, in its order; what was cancelled is not', (t) => {
  const { world, schedule } = make()
  const done: string[] = []
  const cancel = schedule.after(20, () => done.push('cancelled'))
  schedule.after(10, () => done.push('a'))
  schedule.after(15, () => done.push('b'))
  schedule.after(100, () => done.push('c'))
  schedule.pause(100)
  world.runUntil(50)
  cancel()
  schedule.pause(200)
  world.runUntil(199)
  t.deepEqual(done, [])
  world.runUntil(200)
  t.deepEqual(done, ['a', 'b', 'c'])
})

test('a clock that does not go forward is refused', (t) => {
  t.throws(() => make({ driftPart: -1 }), { message: 'broken promise: a clock goes forward: driftPart is above -1, not -1' })
})

const step = fc.oneof(
  fc.record({ do: fc.constant('work' as const), ms: fc.integer({ min: 0, max: 500 }) }),
  fc.record({ do: fc.constant('pause' as const), ms: fc.integer({ min: 0, max: 300 }) }),
  fc.record({ do: fc.constant('suspend' as const), ms: fc.integer({ min: 0, max: 300 }) }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 200 }) }),
)

test('nothing is done early by its own clock, during a pause, or before what was due before it and asked for before it', (t) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.double({ min: -0.4, max: 0.4, noNaN: true }), (steps, driftPart) => {
      const { world, clock, schedule } = make({ driftPart })
      const done: { order: number; dueMs: number }[] = []
      let quietUntilMs = 0
      let asked = 0
      for (const { do: what, ms } of steps) {
        if (what === 'wait') world.runUntil(world.nowMs + ms)
        if (what === 'suspend') clock.suspend(ms)
        if (what === 'pause') schedule.pause(world.nowMs + ms)
        if (what === 'pause' || what === 'suspend') quietUntilMs = Math.max(quietUntilMs, world.nowMs + ms)
        if (what !== 'work') continue
        const order = asked++
        const dueMs = clock.monotonicMs() + ms
        schedule.after(ms, () => {
          t.true(clock.monotonicMs() >= dueMs - 0.001, 'early')
          t.true(world.nowMs >= quietUntilMs, 'during a pause')
          const earlier = done.filter((other) => other.order > order && other.dueMs > dueMs + 0.001)
          t.deepEqual(earlier, [], 'overtaken')
          done.push({ order, dueMs })
        })
      }
      world.runUntil(world.nowMs + 10_000)
      t.is(done.length, asked)
    }),
    { numRuns: 300 },
  )
})
