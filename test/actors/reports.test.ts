import test from 'ava'
import { behindActive } from '../../actors/ca/progress.ts'
import { lastIndex } from '../../actors/command.ts'
import { expiry } from '../../actors/reports/expiry.ts'
import { bundleProgress, enforcement, leavesSignedBy, meshMembers, proxyReports } from '../../actors/reports/queries.ts'
import { foundCa, rotateCa } from '../kit/ca.ts'
import { instance, proxyTo, registration } from '../kit/catalog.ts'
import { nativeReport, report, tell, withNative, withSidecar } from '../kit/reports.ts'
import { emptyTables, type TestTables } from '../kit/tables.ts'

const idsOf = (tables: TestTables) => proxyReports(tables.view()).reports.map(({ node, serviceId }) => `${node}/${serviceId}`)

function deregister(tables: TestTables, serviceId: string): void {
  tables.apply([{ kind: 'catalog.deregister', atMs: 0, request: { node: 'n1', serviceId, checkId: '' } }])
}

function deny(tables: TestTables, source: string, destination: string): number {
  tables.apply([{ kind: 'intentions.put', atMs: 0, request: { source, destination, action: 'deny', description: '' } }])
  return lastIndex(tables.view())
}

function foundAuthority(tables: TestTables): void {
  foundCa(tables)
  rotateCa(tables, 'root-2')
}

test('what the sidecars of an agent tell is kept at one index', (t) => {
  const tables = emptyTables()
  withSidecar(tables, 'N1', 'web')
  withSidecar(tables, 'N1', 'db')
  tell(tables, 'N1', [report({ serviceId: 'web' }), report({ serviceId: 'db' })])
  const { index, reports } = proxyReports(tables.view())
  t.deepEqual(
    reports.map(({ node, serviceId, modifyIndex }) => [node, serviceId, modifyIndex]),
    [
      ['N1', 'db', index],
      ['N1', 'web', index],
    ],
  )
  t.is(index, lastIndex(tables.view()))
})

test('what says nothing new takes no index: the same again, other counters, another time for the same intentions', (t) => {
  const tables = emptyTables()
  withSidecar(tables, 'n1', 'web')
  tell(tables, 'n1', [report({ serviceId: 'web', enforcedMs: 7, closedConnections: 3 })])
  const before = lastIndex(tables.view())
  tell(tables, 'n1', [report({ serviceId: 'web', open: 9 })])
  t.is(lastIndex(tables.view()), before)
  t.like(proxyReports(tables.view()).reports[0], { enforcedMs: 7, closedConnections: 3 })
  tell(tables, 'n1', [report({ serviceId: 'web', intentionIndex: 2, open: 9 })])
  t.is(lastIndex(tables.view()), before + 1)
})

test('a report goes with its service, its sidecar, its node or its agent telling so; one that comes later is not kept', (t) => {
  const remove: Record<string, (tables: TestTables) => void> = {
    service: (tables) => deregister(tables, 'web'),
    sidecar: (tables) => deregister(tables, 'web-proxy'),
    node: (tables) => deregister(tables, ''),
    gone: (tables) => tell(tables, 'n1', [], ['web']),
  }
  for (const [what, work] of Object.entries(remove)) {
    const tables = emptyTables()
    withSidecar(tables, 'n1', 'web')
    withSidecar(tables, 'n2', 'web')
    for (const node of ['n1', 'n2']) tell(tables, node, [report({ serviceId: 'web' })])
    work(tables)
    t.deepEqual(idsOf(tables), ['n2/web'], what)
    t.is(proxyReports(tables.view()).index, lastIndex(tables.view()), what)
    if (what === 'service') {
      tell(tables, 'n1', [report({ serviceId: 'web' })])
      t.deepEqual(idsOf(tables), ['n2/web'])
    }
  }
})

test('a revocation is in force once every sidecar of the service says so; others are named as silent', (t) => {
  const tables = emptyTables()
  withSidecar(tables, 'n1', 'db')
  withSidecar(tables, 'n2', 'db')
  withSidecar(tables, 'n1', 'web')
  const envoy = instance({ id: 'db-envoy', name: 'db-envoy', ...proxyTo('db') })
  const native = instance({ id: 'db-native', name: 'db', native: true })
  for (const service of [envoy, native])
    tables.apply([{ kind: 'catalog.register', atMs: 0, request: registration({ node: 'n3', service }) }])
  const index = deny(tables, 'web', 'db')
  const told = (node: string, closedConnections: number) =>
    tell(tables, node, [report({ serviceId: 'db', intentionIndex: index, enforcedMs: 4, closedConnections })])
  told('n1', 14)
  const half = enforcement(tables.view(), { destination: 'db' })
  t.like(half, { intentionIndex: index, done: false, index: lastIndex(tables.view()) })
  t.deepEqual(half.proxies, [
    { node: 'n1', serviceId: 'db', service: 'db', done: true, intentionIndex: index, closed: 14, ms: 4 },
    { node: 'n2', serviceId: 'db', service: 'db', done: false, intentionIndex: 0, closed: 0, ms: 0 },
  ])
  t.deepEqual(half.silent, [
    { node: 'n3', serviceId: 'db-envoy', service: 'db', kind: 'proxy' },
    { node: 'n3', serviceId: 'db-native', service: 'db', kind: 'native' },
  ])
  const before = lastIndex(tables.view())
  told('n2', 0)
  t.true(enforcement(tables.view(), { destination: 'db' }).done)
  t.deepEqual(
    enforcement(tables.view(), { destination: 'db', since: before }).proxies.map(({ closed }) => closed),
    [0, 0],
  )
  t.true(enforcement(tables.view(), { destination: 'DB' }).done)
  t.deepEqual(enforcement(tables.view(), { destination: 'DB' }).proxies, [])
})

