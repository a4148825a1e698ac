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
  const stolen = played([dial('stolen leaf')])
  t.is(stolen.failure, undefined)
  t.is(stolen.reached.get('certificate of another service shown'), 1)
  t.false(stolen.reached.has('bytes from a service without a sidecar'))
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

test('a restore puts back what was saved, for everybody who looks, over a crash too', (t) => {
  const at = (atMs: number, what: string, more: object): PlanEvent => ({ atMs, do: what, node: 'n1', ...more })
  const restore = at(5_000, 'snapshot.restore', { age: 0, damage: 'none' })
  const events = [write(1_000, 'one'), at(2_000, 'snapshot.save', {}), write(3_000, 'two')]
  const held = played([...events, restore])
  t.is(held.failure, undefined)
  t.is(held.reached.get('snapshot restored'), 1)
  t.true(held.run.printed.some((line) => line.includes('A snapshot was restored')))
  for (const crashMs of [5_001, 5_010, 5_040, 5_080, 5_120]) {
    const { failure } = played([...events, restore, at(crashMs, 'crash', { forMs: 500, how: 'silently' })])
    t.is(failure, undefined, `crash at ${crashMs} ms`)
  }
  const damaged = played([...events, { ...restore, damage: 'bit' }, { ...restore, damage: 'cut' }])
  t.is(damaged.failure, undefined)
  t.is(damaged.reached.get('damaged snapshot refused'), 2)
})

test('events are fired, listed and waited for, and forgotten by an agent that begins anew', (t) => {
  const at = (atMs: number, what: string, more: object): PlanEvent => ({ atMs, do: what, node: 'n1', ...more })
  const fire = (atMs: number, payload: string) => at(atMs, 'event.fire', { event: 'deploy', payload, filter: 'none' })
  const { failure, reached } = played([
    at(500, 'event.follow', { waitMs: 5_000, forMs: 19_000 }),
    fire(1_000, 'one'),
    at(2_000, 'event.burst', { payload: 'many' }),
    at(3_000, 'event.list', { name: '' }),
    at(4_000, 'crash', { forMs: 1_000, how: 'aloud' }),
    fire(8_000, 'two'),
    at(9_000, 'event.list', { name: 'deploy' }),
  ])
  t.is(failure, undefined)
  t.true((reached.get('event heard of') ?? 0) >= 2)
  t.true((reached.get('events seen') ?? 0) >= 3)
  t.is(reached.get('event fired'), 302)
})

test('prepared queries are kept over a crash and answered as the catalog is', (t) => {
  const at = (atMs: number, what: string, more: object): PlanEvent => ({ atMs, do: what, node: 'n1', ...more })
  const wish = { name: 'q-a', service: 'web', onlyPassing: 'true', ttlMs: 7 }
  const ask = (atMs: number, more: object) =>
    at(atMs, 'query.execute', { name: '', which: 0, limit: 0, order: 'none', near: 'n1', ...more })
  const { failure, reached } = played([
    at(3_000, 'query.create', wish),
    at(3_100, 'query.create', { ...wish, name: 'find-', ttlMs: 8 }),
    ask(4_000, {}),
    ask(4_001, { name: 'find-db', limit: 1 }),
    at(5_000, 'crash', { forMs: 1_000, how: 'silently' }),
    at(9_000, 'query.change', { ...wish, how: 'update', which: 0, service: 'db', ttlMs: 9 }),
    ask(9_500, { order: 'near' }),
    at(10_000, 'query.change', { ...wish, how: 'delete', which: 0 }),
    ask(10_500, {}),
  ])
  t.is(failure, undefined)
  t.is(reached.get('query executed'), 3)
  t.is(reached.get('query found nothing'), 1)
})

test('a session ends with its check, and with its node, and agents put their nodes back', (t) => {
  const take = (atMs: number, client: string): PlanEvent => {
    return { atMs, do: 'lock.take', node: 'n1', client, key: 'lock/a', delayMs: 0, ends: 'with a check' }
  }
  const fail: PlanEvent = { atMs: 3_900, do: 'lock.fail', node: 'n1', client: 'locker-1', how: 'fail' }
  const remove: PlanEvent = { atMs: 5_000, do: 'node.remove', node: 'n1', removed: 'n1' }
  const { failure, reached } = played([take(3_000, 'locker-1'), fail, take(4_100, 'locker-2'), remove, take(15_000, 'locker-3')])
  t.is(failure, undefined)
  t.true((reached.get('lock taken') ?? 0) >= 2)
  t.is(reached.get('check of a session failed'), 1)
  t.is(reached.get('node removed'), 1)
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
