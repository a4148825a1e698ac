import test from 'ava'
import { type LockHistory, type LockStep, lockFault } from '../../sim/models/lock.ts'

/** A session `a` and a session `b`, each asked for at 0 ms and renewed as given; they live for 100 ms, with a lock delay of 50 ms. */
function history(steps: LockStep[], renewed: { a?: number[]; b?: number[] } = {}): LockHistory {
  const life = (times: number[] = []) => ({ livesMs: 100, node: 'n1', check: '', delayMs: 50, renewedMs: [0, ...times] })
  return {
    sessions: new Map([
      ['a', life(renewed.a)],
      ['b', life(renewed.b)],
    ]),
    steps,
  }
}

const NEVER = Number.POSITIVE_INFINITY
const step = (what: LockStep['do'], session: string, invokedMs: number, answeredMs: number, outcome?: boolean): LockStep => ({
  do: what,
  key: what === 'destroy' ? '' : 'k',
  session,
  invokedMs,
  answeredMs,
  ...(answeredMs !== NEVER && { outcome: outcome ?? true }),
})

const GOOD: [what: string, steps: LockStep[]][] = [
  ['nobody', []],
  ['one after the other', [step('acquire', 'a', 10, 11), step('release', 'a', 20, 21), step('acquire', 'b', 30, 31)]],
  ['a release that is still under way', [step('acquire', 'a', 10, 11), step('release', 'a', 20, 40), step('acquire', 'b', 25, 26)]],
  ['a release that nobody heard of', [step('acquire', 'a', 10, 11), step('release', 'a', 20, NEVER), step('acquire', 'b', 60, 61)]],
  ['an old release that may come late', [step('release', 'a', 5, NEVER), step('acquire', 'a', 10, 11), step('acquire', 'b', 60, 61)]],
  ['its time may be over', [step('acquire', 'a', 10, 11), step('acquire', 'b', 99, 101)]],
  ['at the same time, so that one may have come first', [step('acquire', 'a', 10, 30), step('acquire', 'b', 20, 25)]],
  ['it was refused', [step('acquire', 'a', 10, 11), step('acquire', 'b', 20, 21, false)]],
  ['again by its holder', [step('acquire', 'a', 10, 11), step('acquire', 'a', 20, 21)]],
  ['after the lock delay', [step('acquire', 'a', 10, 11), step('destroy', 'a', 20, 21), step('acquire', 'b', 71, 72)]],
  ['perhaps after the lock delay', [step('acquire', 'a', 10, 11), step('destroy', 'a', 20, 21), step('acquire', 'b', 60, 71)]],
  [
    'no lock delay after a release',
    [step('acquire', 'a', 10, 11), step('release', 'a', 12, 13), step('destroy', 'a', 20, 21), step('acquire', 'b', 30, 31)],
  ],
  ['another key', [step('acquire', 'a', 10, 11), { ...step('acquire', 'b', 20, 21), key: 'other' }]],
]

for (const [what, steps] of GOOD) {
  test(`a history of locks that can be: ${what}`, (t) => {
    t.is(lockFault(history(steps)), undefined)
  })
}

test('a lock that two hold is found', (t) => {
  t.is(
    lockFault(history([step('acquire', 'a', 10, 11), step('acquire', 'b', 20, 21)])),
    'b acquire k (20.0 to 21.0 ms), although it was held: a acquire k (10.0 to 11.0 ms), until 100.0 ms at least',
  )
  const late = [step('acquire', 'a', 10, 11), step('acquire', 'b', 150, 151)]
  t.is(lockFault(history(late)), undefined)
  t.regex(lockFault(history(late, { a: [90] })) ?? '', /until 190\.0 ms at least/)
  const again = [step('release', 'a', 5, 6), step('acquire', 'a', 10, 11), step('acquire', 'b', 20, 21)]
  t.regex(lockFault(history(again)) ?? '', /although it was held/)
})

test('a lock that is taken too soon after a loss is found', (t) => {
  t.is(
    lockFault(history([step('acquire', 'a', 10, 11), step('destroy', 'a', 20, 21), step('acquire', 'b', 30, 31)])),
    'b acquire k (30.0 to 31.0 ms), although its holder was lost: a destroy (20.0 to 21.0 ms), so it was free from 70.0 ms on',
  )
})

test('what uproots a session may end it, and nobody else', (t) => {
  const uproot = (atMs: number, uproots?: { node: string; check?: string }): LockStep => ({
    ...step('uproot', '', atMs, NEVER),
    key: '',
    ...(uproots && { uproots }),
  })
  const fault = (...uproots: LockStep[]) => lockFault(history([step('acquire', 'a', 10, 11), ...uproots, step('acquire', 'b', 20, 21)]))
  t.is(fault(uproot(15)), undefined, 'a restore')
  t.is(fault(uproot(15, { node: 'n1' })), undefined)
  t.is(fault(uproot(15, { node: 'n1', check: '' })), undefined)
  t.regex(fault(uproot(30)) ?? '', /although it was held/)
  t.regex(fault(uproot(15, { node: 'n2' })) ?? '', /although it was held/)
  t.regex(fault(uproot(15, { node: 'n1', check: 'other' })) ?? '', /although it was held/)
  const restored = { ...uproot(20.5), answeredMs: 25 }
  t.is(lockFault(history([step('acquire', 'a', 10, 11), step('destroy', 'a', 20, 21), restored, step('acquire', 'b', 30, 31)])), undefined)
})
