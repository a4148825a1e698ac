import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { faults } from '../../sim/faults/index.ts'
import { planOfRun } from '../../sim/own/play.ts'
import { contextOf, type Overrides, type OwnScenario, readScenario, writtenEvent } from '../../sim/own/scenario.ts'
import { phraseOf } from '../../sim/own/words.ts'
import { drawEvents, eventsFault } from '../../sim/plan.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { loaded, THREE, THREE_AND_A_CLIENT } from './own-kit.ts'

function read(t: ExecutionContext, written: unknown, overrides: Overrides = {}, files = THREE): OwnScenario | string {
  const text = typeof written === 'string' ? written : JSON.stringify(written)
  const scenario = readScenario(text, loaded(t, files).estate, 'drawn', overrides)
  return isRefused(scenario) ? scenario.why : scenario
}

function good(t: ExecutionContext, written: unknown, overrides?: Overrides, files = THREE): OwnScenario {
  const scenario = read(t, written, overrides, files)
  if (typeof scenario === 'string') throw new Error(scenario)
  return scenario
}

test('what a scenario does not say', (t) => {
  const { seconds, seed, runs, faults: kinds, events, expectations } = good(t, {})
  t.deepEqual(
    { seconds, seed, runs, kinds, events, expectations },
    { seconds: 60, seed: 'drawn', runs: 1, kinds: [], events: [], expectations: [] },
  )
})

test('times of events are durations or milliseconds, and are written without their unit', (t) => {
  const { events } = good(t, {
    events: [
      { at: 20_000, do: 'crash-all', for: '1s', apart: 250 },
      { at: '1.5s', do: 'crash', node: 'n2', for: '10s', how: 'silently' },
      { at: '2s', do: 'clock-jump', node: 'n1', by: '-10m', for: '5s' },
      { at: '3s', do: 'log-lag', node: 'n3', lag: '200ms', for: 4_000 },
    ],
  })
  t.deepEqual(events, [
    { atMs: 1_500, do: 'crash', node: 'n2', forMs: 10_000, how: 'silently' },
    { atMs: 2_000, do: 'clock-jump', node: 'n1', byMs: -600_000, forMs: 5_000 },
    { atMs: 3_000, do: 'log-lag', node: 'n3', lagMs: 200, forMs: 4_000 },
    { atMs: 20_000, do: 'crash-all', node: 'n1', forMs: 1_000, apartMs: 250 },
  ])
})

test('what an event does not say is drawn, and equal seeds draw the same', (t) => {
  const written = { seed: 's', events: [{ at: '10s', do: 'program-stops', node: 'n2' }] }
  const [event] = good(t, written).events
  t.deepEqual(good(t, written).events, [event])
  t.is(event?.['service'], 'db')
  t.true(Number(event?.['forMs']) >= 200)
  const others = Array.from({ length: 20 }, (_, at) => good(t, written, { seed: `other ${at}` }).events[0]?.['forMs'])
  t.true(new Set(others).size > 5)
})

test('the command line wins over the file', (t) => {
  const {
    seconds,
    seed,
    runs,
    faults: kinds,
  } = good(t, { seconds: 10, seed: 'a', runs: 2, faults: 'none' }, { seconds: 20, seed: 'b', runs: 3, faults: 'crash,partition' })
  t.deepEqual([seconds, seed, runs, kinds.map(({ name }) => name)], [20, 'b', 3, ['crash', 'partition']])
})

