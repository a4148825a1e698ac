import type { Turn } from '../../src/kernel/actor.ts'
import type { Cast } from '../../src/kernel/protocol.ts'
import { assert, type Refusal, refuse } from '../../src/kernel/refusal.ts'
import type { View } from '../../src/kernel/tables.ts'
import { instanceTable } from '../catalog/records.ts'
import { instanceKey, nodeServiceKey, nodeServiceTable } from '../catalog/tables.ts'
import type { InForce } from '../proxy/protocol.ts'
import { inForce, type NewReport } from '../reports/commands.ts'
import type { Lease, ProxyReport } from '../reports/tables.ts'
import type { ProxiesOwn } from './index.ts'
import type { ApplicationTold } from './protocol.ts'

/** What applications that are in the mesh by themselves have told, and proxies that this agent does not run. */
export type Applications = {
  /** By the id of their service. */
  known: Map<string, Application>
  /** Ids of services whose applications have said that they end: for a while, since what they told may only now come into the tables. */
  ended: Set<string>
}
/** Processes that tell, by name; none once all are silent. `report`: what holds for all of them, or held for the last. */
type Application = { service: string; processes: Map<string, ApplicationTold>; report: NewReport }

export type ApplicationsOwn = {
  applicationSilent: Cast<{ serviceId: string; process: string }>
  applicationForgotten: Cast<{ serviceId: string }>
}

/** Processes that tell of one service at most. */
export const PROCESSES_MAX = 16
const ENDED_MS = 60_000

export function noApplications(): Applications {
  return { known: new Map(), ended: new Set() }
}

/** Takes what a process tells; it holds until it is told anew, the process ends, or it was not told again in time. */
export function takeTold({ known, ended }: Applications, told: ApplicationTold, turn: Turn<ProxiesOwn>): Refusal | undefined {
  const { serviceId, service, process } = told
  const before = known.get(serviceId)
  const processes = new Map(before?.service === service ? before.processes : [])
  if (!processes.has(process) && processes.size >= PROCESSES_MAX)
    return refuse('busy', `${PROCESSES_MAX} processes tell of service ${JSON.stringify(serviceId)} already`)
  processes.set(process, { ...told, inForce: withKnownLeaf(told.inForce, before) })
  known.set(serviceId, { service, processes, report: reportOf(serviceId, service, [...processes.values()]) })
  ended.delete(serviceId)
  waitFor(told, turn)
  return undefined
}

/** A process has not told again in time. What its service has in force is not known any more if it was the last. */
export function fellSilent({ known }: Applications, serviceId: string, process: string, turn: Turn<ProxiesOwn>): void {
  const application = known.get(serviceId)
  if (!application?.processes.delete(process)) return
  const { service, processes, report } = application
  if (processes.size > 0) {
    application.report = reportOf(serviceId, service, [...processes.values()])
    return
  }
  application.report = { ...report, lease: { kind: report.lease?.kind ?? 'native', processes: [], withinMs: 0 }, open: 0 }
  turn.print('warn', 'what a service has in force is not told any more', { service: serviceId })
}

/** A process ends. With the last one, what was told of the service goes. */
export function takeEnd({ known, ended }: Applications, serviceId: string, process: string, turn: Turn<ProxiesOwn>): void {
  turn.cancel(timerOf(serviceId, process))
  const application = known.get(serviceId)
  application?.processes.delete(process)
  if (application && application.processes.size > 0) {
    application.report = reportOf(serviceId, application.service, [...application.processes.values()])
    return
  }
  known.delete(serviceId)
  ended.add(serviceId)
  turn.timer(`ended/${serviceId}`, ENDED_MS, { name: 'applicationForgotten', request: { serviceId } })
}

/**
 * What the cluster is to have of the applications of this node, by service id; `undefined` is to stay as it is. `rows`: what it has.
 * Processes of rows that nobody here has told of did so in an earlier life of this agent: they have their time once more.
 */
