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

/** A sidecar that an agent runs itself, with what was told of it, if anything was yet. */
export type MeshProxy = { node: string; serviceId: string; service: string; report: ProxyReport | undefined }
/** Somebody in the mesh of whom nobody knows what it has in force: a proxy that some other program runs, or a service that is native. */
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
    } else {
      members.silent.push({ node: node.name, serviceId: instance.id, service, kind: instance.native ? 'native' : 'proxy' })
    }
  }
  return members
}

/** Whether one sidecar has the intentions in force. `closed` and `ms` are 0 while it has not. */
export type EnforcedProxy = Omit<MeshProxy, 'report'> & { done: boolean; intentionIndex: number; closed: number; ms: number }
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
    const has = report?.intentionIndex ?? 0
    const done = report !== undefined && has >= intentionIndex
    const counts = done && report.modifyIndex > since
    return { ...who, done, intentionIndex: has, closed: counts ? report.closedConnections : 0, ms: done ? report.enforcedMs : 0 }
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
    has: report?.bundle.includes(rootId) ?? false,
    presents: keyId !== undefined && report?.leafKeyId === keyId,
  }))
  const having = proxies.filter(({ has }) => has).length
  const presenting = proxies.filter(({ presents }) => presents).length
  return { index, proxies, silent, having, presenting, done: having === proxies.length }
}

/** Sidecars that present a leaf signed by the key with this identifier, and when the last of these ends; 0 if there is none. */
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
