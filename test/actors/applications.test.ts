import test from 'ava'
import fc from 'fast-check'
import { feedsRef } from '../../actors/feeds/protocol.ts'
import { leafRef } from '../../actors/leaf/protocol.ts'
import { PROCESSES_MAX } from '../../actors/proxies/applications.ts'
import { proxies } from '../../actors/proxies/index.ts'
import type { ApplicationTold } from '../../actors/proxies/protocol.ts'
import type { InForce } from '../../actors/proxy/protocol.ts'
import { inForce } from '../../actors/reports/commands.ts'
import { proxyReports } from '../../actors/reports/queries.ts'
import { granted } from '../kit/asking.ts'
import { proxySettings } from '../kit/proxies.ts'
import { nativeReport, report, withNative } from '../kit/reports.ts'
import { emptyTables } from '../kit/tables.ts'
import { tryActor } from '../kit/try-actor.ts'

const SETTINGS = proxySettings({ portMax: 20_255 })
const WITHIN_MS = 30_000
const WRITTEN_MS = 100

function told(given: Partial<InForce>, more: Partial<ApplicationTold> = {}): ApplicationTold & { token: string } {
  const force = { ...inForce(report({ serviceId: 'db' })), ...given }
  return { serviceId: 'db', service: 'db', kind: 'native', process: 'p1', withinMs: WITHIN_MS, open: 0, inForce: force, token: '', ...more }
}

/** An agent with the native service db, and what the cluster has of it. */
function tryApplications(tables = emptyTables()) {
  withNative(tables, 'n1', 'db')
  const a = tryActor(proxies, { args: { enabled: true, settings: SETTINGS, feeds: feedsRef, leaf: leafRef }, tables })
  const load = () => {
    a.outcome('store', { records: [] })
    a.value('services', [])
    a.wait(WRITTEN_MS)
  }
  load()
  return {
    a,
    tables,
    restart() {
      a.restart()
      load()
    },
    says(given: Partial<InForce>, more: Partial<ApplicationTold> = {}) {
      granted(a.call('applicationTells', told(given, more)).result)
      a.wait(WRITTEN_MS)
    },
    ends(process = 'p1') {
      granted(a.call('applicationEnds', { serviceId: 'db', service: 'db', process, token: '' }).result)
      a.wait(WRITTEN_MS)
    },
    commits: () => a.effects().filter(({ did }) => did === 'commit').length,
    row: () => proxyReports(tables.view()).reports.find(({ serviceId }) => serviceId === 'db'),
  }
}

test('what an application tells is kept; the same again takes no command, and is due in time', (t) => {
  const { a, says, row, commits } = tryApplications()
  says({ intentionIndex: 7, closedConnections: 2 }, { open: 3 })
  t.like(row(), { node: 'n1', service: 'db', intentionIndex: 7, closedConnections: 2, open: 3 })
  t.deepEqual(row()?.lease, { kind: 'native', processes: ['p1'], withinMs: WITHIN_MS })
  t.is(commits(), 1)
  for (let count = 0; count < 10; count++) {
    a.wait(WITHIN_MS - 1_000)
    says({ intentionIndex: 7, closedConnections: 2 }, { open: count })
  }
  t.is(commits(), 0)
})

test('one that does not tell again in time is known to be silent, until it does; the clock does not matter', (t) => {
  const { a, says, row } = tryApplications()
  says({ intentionIndex: 7 })
  a.setClock(3_600_000)
  a.wait(WITHIN_MS - 2 * WRITTEN_MS)
  t.deepEqual(row()?.lease?.processes, ['p1'])
  a.wait(3 * WRITTEN_MS)
  t.deepEqual(row()?.lease?.processes, [])
  t.like(
    a.effects().find(({ did }) => did === 'print'),
    { level: 'warn', line: 'what a service has in force is not told any more', facts: { service: 'db' } },
  )
  says({ intentionIndex: 8 })
  t.like(row(), { intentionIndex: 8, lease: { kind: 'native', processes: ['p1'] } })
})

test('one that ends leaves the record, also after it was silent', (t) => {
  for (const silentMs of [0, WITHIN_MS + WRITTEN_MS]) {
    const { a, says, ends, row } = tryApplications()
    says({})
    a.wait(silentMs)
    ends()
    t.is(row(), undefined)
    a.wait(2 * WITHIN_MS)
    t.is(row(), undefined)
    says({ intentionIndex: 4 })
    t.is(row()?.intentionIndex, 4)
  }
})

test('of several processes that holds which all have; one that ends or dies holds nothing up', (t) => {
  const { a, says, ends, row } = tryApplications()
  const old = { intentionIndex: 5, bundle: ['r1'], leafSerial: '01', leafKeyId: 'k1', leafValidUntilMs: 1_000, closedConnections: 1 }
  const next = { intentionIndex: 9, bundle: ['r1', 'r2'], leafSerial: '02', leafKeyId: 'k2', leafValidUntilMs: 9_000, closedConnections: 2 }
  says(next, { process: 'p2', open: 1 })
  says(old, { process: 'p1', open: 4 })
  t.like(row(), { ...old, closedConnections: 3, open: 5, lease: { kind: 'native', processes: ['p1', 'p2'] } })
  says(next, { process: 'p1' })
  t.like(row(), { intentionIndex: 9, bundle: ['r1', 'r2'], leafKeyId: 'k2', closedConnections: 4 })
  says(old, { process: 'p3' })
  ends('p3')
  t.like(row(), { intentionIndex: 9, lease: { kind: 'native', processes: ['p1', 'p2'] } })
  says(old, { process: 'p4', withinMs: 5_000 })
  t.is(row()?.intentionIndex, 5)
  a.wait(5_000)
  t.like(row(), { intentionIndex: 9, lease: { kind: 'native', processes: ['p1', 'p2'] } })
})

