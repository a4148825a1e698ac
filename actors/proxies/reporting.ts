import type { Turn } from '../../src/kernel/actor.ts'
import type { Cast } from '../../src/kernel/protocol.ts'
import { recordReads } from '../../src/kernel/recording-view.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import { joined } from '../../src/kernel/tables.ts'
import { same } from '../catalog/same.ts'
import { nodeKey, nodeServiceKey, nodeServiceTable } from '../catalog/tables.ts'
import { commit } from '../ledger.ts'
import type { ProxyStatus } from '../proxy/protocol.ts'
import { inForce, mattersOf, type NewReport, saysNothingNew } from '../reports/commands.ts'
import { proxyReportTable } from '../reports/tables.ts'
import { type Applications, applicationReports } from './applications.ts'
import type { ProxiesOwn } from './index.ts'

/** One command is under way at most; what changes meanwhile goes with the next. */
export type Reporting = { soon: boolean; underWay: boolean; failures: number }

export type ReportingOwn = { report: Cast<null>; reported: Cast<Result<null>> }

/** A sidecar that is wanted here; without a status while it has told none. */
export type Reported = { serviceId: string; service: string; status: ProxyStatus | null }

/** Sidecars of one agent tell at about the same time, and go into one command. */
const REPORT_AFTER_MS = 10
const RETRY_MS_MIN = 500
const RETRY_MS_MAX = 30_000

export function newReporting(): Reporting {
  return { soon: false, underWay: false, failures: 0 }
}

/** Whether a status says more than counters. */
export function hasNews(before: ProxyStatus | null, status: ProxyStatus): boolean {
  return before === null || before.phase !== status.phase || !same(mattersOf(before), mattersOf(status))
}

/** Something may have to be told. */
export function reportSoon(state: Reporting, turn: Turn<ProxiesOwn>): void {
  if (state.soon || state.underWay) return
  state.soon = true
  turn.timer('report', REPORT_AFTER_MS, { name: 'report', request: null })
}

/**
 * Compares what the sidecars and applications have in force with what the cluster was told of them, and proposes the difference. Comes
 * back when the cluster's record changes: it may be lost with a node or a service that others took out of the catalog.
 */
export function tellCluster(state: Reporting, proxies: Iterable<Reported>, applications: Applications, turn: Turn<ProxiesOwn>): void {
  state.soon = false
  if (state.underWay) return
  const { view, reads } = recordReads(turn.view)
  const prefix = joined(nodeKey(turn.node), '')
  const known = new Map([...view.range(proxyReportTable, { prefix })].map(([key, record]) => [key.slice(prefix.length), record]))
  const gone = new Set(known.keys())
  const reports: NewReport[] = []
  const wanted = applicationReports(applications, known, view, turn)
  for (const proxy of proxies) wanted.set(proxy.serviceId, reportOf(proxy))
  for (const [serviceId, report] of wanted) {
    gone.delete(serviceId)
    if (!report || !view.get(nodeServiceTable, nodeServiceKey(turn.node, serviceId))) continue
    if (!saysNothingNew(known.get(serviceId), report)) reports.push(report)
  }
  turn.wake('reports', reads, { name: 'report', request: null })
  if (reports.length === 0 && gone.size === 0) return
  state.underWay = true
  turn.cancel('report')
  turn.count('connect.reports', reports.length)
  commit(turn, 'connect.report', { node: turn.node, reports, gone: [...gone] }, (result) => ({ name: 'reported', request: result }))
}

/** What became of a proposal. Whatever it was, the cluster's record is looked at again. */
export function told(state: Reporting, result: Result<null>, turn: Turn<ProxiesOwn>): void {
  state.underWay = false
  if (!isRefused(result)) {
    state.failures = 0
    return reportSoon(state, turn)
  }
  const waitMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** state.failures++)
  turn.print('warn', 'cannot tell the cluster what the proxies have in force', { error: result.why, retryMs: waitMs })
  state.soon = true
  turn.timer('report', waitMs, { name: 'report', request: null })
}

/** One that takes no connections yet has nothing in force that matters; what was told of its earlier life stays. */
function reportOf({ serviceId, service, status }: Reported): NewReport | undefined {
  if (status?.phase !== 'listening') return undefined
  return { serviceId, service, ...inForce(status), open: status.inboundOpen }
}