test('intentions on any destination concern every sidecar', (t) => {
  const tables = emptyTables()
  withSidecar(tables, 'n1', 'db')
  withSidecar(tables, 'n1', 'web')
  const index = deny(tables, 'web', '*')
  tell(tables, 'n1', [report({ serviceId: 'db', intentionIndex: index })])
  const found = enforcement(tables.view(), { destination: '*', index })
  t.deepEqual(
    found.proxies.map(({ service, done }) => [service, done]),
    [
      ['db', true],
      ['web', false],
    ],
  )
  t.false(found.done)
})

test('a bundle has spread once every sidecar that reports trusts the root', (t) => {
  const tables = emptyTables()
  foundAuthority(tables)
  withSidecar(tables, 'n1', 'db')
  withSidecar(tables, 'n1', 'web')
  tell(tables, 'n1', [report({ serviceId: 'db', bundle: ['root-1', 'root-2'], leafKeyId: 'key-of-root-2' })])
  t.like(bundleProgress(tables.view(), 'root-2'), { having: 1, presenting: 1, done: false })
  t.deepEqual(bundleProgress(tables.view(), 'root-2').proxies[1], {
    node: 'n1',
    serviceId: 'web',
    service: 'web',
    has: false,
    presents: false,
  })
  tell(tables, 'n1', [report({ serviceId: 'web', bundle: ['root-1', 'root-2'] })])
  t.like(bundleProgress(tables.view(), 'root-2'), { having: 2, presenting: 1, done: true })
})

test('leaves are found by the key that signed them, with the end of the last', (t) => {
  const tables = emptyTables()
  for (const name of ['a', 'b', 'c']) withSidecar(tables, 'n1', name)
  tell(tables, 'n1', [
    report({ serviceId: 'a', leafValidUntilMs: 5 }),
    report({ serviceId: 'b', leafValidUntilMs: 9 }),
    report({ serviceId: 'c', leafKeyId: 'key-2', leafValidUntilMs: 99 }),
  ])
  const { reports, lastEndMs } = leavesSignedBy(tables.view(), 'key-1')
  t.deepEqual(
    reports.map(({ serviceId }) => serviceId),
    ['a', 'b'],
  )
  t.is(lastEndMs, 9)
  t.is(leavesSignedBy(tables.view(), 'key-3').lastEndMs, 0)
})

test('the radar shows what ends next, what is oldest, and what nobody renews', (t) => {
  const tables = emptyTables()
  foundAuthority(tables)
  for (const name of ['fresh', 'late', 'failing', 'ended', 'new', 'mute']) withSidecar(tables, 'n1', name)
  tell(tables, 'n1', [
    report({ serviceId: 'fresh', leafIssuedMs: 500, leafRenewAtMs: 1_200, leafValidUntilMs: 1_500 }),
    report({ serviceId: 'late', leafIssuedMs: 0, leafRenewAtMs: 700, leafValidUntilMs: 1_000 }),
    report({
      serviceId: 'failing',
      leafIssuedMs: 500,
      leafRenewAtMs: 1_100,
      leafValidUntilMs: 1_600,
      leafWhy: 'no route to the authority',
    }),
    report({ serviceId: 'ended', leafIssuedMs: 1, leafRenewAtMs: 600, leafValidUntilMs: 900 }),
    report({ serviceId: 'new', leafSerial: '' }),
  ])
  const found = expiry(tables.view(), 950)
  t.deepEqual(
    found.leaves.map(({ serviceId }) => serviceId),
    ['ended', 'late', 'fresh', 'failing'],
  )
  t.deepEqual(
    found.atRisk.map(({ serviceId, why }) => `${serviceId}: ${why}`),
    ['ended: it has ended', 'late: it is past 90 % of its life and was not renewed', 'failing: renewing fails: no route to the authority'],
  )
  t.is(found.oldest?.serviceId, 'late')
  t.is(found.nextRenewal?.serviceId, 'ended')
  t.deepEqual(
    found.without.map(({ serviceId }) => serviceId),
    ['mute', 'new'],
  )
  t.deepEqual(
    found.roots.map(({ id, active }) => [id, active]),
    [
      ['root-1', false],
      ['root-2', true],
    ],
  )
})