const MISREAD: [written: unknown, why: RegExp][] = [
  ['{', /^not JSON: /],
  [[], /^must be an object$/],
  ['null', /^must be an object$/],
  [{ expct: [] }, /^expct: unknown field; there are about, seconds, seed, runs, faults, events, expect$/],
  [{ about: 1 }, /^about: must be a text$/],
  [{ seed: 1 }, /^seed: must be a text$/],
  [{ seconds: 0 }, /^seconds: must be a number from 1 to 2592000, got 0$/],
  [{ seconds: '60' }, /^seconds: must be a number .*, got "60"$/],
  [{ runs: 1.5 }, /^runs: must be a whole number from 1 to 1000000, got 1.5$/],
  [{ faults: 'some' }, /^faults: unknown fault "some"; there are\n {2}crash: a machine stops/],
  [{ faults: 7 }, /^faults: must be "none", "all" or a list of names$/],
  [{ faults: ['crash', 'kv.put'] }, /^faults: unknown fault "kv\.put"/],
  [{ events: {} }, /^events: must be a list$/],
  [{ events: [1] }, /^events\[0\]: must be an object$/],
  [{ events: [{ at: '1s', do: 'crush', node: 'n1' }] }, /^events\[0\]\.do: unknown kind "crush"; there are\n {2}crash: /],
  [{ events: [{ do: 'crash', node: 'n1' }] }, /^events\[0\]\.at: is missing$/],
  [
    { events: [{ at: 'soon', do: 'crash', node: 'n1' }] },
    /^events\[0\]\.at: must be a time such as "10s" or a number of milliseconds, got "soon"$/,
  ],
  [{ events: [{ at: -1, do: 'crash', node: 'n1' }] }, /^events\[0\]\.at: must be a time/],
  [{ events: [{ at: '61s', do: 'crash', node: 'n1' }] }, /^events\[0\]\.at: 61s is after the end of the run, 60s$/],
  [{ events: [{ at: '1s', do: 'crash' }] }, /^events\[0\]\.node: is missing$/],
  [{ events: [{ at: '1s', do: 'crash', node: 'n9' }] }, /^events\[0\]\.node: there is no agent "n9"; there are n1, n2, n3$/],
  [
    { events: [{ at: '1s', do: 'crash', node: 'n1', fro: '1s' }] },
    /^events\[0\]\.fro: crash has no such field; besides at, do and node it has for, how$/,
  ],
  [
    { events: [{ at: '1s', do: 'leader-lost', x: 1 }] },
    /^events\[0\]\.x: leader-lost has no such field; besides at, do and node it has no others$/,
  ],
  [{ events: [{ at: '1s', do: 'crash', node: 'n1', for: 'long' }] }, /^events\[0\]\.for: must be a time such as "10s"/],
  [
    { events: [{ at: '1s', do: 'crash', node: 'n1', for: -5 }] },
    /^events\[0\]\.for: must be a whole number of milliseconds, 0 or more, got -5$/,
  ],
  [
    { events: [{ at: '1s', do: 'crash', node: 'n1', how: 'softly' }] },
    /^events\[0\]\.how: must be one of "aloud", "silently", got "softly"$/,
  ],
  [
    { events: [{ at: '1s', do: 'program-stops', node: 'n2', service: 'cache' }] },
    /^events\[0\]\.service: must be the id of a service, got "cache"$/,
  ],
  [{ expect: 'web reaches db' }, /^expect: must be a list of sentences$/],
  [{ expect: [7] }, /^expect\[0\]: must be a text$/],
  [{ expect: ['web reaches db', 'web reachs db'] }, /^expect\[1\] "web reachs db": "reachs" is not understood\. The forms are:/],
  [
    { seconds: 30, expect: ['web reaches db from 40s'] },
    /^expect\[0\] "web reaches db from 40s": from 40s is beyond the end of the run, 30s$/,
  ],
]

for (const [written, why] of MISREAD) {
  test(`refused by its place: ${JSON.stringify(written)}`, (t) => {
    const scenario = read(t, written)
    t.regex(typeof scenario === 'string' ? scenario : 'read', why)
  })
}

test('what is wrong on the command line is named as it stands there', (t) => {
  t.regex(String(read(t, {}, { runs: 0 })), /^-runs: must be a whole number/)
  t.regex(String(read(t, {}, { seconds: -1 })), /^-seconds: must be a number/)
  t.regex(String(read(t, {}, { faults: 'x' })), /^-faults: unknown fault "x"/)
  t.is(read(t, {}, { seed: '' }), '-seed: must not be empty')
})

test('every fault has words of its own, and what is drawn of it can be written down and read again', (t) => {
  const { estate } = loaded(t, THREE_AND_A_CLIENT)
  const context = contextOf(estate, 60_000)
  for (const kind of faults) {
    const events = drawEvents('words', kind, 5, context)
    t.true(events.length > 0)
    t.is(eventsFault(events, context), undefined)
    for (const event of events) {
      const phrase = phraseOf(event, context.nodes)
      t.notRegex(phrase, /undefined|null|NaN/)
      t.not(phrase, `${event.do} on ${event.node}`)
    }
    const again = good(t, { events: events.map(writtenEvent) }, undefined, THREE_AND_A_CLIENT).events
    t.deepEqual(
      again,
      events.toSorted((a, b) => a.atMs - b.atMs),
    )
  }
})

test('each run has a plan of its own, and the same one again', (t) => {
  const { estate } = loaded(t, THREE)
  const scenario = good(
    t,
    { faults: 'all', events: [{ at: '5s', do: 'crash', node: 'n1', for: 10, how: 'aloud' }] },
    { runs: 5, seed: 'plans' },
  )
  fc.assert(
    fc.property(fc.nat(4), fc.nat(4), (a, b) => {
      const plans = [planOfRun(scenario, a, estate), planOfRun(scenario, b, estate)]
      t.is(JSON.stringify(plans[0]) === JSON.stringify(plans[1]), a === b)
      for (const plan of plans) {
        t.true(plan.events.some((event) => event.do === 'crash' && event.atMs === 5_000))
        t.is(eventsFault(plan.events, contextOf(estate, plan.quietAtMs)), undefined)
      }
    }),
    { numRuns: 20 },
  )
})
