import test from 'ava'
import type { ServiceDefinition } from '../../actors/definitions.ts'
import { feedsRef } from '../../actors/feeds/protocol.ts'
import { leafRef } from '../../actors/leaf/protocol.ts'
import { proxies } from '../../actors/proxies/index.ts'
import type { ProxyStatus } from '../../actors/proxy/protocol.ts'
import type { ConnectReport } from '../../actors/reports/commands.ts'
import { proxyReports } from '../../actors/reports/queries.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import { registration } from '../kit/catalog.ts'
import { proxySettings } from '../kit/proxies.ts'
import { report, tell, withSidecar } from '../kit/reports.ts'
import { emptyTables } from '../kit/tables.ts'
import { tryActor } from '../kit/try-actor.ts'

const SETTINGS = proxySettings({ portMax: 20_255 })

function definition(name: string): ServiceDefinition {
  return {
    ...{ id: name, name, kind: '', tags: [], address: '', taggedAddresses: {}, meta: {}, port: 8_080, socketPath: '', token: '' },
    ...{ enableTagOverride: false, weights: { passing: 1, warning: 1 }, checks: [] },
    connect: { native: false, proxy: { execMode: 'daemon', command: [], config: { upstreams: [], opaque: {} } } },
  }
}

function status(port: number, more: Partial<ProxyStatus> = {}): ProxyStatus {
  const { serviceId: _serviceId, service: _service, open: inboundOpen, ...force } = report({ serviceId: '' })
  const counters = { inboundOpen, accepted: 0, refusedConnections: 0, closedByIntentions: 0, refusals: [], pairs: [], upstreams: [] }
  return { phase: 'listening', why: '', refused: '', address: '0.0.0.0', port, ...counters, ...force, ...more }
}

function tryReporting(names: string[], { commits = 'apply' as 'apply' | 'keep', tables = emptyTables() } = {}) {
  const a = tryActor(proxies, { args: { enabled: true, settings: SETTINGS, feeds: feedsRef, leaf: leafRef }, tables, commits })
  const load = () => {
    a.outcome('store', { records: [] })
    a.value('services', names.map(definition))
  }
  load()
  return {
    a,
    load,
    says: (name: string, more: Partial<ProxyStatus> = {}) => a.value(`status/${name}`, status(20_000 + names.indexOf(name), more)),
    /** What was proposed since the last look. */
    proposed: () =>
      a
        .effects()
        .flatMap((effect) => (effect.did === 'commit' && effect.kind === 'connect.report' ? [effect.request as ConnectReport] : [])),
    kept: () => proxyReports(tables.view()).reports.map(({ serviceId, intentionIndex }) => `${serviceId} ${intentionIndex}`),
  }
}

const NAMES = Array.from({ length: 100 }, (_, number) => `s${100 + number}`)

function catalogOf(names: string[]) {
  const tables = emptyTables()
  for (const name of names) withSidecar(tables, 'n1', name)
  return tables
}

test('what all sidecars of an agent have in force goes into one command, and counters into none', (t) => {
  const { a, says, proposed, kept } = tryReporting(NAMES, { tables: catalogOf(NAMES) })
  for (const name of NAMES) says(name)
  a.wait(100)
  t.deepEqual(
    proposed().map(({ node, reports, gone }) => [node, reports.length, gone]),
    [['n1', 100, []]],
  )
  t.is(kept().length, 100)
  for (let second = 0; second < 60; second++) {
    for (const name of NAMES) says(name, { accepted: second, inboundOpen: second })
    a.wait(1_000)
  }
  t.deepEqual(proposed(), [], 'an idle cluster writes nothing')
})

test('what changes while a command is under way goes with the next, newest only', (t) => {
  const { a, says, proposed } = tryReporting(['web'], { tables: catalogOf(['web']), commits: 'keep' })
  for (const intentionIndex of [1, 2, 3, 4]) {
    says('web', { intentionIndex })
    a.wait(20)
  }
  t.deepEqual(
    proposed().map(({ reports }) => reports[0]?.intentionIndex),
    [1],
  )
  a.answer('commit', null)
  a.wait(20)
  t.deepEqual(
    proposed().map(({ reports }) => reports[0]?.intentionIndex),
    [4],
  )
})

test('a refused command is proposed again, later and later, with what holds then', (t) => {
  const { a, says, proposed } = tryReporting(['web'], { tables: catalogOf(['web']), commits: 'keep' })
  says('web', { intentionIndex: 1 })
  a.wait(20)
  for (const waitMs of [500, 1_000, 2_000]) {
    a.answer('commit', refuse('busy', 'no majority'))
    proposed()
    says('web', { intentionIndex: waitMs })
    a.wait(waitMs - 100)
    t.deepEqual(proposed(), [])
    a.wait(100)
    t.is(proposed()[0]?.reports[0]?.intentionIndex, waitMs)
  }
})

test('a service that the catalog does not have yet is told of once it has', (t) => {
  const tables = emptyTables()
  const { a, says, kept } = tryReporting(['web'], { tables })
  says('web')
  a.wait(100)
  t.deepEqual(kept(), [])
  withSidecar(tables, 'n1', 'web')
  a.commit('catalog.register', registration())
  a.wait(100)
  t.deepEqual(kept(), ['web 1'])
})

test('what others take out of the record is told again', (t) => {
  const tables = catalogOf(['web'])
  const { a, says, kept } = tryReporting(['web'], { tables })
  says('web')
  a.wait(100)
  a.commit('catalog.deregister', { node: 'n1', serviceId: '', checkId: '' })
  t.deepEqual(kept(), [])
  withSidecar(tables, 'n1', 'web')
  a.commit('catalog.register', registration())
  a.wait(100)
  t.deepEqual(kept(), ['web 1'])
})

test('sidecars that run no more leave the record; those of other agents stay', (t) => {
  const tables = catalogOf(['web', 'db'])
  withSidecar(tables, 'n2', 'old')
  tell(tables, 'n1', [report({ serviceId: 'db' })])
  tell(tables, 'n2', [report({ serviceId: 'old' })])
  const { a, says, kept } = tryReporting(['web'], { tables })
  says('web')
  a.wait(100)
  t.deepEqual(kept(), ['web 1', 'old 1'])
  a.value('services', [])
  a.wait(100)
  t.deepEqual(kept(), ['old 1'])
})

test('while a sidecar takes no connections, what was told before stays', (t) => {
  const { a, load, says, proposed, kept } = tryReporting(['web'], { tables: catalogOf(['web']) })
  says('web', { intentionIndex: 7 })
  a.wait(100)
  proposed()
  a.restart()
  load()
  a.wait(100)
  says('web', { phase: 'waiting', intentionIndex: 0, leafSerial: '' })
  a.wait(100)
  t.deepEqual(proposed(), [])
  t.deepEqual(kept(), ['web 7'])
})
