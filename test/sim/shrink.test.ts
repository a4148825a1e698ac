import test from 'ava'
import fc from 'fast-check'
import { drawPlan, type Plan, type PlanEvent, readPlan } from '../../sim/plan.ts'
import { shrink } from '../../sim/shrink.ts'

/** A plan of many kinds and agents, without carrying it out. */
const plans = fc
  .record({ seed: fc.string(), nodes: fc.constantFrom(1, 3, 5), seconds: fc.integer({ min: 5, max: 60 }) })
  .map((options) => drawPlan(options.seed, options))
const unbounded = { runsMax: 20_000 }

test('of all events two are left, in their order, if these two are what fails', (t) => {
  fc.assert(
    fc.property(plans, fc.nat(), fc.nat(), (plan, a, b) => {
      fc.pre(plan.events.length > 1)
      const [first, second] = twoOf(plan, a, b)
      const fails = ({ events }: Plan) => {
        const at = events.findIndex((event) => isLike(event, first))
        return at >= 0 && events.slice(at + 1).some((event) => isLike(event, second))
      }
      const { plan: small } = shrink(plan, fails, unbounded)
      t.is(small.events.length, 2)
      t.true(isLike(small.events[0], first) && isLike(small.events[1], second))
    }),
    { numRuns: 25 },
  )
})

test('whatever fails: what comes out fails, can be read, is no larger, and comes out again', (t) => {
  fc.assert(
    fc.property(plans, fc.integer({ min: 2, max: 50 }), fc.nat(), fc.nat(300), (plan, modulus, salt, runsMax) => {
      const fails = (candidate: Plan) => candidate === plan || hashOf(candidate, salt) % modulus === 0
      const { plan: small, runs } = shrink(plan, fails, { runsMax })
      if (runs > 0 && JSON.stringify(small) !== JSON.stringify(plan)) t.true(fails(small))
      t.deepEqual(readPlan(JSON.stringify(small)), small)
      t.true(runs <= runsMax)
      t.true(small.events.length <= plan.events.length && small.nodes.length <= plan.nodes.length && small.quietAtMs <= plan.quietAtMs)
      t.true(small.events.every(({ atMs }, at) => at === 0 || atMs >= (small.events[at - 1]?.atMs ?? 0)))
      t.deepEqual(shrink(plan, fails, { runsMax }).plan, small)
    }),
    { numRuns: 25 },
  )
})

test('only the agents that matter stay, on one thread, for as long as it takes', (t) => {
  const plan: Plan = { ...planOf([crash(20_000, 'n2', 3_000), crash(30_000, 'n4', 5_000)]), nodes: ['n1', 'n2', 'n3', 'n4', 'n5'] }
  const { plan: small } = shrink(plan, ({ events }) => events.some(({ node }) => node === 'n4'))
  t.deepEqual(small.nodes, ['n4'])
  t.is(small.threads, 'together')
  t.deepEqual(small.events, [crash(1, 'n4', 10)])
  t.is(small.quietAtMs, 2)
})

test('one agent stands for two if it need not be two', (t) => {
  const plan: Plan = { ...planOf([crash(1_000, 'n2', 3_000), crash(2_000, 'n3', 3_000)]), nodes: ['n1', 'n2', 'n3'] }
  const { plan: small } = shrink(plan, ({ events }) => events.length === 2)
  t.deepEqual(small.nodes, ['n2'])
  t.true(small.events.every(({ node }) => node === 'n2'))
  t.deepEqual(shrink(plan, ({ events }) => events.length === 2, { keepNodes: true }).plan.nodes, plan.nodes)
})

test('times come as close together as they may', (t) => {
  const apartMs = ({ events: [first, second] }: Plan) => (second?.atMs ?? 0) - (first?.atMs ?? 0)
  const { plan: small } = shrink(planOf([crash(20_000, 'n1', 10), crash(50_000, 'n1', 10)]), (plan) => apartMs(plan) >= 1_000)
  t.true(apartMs(small) >= 1_000 && apartMs(small) < 2_000, String(apartMs(small)))
  t.is(small.events[0]?.atMs, 1)
})

test('trouble ends soon after what matters', (t) => {
  const { plan: small } = shrink({ ...planOf([]), quietAtMs: 1_000_000 }, ({ quietAtMs }) => quietAtMs >= 70_000)
  t.true(small.quietAtMs >= 70_000 && small.quietAtMs < 140_000, String(small.quietAtMs))
})

test('a value becomes as small as its field knows', (t) => {
  const { plan: small } = shrink(planOf([crash(10, 'n1', 8_000)]), ({ events: [event] }) => Number(event?.['forMs']) >= 1_000)
  t.true(Number(small.events[0]?.['forMs']) < 2_010, JSON.stringify(small.events))
})

test('it ends when its time or its runs are over', (t) => {
  const plan = drawPlan('over', { nodes: 3, seconds: 60 })
  t.is(shrink(plan, () => true, { isOver: () => true }).runs, 0)
  let tries = 0
  shrink(plan, () => ++tries % 3 === 0, { runsMax: 7 })
  t.is(tries, 7)
})

test('what came after the failure goes first', (t) => {
  const plan = drawPlan('late', { nodes: 1, seconds: 60 })
  const tried: number[] = []
  shrink(plan, ({ events }) => tried.push(events.length) > 0 && events.length > 3, { runsMax: 1, failedAtMs: 1_000 })
  t.deepEqual(tried, [plan.events.filter(({ atMs }) => atMs <= 1_000).length])
})

function planOf(events: PlanEvent[]): Plan {
  return { format: 2, seed: 's', nodes: ['n1'], threads: 'separate', checkEveryMs: 2_000, quietAtMs: 60_000, events }
}

function crash(atMs: number, node: string, forMs: number): PlanEvent {
  return { atMs, do: 'crash', node, forMs, how: 'silently' }
}

/** Two events of a plan, in their order. */
function twoOf({ events }: Plan, a: number, b: number): [PlanEvent, PlanEvent] {
  const at = a % (events.length - 1)
  return [events[at] as PlanEvent, events[at + 1 + (b % (events.length - at - 1))] as PlanEvent]
}

function isLike(event: PlanEvent | undefined, other: PlanEvent): boolean {
  return event?.do === other.do && event.node === other.node
}

function hashOf(plan: Plan, salt: number): number {
  let hash = salt
  for (const character of JSON.stringify(plan)) hash = (Math.imul(hash, 31) + character.charCodeAt(0)) >>> 0
  return hash
}