test('a service with a proxy of its own program is not waited for', (t) => {
  const tables = emptyTables()
  const service = instance({ id: 'db-envoy', name: 'db-envoy', ...proxyTo('db') })
  tables.apply([{ kind: 'catalog.register', atMs: 0, request: registration({ service }) }])
  deny(tables, 'web', 'db')
  t.true(enforcement(tables.view(), { destination: 'db' }).done)
  t.is(meshMembers(tables.view()).silent.length, 1)
})

test('an application that tells counts like a sidecar; one that never told is silent, one that stopped is missing', (t) => {
  const tables = emptyTables()
  for (const name of ['db', 'mute']) withNative(tables, 'n1', name)
  const index = deny(tables, 'web', '*')
  t.like(enforcement(tables.view(), { destination: 'db' }), { proxies: [], done: true })
  tell(tables, 'n1', [nativeReport({ serviceId: 'db', intentionIndex: index - 1 })])
  const who = { node: 'n1', serviceId: 'db', service: 'db', native: true as const }
  t.deepEqual(enforcement(tables.view(), { destination: 'db' }).proxies, [
    { ...who, done: false, intentionIndex: index - 1, closed: 0, ms: 0 },
  ])
  tell(tables, 'n1', [nativeReport({ serviceId: 'db', intentionIndex: index, enforcedMs: 3, closedConnections: 2 })])
  const found = enforcement(tables.view(), { destination: '*' })
  t.true(found.done)
  t.deepEqual(found.proxies, [{ ...who, done: true, intentionIndex: index, closed: 2, ms: 3 }])
  t.deepEqual(found.silent, [{ node: 'n1', serviceId: 'mute', service: 'mute', kind: 'native' }])
  tell(tables, 'n1', [nativeReport({ serviceId: 'db', intentionIndex: index, lease: { kind: 'native', processes: [], withinMs: 0 } })])
  t.deepEqual(enforcement(tables.view(), { destination: 'db' }).proxies, [
    { ...who, done: false, intentionIndex: index, closed: 0, ms: 0, fellSilent: true },
  ])
  tell(tables, 'n1', [], ['db'])
  t.is(enforcement(tables.view(), { destination: 'db' }).silent.length, 1)
})

test('what an application told goes with its service, and counts no more once that is not native', (t) => {
  const tables = emptyTables()
  withNative(tables, 'n1', 'db')
  tell(tables, 'n1', [nativeReport({ serviceId: 'db' })])
  withNative(tables, 'n1', 'db', false)
  t.deepEqual(meshMembers(tables.view()).proxies, [])
  withNative(tables, 'n1', 'db')
  t.is(meshMembers(tables.view()).proxies.length, 1)
  deregister(tables, 'db')
  t.deepEqual(idsOf(tables), [])
})

test('a root waits for applications by name, and the radar has their leaves', (t) => {
  const tables = emptyTables()
  foundAuthority(tables)
  withNative(tables, 'n1', 'db')
  const force = { serviceId: 'db', leafIssuedMs: 0, leafValidUntilMs: 1_000 }
  tell(tables, 'n1', [nativeReport(force)])
  t.deepEqual(behindActive(tables.view()), ['n1/db (native)'])
  const renewed = { ...force, bundle: ['root-1', 'root-2'], leafKeyId: 'key-of-root-2' }
  tell(tables, 'n1', [nativeReport(renewed)])
  t.deepEqual(behindActive(tables.view()), [])
  t.like(expiry(tables.view(), 500), { leaves: [{ serviceId: 'db', native: true, why: '' }], silent: [] })
  tell(tables, 'n1', [nativeReport({ ...renewed, lease: { kind: 'native', processes: [], withinMs: 0 } })])
  t.deepEqual(behindActive(tables.view()), ['n1/db (native)'])
  t.is(expiry(tables.view(), 500).atRisk.length, 0)
  t.is(expiry(tables.view(), 950).atRisk[0]?.why, 'it is past 90 % of its life and was not renewed; it does not tell any more what it has')
})

test('who says to have intentions that are yet to come proves nothing', (t) => {
  const tables = emptyTables()
  withNative(tables, 'n1', 'db')
  tell(tables, 'n1', [nativeReport({ serviceId: 'db', intentionIndex: 9_999 })])
  const index = deny(tables, 'web', 'db')
  t.like(enforcement(tables.view(), { destination: 'db' }), { done: false, proxies: [{ intentionIndex: 0 }] })
  tell(tables, 'n1', [nativeReport({ serviceId: 'db', intentionIndex: index })])
  t.true(enforcement(tables.view(), { destination: 'db' }).done)
})
