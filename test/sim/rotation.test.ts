import test from 'ava'
import { caConfig, caRoots } from '../../actors/ca/queries.ts'
import { clocksOf } from '../../sim/clocks.ts'
import { handshakesOf } from '../../sim/handshakes.ts'
import { SOUND } from '../../sim/mutants/index.ts'
import type { Plan, PlanEvent } from '../../sim/plan.ts'
import type { SimHandshake } from '../../sim/ports/mesh-identity.ts'
import { rotationsOf } from '../../sim/rotations.ts'
import { Run } from '../../sim/run.ts'

const HOUR_MS = 3_600_000
const PAIR = 'web > db'

function runOf(events: PlanEvent[], more: Partial<Plan> = {}): Run {
  const nodes = ['n1', 'n2']
  const plan: Plan = { format: 2, seed: 'by-hand', nodes, threads: 'separate', checkEveryMs: 2_000, quietAtMs: 60_000, events, ...more }
  return new Run({ plan, mutations: SOUND })
}

function held(run: Run, t: { is(actual: unknown, expected: unknown): void }): Map<string, number> {
  const { failure, reached } = run.play()
  t.is(failure && `${failure.invariant}: ${failure.what}`, undefined)
  return reached
}

const rotate = (atMs: number, authority: string, leafTtl = '1h'): PlanEvent => {
  return { atMs, do: 'ca.rotate', node: 'n1', authority, leafTtl, force: 'true' }
}
const dials = (fromMs: number, toMs: number): PlanEvent[] =>
  Array.from({ length: Math.ceil((toMs - fromMs) / 500) }, (_, at) => {
    return { atMs: fromMs + at * 500, do: 'traffic', node: at % 2 === 0 ? 'n1' : 'n2', upstream: PAIR, how: 'ends', forMs: 100 }
  })

test('the root changes in one step and in two, and back, and no sidecar is turned away', (t) => {
  const back = { atMs: 50_000, do: 'ca.abort', node: 'n2' }
  const reached = held(runOf([...dials(3_000, 55_000), rotate(5_000, 'aws-pca-1', '24h'), rotate(40_000, 'given-1'), back]), t)
  t.is(reached.get('root changed'), 2)
  t.is(reached.get('root changed in two steps'), 1)
  t.is(reached.get('root changed back'), 1)
  t.true((reached.get('every sidecar has the new root') ?? 0) >= 1)
  t.true((reached.get('handshake between two roots') ?? 0) > 5)
})

test('a root that nothing leads to waits for a sidecar that hears of it late', (t) => {
  const lag = { atMs: 10_000, do: 'log-lag', node: 'n2', lagMs: 20_000, forMs: 5_000 }
  const run = runOf([rotate(5_000, 'aws-pca-1', '24h'), lag, rotate(11_000, 'ec-384'), ...dials(12_000, 50_000)])
  const active = (atMs: number) => {
    run.advance(atMs)
    const found = caRoots(run.cluster.node('n1').tables.view())
    return found?.roots.findIndex(({ id }) => id === found.activeRootId)
  }
  t.is(active(25_000), 1)
  t.is(active(45_000), 2)
  t.is(held(run, t).get('new root waits for a sidecar'), 1)
})

test('what is rehearsed does not happen; another life of certificates is no other root', (t) => {
  const plan = { atMs: 5_000, do: 'ca.plan', node: 'n1', authority: 'given-1', leafTtl: '2h' }
  const life = { atMs: 6_000, do: 'ca.leaf-life', node: 'n2', leafTtl: '2h' }
  const run = runOf([plan, life])
  const reached = held(run, t)
  t.is(reached.get('change of the root rehearsed'), 1)
  t.is(reached.get('life of certificates changed'), 1)
  const view = run.cluster.node('n1').tables.view()
  t.is(caRoots(view)?.roots.length, 1)
  t.is(caConfig(view)?.config.leafCertTtlMs, 2 * HOUR_MS)
})

