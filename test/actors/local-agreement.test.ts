import test from 'ava'
import fc from 'fast-check'
import { nodeChecks, servicesOf } from '../../actors/catalog/queries.ts'
import { local } from '../../actors/local/index.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import { localArgs, managedProxy, service, tcpCheck, tryLocal, ttlCheck } from '../kit/local.ts'
import { tryActor } from '../kit/try-actor.ts'

type Tried = ReturnType<typeof tryLocal>

const id = fc.constantFrom('a', 'b', 'c')
const status = fc.constantFrom('passing' as const, 'warning' as const, 'critical' as const)
const definition = fc
  .record({
    id,
    port: fc.integer({ min: 1, max: 3 }),
    ttl: fc.boolean(),
    tcp: fc.boolean(),
    kind: fc.constantFrom('', 'sidecar', 'managed'),
  })
  .map(({ id: name, port, ttl, tcp, kind }) =>
    service({
      name,
      port,
      checks: [
        ...(ttl ? [ttlCheck(`ttl-${name}`, { serviceId: name, deregisterCriticalServiceAfterMs: 60_000 })] : []),
        ...(tcp ? [tcpCheck(`tcp-${name}`, { serviceId: name })] : []),
      ],
      ...(kind === 'sidecar' && { connect: { native: false, sidecarService: service({ name: '', id: '', port: 0 }) } }),
      ...(kind === 'managed' && { connect: managedProxy }),
    }),
  )

/** One thing that may happen to an agent. */
const step: fc.Arbitrary<(a: Tried) => unknown> = fc.oneof(
  fc.tuple(definition, fc.boolean()).map(
    ([one, replace]) =>
      (a: Tried) =>
        a.register(one, replace),
  ),
  id.map((serviceId) => (a: Tried) => a.ask('deregisterService', { serviceId, token: '' })),
  id.map((name) => (a: Tried) => a.ask('deregisterService', { serviceId: `${name}-sidecar-proxy`, token: '' })),
  fc.tuple(id, fc.option(id, { nil: '' })).map(
    ([name, serviceId]) =>
      (a: Tried) =>
        a.ask('registerCheck', { check: ttlCheck(`own-${name}`, { serviceId }), token: '' }),
  ),
  id.map(
    (name) => (a: Tried) => a.ask('registerCheck', { check: tcpCheck(`alias-${name}`, { type: 'alias', aliasService: name }), token: '' }),
  ),
  fc.tuple(fc.constantFrom('ttl', 'tcp', 'own', 'alias'), id).map(
    ([kind, name]) =>
      (a: Tried) =>
        a.ask('deregisterCheck', { checkId: `${kind}-${name}`, token: '' }),
  ),
  fc.tuple(id, status).map(
    ([name, now]) =>
      (a: Tried) =>
        a.ask('ttlUpdate', { checkId: `ttl-${name}`, status: now, output: now, token: '' }),
  ),
  fc.tuple(id, status, fc.nat(3)).map(
    ([name, now, output]) =>
      (a: Tried) =>
        a.cast('checked', { checkId: `tcp-${name}`, status: now, output: `${output}` }),
  ),
  fc.tuple(id, fc.boolean()).map(
    ([serviceId, enable]) =>
      (a: Tried) =>
        a.ask('serviceMaintenance', { serviceId, enable, reason: '', token: '' }),
  ),
  fc.boolean().map((enable) => (a: Tried) => a.ask('nodeMaintenance', { enable, reason: '', token: '' })),
  fc.tuple(id, fc.integer({ min: 20_000, max: 20_002 })).map(
    ([serviceId, port]) =>
      (a: Tried) =>
        a.ask('proxyListening', { serviceId, address: '', port }),
  ),
  fc
    .uniqueArray(definition, { maxLength: 2, selector: (one) => one.id })
    .map((services) => (a: Tried) => a.ask('reload', { services, checks: [] })),
  fc.integer({ min: 1, max: 40_000 }).map((ms) => (a: Tried) => a.pass(ms)),
  id.map((serviceId) => (a: Tried) => a.commit('catalog.deregister', { node: 'n1', serviceId, checkId: '' })),
  fc.constant((a: Tried) => a.crash()),
)

/** What is announced of everything here. */
function here(a: Tried): unknown {
  return {
    services: [...a.state.services.values()].map(({ definition: { id: own, name, port } }) => `${own} ${name} ${port}`).sort(),
    checks: [...a.state.checks.values()].map((check) => `${check.definition.id} of ${check.definition.serviceId}: ${check.status}`).sort(),
  }
}

