import test from 'ava'
import type { MembershipHealth } from '../../actors/membership/protocol.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import { connect, listening, n2, record, say, sent, type Tried } from '../kit/membership.ts'

const figures = (each: number) => ({ messagesOut: each, bytesOut: each * 100, messagesIn: each, bytesIn: each * 50 })
const isFigures = ({ do: what }: { do: string }) => what === 'figures'

/** What somebody is told who asks how gossip is, the device having counted this. */
function health(a: Tried, each: number): MembershipHealth {
  const asked = a.call('health', null)
  // The newest question is the last one.
  while (asked.result === undefined) a.outcome('gossip', { figures: figures(each) }, isFigures)
  return asked.result as MembershipHealth
}

test('rates are those since the oldest sample of the last minute, and unknown before there is one', (t) => {
  const a = listening()
  t.deepEqual(health(a, 5), { score: 0, connections: 0, watched: [], rates: undefined, totals: figures(5), spread: undefined } as never)
  a.wait(1_000)
  while (a.acts('gossip').some((request) => isFigures(request as never))) a.outcome('gossip', { figures: figures(10) }, isFigures)
  a.wait(9_000)
  const { rates, totals } = health(a, 28)
  t.deepEqual(totals, figures(28))
  t.like(rates, { messagesOut: 2, bytesOut: 200, messagesIn: 2, bytesIn: 100 })
})

test('a device that cannot say what it has counted does not keep anybody from the rest', (t) => {
  const a = listening()
  const asked = a.call('health', null)
  a.outcome('gossip', refuse('gone', 'gossip does not listen'), isFigures)
  t.like(asked.result, { score: 0, totals: undefined, rates: undefined })
})

test('it is known how long news took to come and over how many members; old members do not say when', (t) => {
  const a = listening([n2])
  connect(a, n2)
  const before = a.state.wallMs
  for (const [at, tookMs] of [10, 20, 30].entries()) {
    say(a, n2, { is: 'member', member: record(`n${at + 6}`), via: ['n7', 'n2'], saidMs: before - tookMs })
  }
  say(a, n2, { is: 'member', member: record('n6'), via: ['n7', 'n2'], saidMs: before - 500 })
  say(a, n2, { is: 'member', member: record('n9'), via: ['n9'] })
  t.deepEqual(health(a, 1).spread, { rumours: 3, medianMs: 20, mostMs: 30, stepsMax: 2 })
})

test('whoever says something first says when', (t) => {
  const a = listening([n2])
  connect(a, n2)
  sent(a)
  a.call('tag', { tags: { x: '1' } })
  a.wait(50)
  const own = sent(a).filter((one) => one.do === 'news')
  t.true(own.every(({ rumours }) => (rumours as { saidMs?: number }[]).every(({ saidMs }) => typeof saidMs === 'number')))
  t.true(own.length > 0)
})