test('a root goes an hour after another one has taken its place, when its leaves live for an hour', (t) => {
  const run = runOf([rotate(5_000, 'ec-384'), rotate(20 * 60_000, 'given-1')], { checkEveryMs: 60_000, quietAtMs: 3 * HOUR_MS })
  const roots = (atMs: number) => {
    run.advance(atMs)
    return caRoots(run.cluster.node('n2').tables.view())?.roots.length
  }
  t.is(roots(79 * 60_000), 3)
  t.is(roots(82 * 60_000), 2, 'leaves of the first root live for three days')
  t.is(held(run, t).get('root retired'), 1)
})

test('a sidecar that is not believed is noticed, unless a clock is wrong or it is none', (t) => {
  const unbelieved = (more: Partial<SimHandshake> = {}, byMs = 0) => {
    const run = runOf([])
    run.advance(2_000)
    const [n1, n2] = [run.cluster.node('n1'), run.cluster.node('n2')]
    const leaf = n2.mesh?.leaves().find(({ owner }) => owner === 'web')?.leaf
    t.truthy(leaf)
    n2.skewMs += byMs
    run.advance(2_500)
    const shown = leaf ? [leaf] : []
    if (more.peer === 'forgotten') handshakesOf(run).forgotten('n1')
    const base = { owner: 'db', side: 'listener', peer: '10.0.0.2:5', peerNode: 'n2', own: undefined } as const
    handshakesOf(run).judged(n1, { ...base, shown, keyId: leaf?.keyId ?? '', fault: 'the certificate has expired', ...more })
    return handshakesOf(run).unbelieved
  }
  t.regex(unbelieved() ?? '', /^listener db on n1 ended a handshake with web at 10\.0\.0\.2:5 .* at 2500 ms: the certificate has expired$/)
  t.regex(unbelieved({ shown: [], fault: 'this sidecar has no certificate yet' }) ?? '', /with somebody at/)
  t.is(unbelieved({ fault: undefined }), undefined)
  t.is(unbelieved({}, 600_000), undefined)
  t.regex(unbelieved({ fault: 'the certificate is signed by an unknown CA' }, 600_000) ?? '', /unknown CA/)
  t.is(unbelieved({ keyId: 'stolen' }), undefined)
  t.is(unbelieved({ peer: 'forgotten' }), undefined, 'it was taken out of the catalog')
})

test('two certificates with one number are noticed, but for those after a restore', (t) => {
  const run = runOf([])
  run.advance(2_000)
  const leaf = { authorityKeyId: 'k', serial: '0a', notAfterMs: 1 }
  const rotations = rotationsOf(run)
  rotations.signed({ ...leaf, id: 'one' })
  rotations.signed({ ...leaf, id: 'one' })
  rotations.signed({ ...leaf, id: 'other', authorityKeyId: 'l' })
  t.is(rotations.twice, undefined)
  rotations.signed({ ...leaf, id: 'other' })
  t.is(rotations.twice, 'two certificates have the number 0a of key k')
})

test('clocks are corrected every day, and it is known which were set', (t) => {
  const run = runOf([], { checkEveryMs: HOUR_MS, quietAtMs: 49 * HOUR_MS })
  const { clock } = run.cluster.node('n1')
  run.advance(2_000)
  clock.driftPart = 1 / 86_400
  const skewMs = clock.wallMs() - run.cluster.node('n2').clock.wallMs()
  run.advance(49 * HOUR_MS)
  t.true(Math.abs(clock.wallMs() - run.cluster.node('n2').clock.wallMs() - skewMs) < 200, 'what was gained in an hour')
  t.true(clocksOf(run).isSteady('n1'))
  run.cluster.node('n1').skewMs += 60_000
  t.false(clocksOf(run).isSteady('n1'))
  t.true(clocksOf(run).isSteady('n2'))
  t.false(clocksOf(run).wereSteady)
})