function inCatalog(a: Tried): unknown {
  const view = a.tables.view()
  return {
    services: servicesOf(view, 'n1')
      .filter(({ name }) => name !== 'consul')
      .map(({ id: own, name, port }) => `${own} ${name} ${port}`)
      .sort(),
    checks: nodeChecks(view, 'n1')
      .checks.filter(({ check }) => check.checkId !== 'serfHealth')
      .map(({ check, service: of }) => `${check.checkId} of ${of?.id ?? ''}: ${check.status}`)
      .sort(),
  }
}

test('whatever happens, after a full comparison the catalog knows exactly what is here', (t) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const a = tryLocal({ allowManagedApiRegistration: true })
      for (const take of steps) take(a)
      // Sidecars that listened before a crash say so again.
      for (const { definition: one } of [...a.state.services.values()]) {
        if (one.connect?.proxy) a.ask('proxyListening', { serviceId: one.id, address: '', port: 20_000 })
      }
      a.pass(120_000)
      t.deepEqual(inCatalog(a), here(a))
    }),
    { numRuns: 400 },
  )
})

test('without anybody meddling with the catalog, it is right after every single step', (t) => {
  const isMeddling = (take: unknown) => String(take).includes('catalog.deregister') || String(take).includes('crash')
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const a = tryLocal({ allowManagedApiRegistration: true })
      for (const take of steps.filter((one) => !isMeddling(one))) {
        take(a)
        t.deepEqual(inCatalog(a), here(a))
      }
    }),
    { numRuns: 300 },
  )
})

test('what was registered through the API is there again after the process ended', (t) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const a = tryLocal({ allowManagedApiRegistration: true })
      for (const take of steps) take(a)
      const before = [...a.state.services.values()].filter(({ origin }) => origin === 'api').map(({ definition: one }) => one.id)
      const checks = [...a.state.checks.values()].filter(
        (one) => one.origin === 'api' && one.standalone && a.state.services.get(one.definition.serviceId)?.origin !== 'file',
      )
      const b = tryLocal({ allowManagedApiRegistration: true, boot: 'second' }, { kept: a.kept, tables: a.tables, nowMs: a.nowMs })
      t.deepEqual(
        [...b.state.services.values()]
          .filter(({ origin }) => origin === 'api')
          .map(({ definition: one }) => one.id)
          .sort(),
        before.sort(),
      )
      for (const one of checks)
        if (a.state.services.get(one.definition.serviceId)?.origin !== 'derived')
          t.true(b.state.checks.has(one.definition.id), one.definition.id)
    }),
    { numRuns: 300 },
  )
})

test('what is kept is what was registered through the API, and what belongs to a service goes with it', (t) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const a = tryLocal({ allowManagedApiRegistration: true })
      for (const take of steps) {
        take(a)
        const services = [...a.state.services.values()]
          .filter(({ origin }) => origin === 'api')
          .map(({ definition: one }) => `service/${one.id}`)
        const checks = [...a.state.checks.values()]
          .filter(({ origin, standalone }) => origin === 'api' && standalone)
          .map(({ definition: one }) => `check/${one.id}`)
        t.deepEqual(
          a
            .keptIds()
            .filter((one) => !one.startsWith('check-state/'))
            .sort(),
          [...services, ...checks].sort(),
        )
        for (const one of a.keptIds())
          if (one.startsWith('check-state/')) t.is(a.state.checks.get(one.slice('check-state/'.length))?.type, 'ttl')
        for (const { parent } of a.state.services.values()) t.true(parent === '' || a.state.services.has(parent), `parent ${parent}`)
      }
    }),
    { numRuns: 300 },
  )
})

test('while the catalog takes nothing it is tried again, later and later, and soon once it took something', (t) => {
  const a = tryActor(local, { args: localArgs(), commits: 'keep', nowMs: 1_000_000 })
  a.outcome('store', { records: [] })
  const commits = () => a.effects().filter(({ did }) => did === 'commit').length
  const waitedMs = () => {
    const beganMs = a.nowMs
    while (commits() === 0) a.wait(100)
    return a.nowMs - beganMs
  }
  const refuseOne = () => a.answer('commit', refuse('busy', 'No cluster leader'))
  commits()
  for (let failures = 0; failures < 6; failures++) {
    refuseOne()
    const leastMs = Math.min(15_000, 1_000 * 2 ** failures)
    const ms = waitedMs()
    t.true(ms >= leastMs && ms <= leastMs * 2 + 100, `after ${failures + 1} failures: ${ms} ms`)
  }
  refuseOne()
  a.call('registerService', { service: service({ name: 'web' }), replaceExistingChecks: false, token: '' })
  while (a.acts('store').length > 0) a.outcome('store', { records: [] })
  t.true(commits() > 0)
  a.answer('commit', null)
  t.true(waitedMs() <= 2_100)
})