export function applicationReports(
  { known, ended }: Applications,
  rows: ReadonlyMap<string, ProxyReport>,
  view: View,
  turn: Turn<ProxiesOwn>,
): Map<string, NewReport | undefined> {
  const reports = new Map<string, NewReport | undefined>()
  for (const [serviceId, row] of rows) {
    if (!row.lease || known.has(serviceId) || ended.has(serviceId) || mayTell(view, turn.node, serviceId) === false) continue
    if (row.lease.processes.length === 0) reports.set(serviceId, undefined)
    else known.set(serviceId, remembered(row, row.lease, turn))
  }
  for (const [serviceId, { processes, report }] of known) {
    const may = mayTell(view, turn.node, serviceId)
    if (may) reports.set(serviceId, report)
    // One that tells comes back with its service; of one that is silent nothing is left to tell.
    else if (may === false || processes.size === 0) known.delete(serviceId)
  }
  return reports
}

/** Whether a service is one that tells by itself; undefined while the catalog has no such service of the node. */
function mayTell(view: View, node: string, serviceId: string): boolean | undefined {
  const at = view.get(nodeServiceTable, nodeServiceKey(node, serviceId))
  const instance = at && instanceTable.get(view, instanceKey(at.name, node, serviceId))
  return instance && (instance.native || (instance.kind === 'connect-proxy' && !instance.proxy?.reports))
}

function remembered(row: ProxyReport, { kind, processes: names, withinMs }: Lease, turn: Turn<ProxiesOwn>): Application {
  const { serviceId, service, open } = row
  const told = names.map((process): ApplicationTold => {
    return { serviceId, service, kind, process, withinMs, inForce: { ...inForce(row), closedConnections: 0 }, open }
  })
  for (const one of told) waitFor(one, turn)
  return { service, processes: new Map(told.map((one) => [one.process, one])), report: reportOf(serviceId, service, told) }
}

function waitFor({ serviceId, process, withinMs }: ApplicationTold, turn: Turn<ProxiesOwn>): void {
  turn.timer(timerOf(serviceId, process), withinMs, { name: 'applicationSilent', request: { serviceId, process } })
}

function timerOf(serviceId: string, process: string): string {
  return `application/${JSON.stringify([serviceId, process])}`
}

/** What every one of the processes has in force; of their leaves, the one that ends first. */
function reportOf(serviceId: string, service: string, told: readonly ApplicationTold[]): NewReport {
  const forces = told.map((one) => one.inForce)
  const [first] = forces.toSorted((a, b) => a.leafValidUntilMs - b.leafValidUntilMs)
  assert(first, 'an application tells by one process at least')
  return {
    serviceId,
    service,
    ...first,
    rootsIndex: Math.min(...forces.map(({ rootsIndex }) => rootsIndex)),
    bundle: first.bundle.filter((id) => forces.every(({ bundle }) => bundle.includes(id))),
    intentionIndex: Math.min(...forces.map(({ intentionIndex }) => intentionIndex)),
    enforcedMs: Math.max(...forces.map(({ enforcedMs }) => enforcedMs)),
    closedConnections: sum(forces.map(({ closedConnections }) => closedConnections)),
    open: sum(told.map(({ open }) => open)),
    lease: {
      kind: told[0]?.kind ?? 'native',
      processes: told.map(({ process }) => process).sort(),
      withinMs: Math.max(...told.map(({ withinMs }) => withinMs)),
    },
  }
}

/** Who signed a leaf is known no more once there is a newer one; an application may not have taken that yet. */
function withKnownLeaf(force: InForce, before: Application | undefined): InForce {
  if (!before || force.leafKeyId !== '') return force
  const known = [...[...before.processes.values()].map((one) => one.inForce), before.report].find(
    ({ leafSerial }) => leafSerial === force.leafSerial,
  )
  if (!known) return force
  const { leafKeyId, leafIssuedMs, leafValidUntilMs, leafRenewAtMs } = known
  return { ...force, leafKeyId, leafIssuedMs, leafValidUntilMs, leafRenewAtMs }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, number) => all + number, 0)
}
