import { serviceInstances } from '../../actors/catalog/queries.ts'
import { nodeTable } from '../../actors/catalog/records.ts'
import { summaryTable } from '../../actors/catalog/tables.ts'
import { lastIndex } from '../../actors/command.ts'
import { OTHER_KINDS } from '../../actors/config-entries/entry.ts'
import { defaultsTable } from '../../actors/config-entries/tables.ts'
import { destinationTable } from '../../actors/intentions/tables.ts'
import { kvTable } from '../../actors/kv/tables.ts'
import { lifeOf } from '../../actors/reports/expiry.ts'
import { type ProxyReport, proxyReportTable } from '../../actors/reports/tables.ts'
import { termTable } from '../../actors/sessions/tables.ts'
import type { Table, View } from '../kernel/tables.ts'
import { COMPATIBLE_VERSION } from '../version.ts'
import type { Gauge } from './collector.ts'

/** What the tables hold, counted. */
export type Counts = {
  services: number
  instances: number
  nodes: number
  entries: number
  /** By kind; 0 for kinds of which there are none. */
  configEntries: Record<string, number>
  /** Sessions that must be renewed. */
  sessionTtls: number
  connect: Record<string, number>
  leaves: LeafCounts
}

/** The leaves of sidecars that tell of them. */
export type LeafCounts = { all: number; atRisk: number; notRenewed: number; firstIssuedMs: number; firstEndMs: number }

const PORTION = 512
const ENTRY_KINDS = ['proxy-defaults', 'service-defaults', 'service-intentions', ...OTHER_KINDS]
const CONNECT_KINDS = ['connect-native', 'connect-proxy', 'ingress-gateway', 'mesh-gateway', 'terminating-gateway']

/** Counts rows a portion at a time; `pause` lets other work of this thread go on in between. */
export async function countState(view: () => View, pause: () => Promise<void>, nowMs: number): Promise<Counts> {
  const connect: Record<string, number> = Object.fromEntries(CONNECT_KINDS.map((kind) => [kind, 0]))
  const names: string[] = []
  const services = await countRows(view, pause, summaryTable, (_summary, name) => names.push(name))
  let instances = 0
  for (const name of names) {
    await pause()
    for (const { instance } of serviceInstances(view(), name).instances) {
      instances++
      const kind = instance.native ? 'connect-native' : instance.kind
      if (kind !== '') connect[kind] = (connect[kind] ?? 0) + 1
    }
  }
  const nodes = await countRows(view, pause, nodeTable.rows)
  const entries = await countRows(view, pause, kvTable)
  const configEntries: Record<string, number> = Object.fromEntries(ENTRY_KINDS.map((kind) => [kind, 0]))
  await countRows(view, pause, defaultsTable, ({ kind }) => (configEntries[kind] = (configEntries[kind] ?? 0) + 1))
  configEntries['service-intentions'] = await countRows(view, pause, destinationTable)
  const sessionTtls = await countRows(view, pause, termTable)
  const leaves: LeafCounts = { all: 0, atRisk: 0, notRenewed: 0, firstIssuedMs: nowMs, firstEndMs: Number.POSITIVE_INFINITY }
  await countRows(view, pause, proxyReportTable, (report) => addLeaf(leaves, report, nowMs))
  return { services, instances, nodes, entries, configEntries, sessionTtls, connect, leaves }
}

/** Of all threads together. */
export type Usage = {
  heapBytes: number
  actors: number
  collections: number
  collectedMs: number
  levels: ReadonlyMap<string, number>
}
export type MemberCounts = { servers: number; clients: number }
/** What a server says of all of them; undefined at an agent that is none. */
export type Autopilot = { isHealthy: boolean; tolerance: number } | undefined

export function gaugesOf(
  view: View,
  counts: Counts,
  process: Usage & { memoryBytes: number },
  members: MemberCounts,
  autopilot: Autopilot,
  datacenter: string,
  nowMs: number,
): Gauge[] {
  const gauge = (name: string, value: number, labels: Record<string, string> = {}): Gauge => ({ name, value, labels })
  const here = { datacenter }
  return [
    gauge('runtime.num_goroutines', process.actors),
    gauge('runtime.alloc_bytes', process.heapBytes),
    gauge('runtime.sys_bytes', process.memoryBytes),
    gauge('runtime.total_gc_runs', process.collections),
    gauge('runtime.total_gc_pause_ns', Math.round(process.collectedMs * 1e6)),
    gauge('rpc.queries_blocking', process.levels.get('rpc.queries_blocking') ?? 0),
    ...(autopilot
      ? [gauge('autopilot.healthy', autopilot.isHealthy ? 1 : 0), gauge('autopilot.failure_tolerance', autopilot.tolerance)]
      : []),
    gauge('raft.applied_index', lastIndex(view)),
    gauge('raft.last_index', lastIndex(view)),
    gauge('consul.members.clients', members.clients, here),
    gauge('consul.members.servers', members.servers, here),
    gauge('consul.state.nodes', counts.nodes, here),
    gauge('consul.state.services', counts.services, here),
    gauge('consul.state.service_instances', counts.instances, here),
    gauge('consul.state.kv_entries', counts.entries, here),
    ...Object.entries(counts.configEntries).map(([kind, count]) => gauge('consul.state.config_entries', count, { ...here, kind })),
    gauge('session_ttl.active', counts.sessionTtls),
    ...Object.entries(counts.connect).map(([kind, count]) => gauge('consul.state.connect_instances', count, { ...here, kind })),
    ...leafGauges(counts.leaves, nowMs).map(([name, value]) => gauge(`tribune.leaf.${name}`, value)),
    gauge('version', 1, { version: COMPATIBLE_VERSION, pre_release: '' }),
  ]
}

function addLeaf(leaves: LeafCounts, report: ProxyReport, nowMs: number): void {
  if (report.leafSerial === '') return
  leaves.all++
  if (lifeOf(report, nowMs).why !== '') leaves.atRisk++
  if (report.leafWhy !== '') leaves.notRenewed++
  leaves.firstIssuedMs = Math.min(leaves.firstIssuedMs, report.leafIssuedMs)
  leaves.firstEndMs = Math.min(leaves.firstEndMs, report.leafValidUntilMs)
}

/** The last two are seconds; without a leaf they are not there. */
function leafGauges({ all, atRisk, notRenewed, firstIssuedMs, firstEndMs }: LeafCounts, nowMs: number): [name: string, value: number][] {
  const counted: [string, number][] = [
    ['count', all],
    ['at_risk', atRisk],
    ['renewal_failing', notRenewed],
  ]
  if (all === 0) return counted
  return [
    ...counted,
    ['oldest_age_seconds', Math.round((nowMs - firstIssuedMs) / 1_000)],
    ['first_end_seconds', Math.round((firstEndMs - nowMs) / 1_000)],
  ]
}

async function countRows<Record>(
  view: () => View,
  pause: () => Promise<void>,
  table: Table<Record>,
  each: (record: Record, key: string) => void = () => undefined,
): Promise<number> {
  let count = 0
  let after: string | undefined
  for (;;) {
    let found = 0
    for (const [key, record] of view().range(table, { limit: PORTION, ...(after !== undefined && { after }) })) {
      found++
      after = key
      each(record, key)
    }
    count += found
    if (found < PORTION) return count
    await pause()
  }
}
