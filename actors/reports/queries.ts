import { SEPARATOR, type View } from '../../src/kernel/tables.ts'
import { caRoots } from '../ca/queries.ts'
import { connectInstances, type Instance } from '../catalog/queries.ts'
import { instanceTable, nodeTable } from '../catalog/records.ts'
import { connectTable, instanceKey, nodeServiceKey, SERVICES } from '../catalog/tables.ts'
import { indexOf } from '../command.ts'
import { WILDCARD } from '../intentions/decide.ts'
import { intentionsTo } from '../intentions/queries.ts'
import { PROXY_REPORTS, type ProxyReport, proxyReportTable } from './tables.ts'

/** All reports, ordered by node and service id. */
export function proxyReports(view: View): { index: number; reports: ProxyReport[] } {
  return { index: indexOf(view, PROXY_REPORTS), reports: [...view.range(proxyReportTable)].map(([, report]) => report) }
}

/** A sidecar that an agent runs itself, with what was told of it, if anything was yet; or a native application or another proxy that has told. */
export type MeshProxy = { node: string; serviceId: string; service: string; native?: true; report: ProxyReport | undefined }
/** Somebody in the mesh of whom nobody knows what it has in force: a proxy that the agent does not run, or a native application, that
 * never told. */
export type SilentMember = { node: string; serviceId: string; service: string; kind: 'proxy' | 'native' }
export type MeshMembers = { index: number; proxies: MeshProxy[]; silent: SilentMember[] }

/** Everybody who takes connections for a service, or with `*` for any, ordered by service, node and id. */
export function meshMembers(view: View, destination: string = WILDCARD): MeshMembers {
  const members: MeshMembers = { index: Math.max(indexOf(view, PROXY_REPORTS), indexOf(view, SERVICES)), proxies: [], silent: [] }
  const found = destination === WILDCARD ? allConnectInstances(view) : connectInstances(view, destination).instances
  for (const { node, instance } of found) {
    const service = instance.proxy?.destinationServiceName || instance.name
    // Names in the catalog are found in any case; identities and intentions mind it.
    if (destination !== WILDCARD && service !== destination) continue
    if (instance.proxy?.reports) {
      const serviceId = instance.proxy.destinationServiceId
      members.proxies.push({ node: node.name, serviceId, service, report: reportOf(view, node.name, serviceId) })
      continue
    }
    const who = { node: node.name, serviceId: instance.id, service }
    const report = reportOf(view, node.name, instance.id)
    if (report?.lease) members.proxies.push({ ...who, ...(instance.native && { native: true }), report })
    else members.silent.push({ ...who, kind: instance.native ? 'native' : 'proxy' })
  }
  return members
}

/** Whether somebody has told, and then not again when it was due: whatever it told may hold no more. */
export function fellSilent(report: ProxyReport | undefined): boolean {
  return report?.lease !== undefined && report.lease.processes.length === 0
}

/** Whether one sidecar has the intentions in force. `closed` and `ms` are 0 while it has not. */
export type EnforcedProxy = Omit<MeshProxy, 'report'> & {
  done: boolean
  intentionIndex: number
  closed: number
  ms: number
  /** It told once, and is silent now. */
  fellSilent?: true
}
export type Enforcement = {
  index: number
  destination: string
  /** What is to be in force. */
  intentionIndex: number
  proxies: EnforcedProxy[]
  silent: SilentMember[]
  /** Every sidecar that reports has it in force. */
  done: boolean
}
export type EnforcementOptions = {
  /** A service's name, or `*` for all. */
  destination: string
  /** Of the intentions that are to be in force; the newest if not given. */
  index?: number
  /** Connections closed in reports up to this index do not count. */
  since?: number
}

/** Who has the intentions on a destination in force. */
export function enforcement(view: View, { destination, index: wanted, since = 0 }: EnforcementOptions): Enforcement {
  const newest = intentionsTo(view, destination).index
  const intentionIndex = wanted ?? newest
  const { index, proxies: members, silent } = meshMembers(view, destination)
  const proxies = members.map(({ report, ...who }): EnforcedProxy => {
    // Who says to have what was not written yet when it said so knows of another history, or makes it up.
    const has = report && report.intentionIndex <= report.modifyIndex ? report.intentionIndex : 0
    const silence = fellSilent(report) ? { fellSilent: true as const } : {}
    const done = report !== undefined && !fellSilent(report) && has >= intentionIndex
    const counts = done && report.modifyIndex > since
    const closed = counts ? report.closedConnections : 0
    return { ...who, done, intentionIndex: has, closed, ms: done ? report.enforcedMs : 0, ...silence }
  })
  return { index: Math.max(index, newest), destination, intentionIndex, proxies, silent, done: proxies.every(({ done }) => done) }
}

export type BundleProgress = {
  index: number
  /** `presents`: its leaf was signed by this root. */
  proxies: (Omit<MeshProxy, 'report'> & { has: boolean; presents: boolean })[]
  silent: SilentMember[]
  /** How many of all that report trust the root, and how many present a leaf of it. */
  having: number
  presenting: number
  done: boolean
}

/** Which sidecars trust a root. `done`: all that report do. */
export function bundleProgress(view: View, rootId: string): BundleProgress {
  const { index, proxies: members, silent } = meshMembers(view)
  const keyId = caRoots(view)?.roots.find(({ id }) => id === rootId)?.signingKeyId
  const proxies = members.map(({ report, ...who }) => ({
    ...who,
    has: report !== undefined && !fellSilent(report) && report.bundle.includes(rootId),
    presents: keyId !== undefined && report?.leafKeyId === keyId && !fellSilent(report),
  }))
  const having = proxies.filter(({ has }) => has).length
  const presenting = proxies.filter(({ presents }) => presents).length
  return { index, proxies, silent, having, presenting, done: having === proxies.length }
}

/** Sidecars and applications that present a leaf signed by the key with this identifier, and when the last of these ends; 0 if there is none. */
export function leavesSignedBy(view: View, keyId: string): { index: number; reports: ProxyReport[]; lastEndMs: number } {
  const { index, reports } = proxyReports(view)
  const signed = reports.filter(({ leafKeyId, leafSerial }) => leafSerial !== '' && leafKeyId === keyId)
  return { index, reports: signed, lastEndMs: Math.max(0, ...signed.map(({ leafValidUntilMs }) => leafValidUntilMs)) }
}

function* allConnectInstances(view: View): Generator<Instance, undefined> {
  for (const [key, pointer] of view.range(connectTable)) {
    const [, nodeName = '', id = ''] = key.split(SEPARATOR)
    const instance = instanceTable.get(view, instanceKey(pointer.name, nodeName, id))
    const node = nodeTable.get(view, nodeName)
    if (node && instance) yield { node, instance }
  }
}

function reportOf(view: View, node: string, serviceId: string): ProxyReport | undefined {
  return view.get(proxyReportTable, nodeServiceKey(node, serviceId))
}
