import type { Transaction } from '../../src/kernel/tables.ts'
import { same } from '../catalog/same.ts'
import { nodeServiceKey, nodeServiceTable } from '../catalog/tables.ts'
import { bump, type CommandFunction } from '../command.ts'
import type { InForce } from '../proxy/protocol.ts'
import { PROXY_REPORTS, type ProxyReport, proxyReportTable } from './tables.ts'

/** What an agent tells of one of its sidecars, or of somebody who tells by itself. */
export type NewReport = Omit<ProxyReport, 'node' | 'modifyIndex'>
export type ConnectReport = {
  node: string
  reports: NewReport[]
  /** Ids of services whose sidecars run no more, and of others that have said that they end. */
  gone: string[]
}

/** Keeps what the sidecars and applications of an agent have in force. Of services that are not in the catalog nothing is kept: a report may be later
 * than the removal. What says nothing new takes no index. */
export const connectReport: CommandFunction<ConnectReport, null> = (tx, { index }, { node, reports, gone }) => {
  for (const report of reports) {
    const key = nodeServiceKey(node, report.serviceId)
    if (!tx.get(nodeServiceTable, key) || saysNothingNew(tx.get(proxyReportTable, key), report)) continue
    tx.put(proxyReportTable, key, { ...report, node, modifyIndex: index })
    bump(tx, PROXY_REPORTS, index)
  }
  for (const serviceId of gone) removeReport(tx, index, node, serviceId)
  return null
}

/** Forgets what was told of a service's sidecar, if anything was. */
export function removeReport(tx: Transaction, index: number, node: string, serviceId: string): void {
  if (tx.delete(proxyReportTable, nodeServiceKey(node, serviceId))) bump(tx, PROXY_REPORTS, index)
}

/** Counters alone are not worth a write; how long something took belongs to the index that it was for. */
export function saysNothingNew(before: ProxyReport | undefined, report: NewReport): boolean {
  if (before === undefined || before.service !== report.service) return false
  return same(before.lease, report.lease) && same(mattersOf(before), mattersOf(report))
}

/** What is in force, without what is counted. */
export function mattersOf(force: InForce): object {
  const { enforcedMs: _enforcedMs, closedConnections: _closedConnections, ...matters } = inForce(force)
  return matters
}

/** What is in force out of a record that may have more. */
export function inForce(force: InForce): InForce {
  const { rootsIndex, bundle, leafSerial, leafKeyId, leafIssuedMs, leafRenewAtMs, leafWhy, leafValidUntilMs } = force
  const { intentionIndex, enforcedMs, closedConnections } = force
  const certificate = { rootsIndex, bundle, leafSerial, leafKeyId, leafIssuedMs, leafRenewAtMs, leafWhy, leafValidUntilMs }
  return { ...certificate, intentionIndex, enforcedMs, closedConnections }
}
