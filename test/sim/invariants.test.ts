import test from 'ava'
import { connectionsOf } from '../../sim/connections.ts'
import { nothingBreaks } from '../../sim/invariants/machines.ts'
import { SOUND } from '../../sim/mutants/index.ts'
import { drawPlan, type Plan, type PlanEvent } from '../../sim/plan.ts'
import { Run } from '../../sim/run.ts'
import { scenarioNamed } from '../../sim/scenarios/index.ts'

const PAIR = 'web > db'

/** What was reached in a run in which only this happens. */
function played(events: PlanEvent[], more: Partial<Plan> = {}) {
  const plan: Plan = {
    format: 2,
    seed: 'by-hand',
    nodes: ['n1'],
    threads: 'separate',
    checkEveryMs: 2_000,
    quietAtMs: 20_000,
    events,
    ...more,
  }
  const run = new Run({ plan, mutations: SOUND })
  const { failure, reached } = run.play()
  return { run, failure: failure && `${failure.invariant}: ${failure.what}`, reached }
}

const write = (atMs: number, value: string): PlanEvent => {
  return { atMs, do: 'kv.put', node: 'n1', client: 'c1', key: 'app/a', condition: 'none', value }
}

test('a client that watches is woken by changes, waits while there are none and ends up with the newest', (t) => {
  const watch = { atMs: 1_000, do: 'watch', node: 'n1', url: '/v1/kv/app/a', waitMs: 2_000, forMs: 100_000 }
  const { failure, reached } = played([watch, write(2_000, 'one'), write(9_000, 'two'), write(9_001, 'three')])
  t.is(failure, undefined)
  t.true((reached.get('watch woken by a change') ?? 0) >= 2)
  t.true((reached.get('watch answered at its end') ?? 0) >= 5)
  t.is(reached.get('watch looked at'), 1)
})

test('a watch outlives its agent', (t) => {
  const watch = { atMs: 1_000, do: 'watch', node: 'n1', url: '/v1/kv/app/a', waitMs: 2_000, forMs: 100_000 }
  const crash = { atMs: 3_000, do: 'crash', node: 'n1', forMs: 2_000, how: 'silently' }
  const { failure, reached } = played([watch, write(2_000, 'one'), crash, write(9_000, 'two')])
  t.is(failure, undefined)
  t.is(reached.get('watch looked at'), 1)
})

test('denied connections carry nothing, whichever rule denies them', (t) => {
  const rule = (atMs: number, what: string, rule: string): PlanEvent => ({ atMs, do: `intention.${what}`, node: 'n1', rule })
  const dial = (atMs: number): PlanEvent => ({ atMs, do: 'traffic', node: 'n1', upstream: PAIR, how: 'talks', forMs: 20_000 })
  const carried = (events: PlanEvent[]) => {
    const { failure, reached } = played(events)
    t.is(failure, undefined)
    return { bytes: reached.get('bytes through two sidecars') ?? 0, looked: reached.has('deny looked at') }
  }
  const free = carried([dial(5_000)])
  t.true(free.bytes > 20)
  t.false(free.looked)
  t.deepEqual(carried([rule(3_000, 'deny', '* > db'), dial(5_000)]).bytes, 0)
  t.true(carried([rule(3_000, 'deny', '* > db'), rule(3_100, 'allow', PAIR), dial(5_000)]).bytes > 20)
  const cut = carried([dial(5_000), rule(7_000, 'deny', '* > *'), dial(7_500)])
  t.true(cut.bytes > 0 && cut.bytes < free.bytes)
})

test('certificates that are forged get nowhere, those of a service without a sidecar do', (t) => {
  const dial = (shows: string): PlanEvent => {
    return { atMs: 5_000, do: 'traffic.native', node: 'n1', service: 'api', upstream: PAIR, shows, forMs: 1_000 }
  }
  const known = played([dial('leaf')])
  t.is(known.failure, undefined)
  t.is(known.reached.get('bytes from a service without a sidecar'), 1)
  const forged = played([dial('forged leaf')])
  t.is(forged.failure, undefined)
  t.is(forged.reached.get('forged certificate shown'), 1)
  t.false(forged.reached.has('bytes from a service without a sidecar'))
})

test('bytes of somebody who was denied all the time, or who may not be believed, are noticed', (t) => {
  const denied = { atMs: 1_000, do: 'intention.deny', node: 'n1', rule: PAIR }
  const heard = (dialled: object, service = 'db') => {
    const { run } = played([denied])
    const connections = connectionsOf(run)
    const bytes = connections.dialled({ source: 'web', destination: 'db', atMs: 10_000, hasLeaf: true, ...dialled })
    connections.heard({ node: 'n1', service, id: service, address: '127.0.0.1', port: 1 }, bytes)
    return connections.wrong ?? connections.astray
  }
  t.regex(heard({}) ?? '', /db on n1 got bytes at \d+ ms from web, which dialled db at 10000 ms and is denied since 1\d\d\d ms/)
  t.is(heard({ atMs: 1_500 }), undefined, 'it was dialled before the deny had to be in force')
  t.is(heard({ source: 'api' }), undefined)
  t.regex(heard({ source: 'api', hasLeaf: false }) ?? '', /with a certificate that nobody may believe$/)
  t.regex(heard({ source: 'api' }, 'web') ?? '', /^web on n1 got bytes .* which dialled db/)
})

test('a crash that nobody asked for is noticed in what is printed', (t) => {
  const { run } = played([])
  const broken = (line: string) => {
    run.printed.push(line)
    return nothingBreaks.broken(run)
  }
  t.is(broken('1.0 ms n1 [error] ledger: Changes are refused {}'), undefined)
  t.is(broken('1.0 ms n1 [error] kernel: kv crashed and is rebuilt {"error":"Error: simulated bug in \\"put\\" of kv"}'), undefined)
  const crash = '1.0 ms n1 [error] kernel: kv crashed and is rebuilt {"error":"TypeError: nothing"}'
  t.is(broken(crash), crash)
  const { run: other } = played([])
  const thrown = '1.0 ms n1 [error] http: GET /v1/kv/a failed {"error":"TypeError: nothing"}'
  other.printed.push(thrown)
  t.is(nothingBreaks.broken(other), thrown)
})

test('in three weeks every certificate is renewed again and again, in time', (t) => {
  t.timeout(120_000)
  const plan = drawPlan('three-weeks', { scenario: scenarioNamed('weeks'), nodes: 1 })
  const { failure, reached, virtualMs } = new Run({ plan, mutations: SOUND }).play()
  t.is(failure?.what, undefined)
  t.true(virtualMs >= 21 * 24 * 3_600_000)
  t.true((reached.get('leaf renewed') ?? 0) >= 5, `${reached.get('leaf renewed')} renewals`)
})

test('several servers show one history under a bad network and a search for it is never given up', (t) => {
  for (const at of [0, 1, 2]) {
    const plan = drawPlan(`history-${at}`, { scenario: scenarioNamed('network'), nodes: 3 })
    const { failure, reached } = new Run({ plan, mutations: SOUND }).play()
    t.is(failure?.what, undefined)
    t.true((reached.get('kv read') ?? 0) > 0 || !plan.events.some((event) => event.do === 'kv.get'))
    t.false([...reached.keys()].some((mark) => mark.endsWith('given up')))
  }
})