test('processes without number are refused', (t) => {
  const { a, says } = tryApplications()
  for (let count = 0; count < PROCESSES_MAX; count++) says({}, { process: `p${count}` })
  t.like(a.call('applicationTells', told({}, { process: 'more' })).result, { refused: 'busy' })
  says({}, { process: 'p3' })
})

test('what was told to an earlier life of the agent holds until it would have been told again', (t) => {
  const { a, says, row, restart } = tryApplications()
  says({ intentionIndex: 7 }, { process: 'p1' })
  says({ intentionIndex: 7 }, { process: 'p2' })
  restart()
  t.deepEqual(row()?.lease?.processes, ['p1', 'p2'])
  says({ intentionIndex: 9 }, { process: 'p1' })
  t.is(row()?.intentionIndex, 7, 'the other one has not said so')
  a.wait(WITHIN_MS)
  t.like(row(), { intentionIndex: 9, lease: { kind: 'native', processes: [] } })
})

test('one that was silent before the agent was started again stays so', (t) => {
  const { a, says, row, restart } = tryApplications()
  says({})
  a.wait(WITHIN_MS + WRITTEN_MS)
  restart()
  t.deepEqual(row()?.lease?.processes, [])
})

test('what others take out of the record is told again; of a service that is not native any more nothing is', (t) => {
  const { a, tables, says, row } = tryApplications()
  says({ intentionIndex: 7 })
  a.commit('catalog.deregister', { node: 'n1', serviceId: '', checkId: '' })
  t.is(row(), undefined)
  withNative(tables, 'n1', 'other')
  withNative(tables, 'n1', 'db')
  says({ intentionIndex: 7 })
  t.is(row()?.intentionIndex, 7)
  withNative(tables, 'n1', 'db', false)
  says({ intentionIndex: 8 })
  t.is(row(), undefined)
})

test('a leaf that the agent does not know any more keeps the signer that it was told with', (t) => {
  const { says, row } = tryApplications()
  says({ leafSerial: '01', leafKeyId: 'k1', leafValidUntilMs: 5_000, leafRenewAtMs: 3_000 })
  says({ leafSerial: '01', leafKeyId: '', leafValidUntilMs: 5_001, leafRenewAtMs: 4_000, intentionIndex: 7 })
  t.like(row(), { leafKeyId: 'k1', leafValidUntilMs: 5_000, leafRenewAtMs: 3_000, intentionIndex: 7 })
  says({ leafSerial: '02', leafKeyId: '' })
  t.is(row()?.leafKeyId, '')
})

test('what was told just before the end and comes into the tables only later goes, too', (t) => {
  const { a, says, ends, row } = tryApplications()
  says({})
  ends()
  a.commit('connect.report', { node: 'n1', reports: [nativeReport({ serviceId: 'db' })], gone: [] })
  a.wait(WRITTEN_MS)
  t.is(row(), undefined)
})

const process = fc.constantFrom('p1', 'p2', 'p3')
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('tell' as const), process, by: fc.integer({ min: 0, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('end' as const), process }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1_000, 9_000, 14_000, WITHIN_MS) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
)

test('whatever processes do, nothing is in force that one of those who live has not told, and nobody counts who does not tell', (t) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const { a, says, ends, row, restart } = tryApplications()
      /** What each process has told last, and until when that holds. */
      const told = new Map<string, { index: number; untilMs: number }>()
      let newest = 1
      for (const one of steps) {
        const before = a.nowMs
        if (one.do === 'tell') {
          newest += one.by
          says({ intentionIndex: newest }, { process: one.process })
          told.set(one.process, { index: newest, untilMs: before + WITHIN_MS })
        } else if (one.do === 'end') {
          ends(one.process)
          told.delete(one.process)
        } else if (one.do === 'wait') a.wait(one.ms)
        else {
          // Those who live have their time again, with what held for all of them.
          const least = Math.min(...[...told.values()].map(({ index }) => index))
          restart()
          for (const name of told.keys()) told.set(name, { index: least, untilMs: before + WITHIN_MS })
        }
        a.wait(WRITTEN_MS)
        for (const [name, { untilMs }] of told) if (untilMs <= a.nowMs - WRITTEN_MS / 2) told.delete(name)
        if ([...told.values()].some(({ untilMs }) => Math.abs(untilMs - a.nowMs) <= WRITTEN_MS)) continue
        t.deepEqual(row()?.lease?.processes ?? [], [...told.keys()].sort())
        if (told.size > 0) t.is(row()?.intentionIndex, Math.min(...[...told.values()].map(({ index }) => index)))
      }
    }),
  )
})
