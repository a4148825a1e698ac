import { serviceInstances } from '../../actors/catalog/queries.ts'
import { nodeTable } from '../../actors/catalog/records.ts'
import { summaryTable } from '../../actors/catalog/tables.ts'
import { lastIndex } from '../../actors/command.ts'
import { defaultsTable } from '../../actors/config-entries/tables.ts'
import { destinationTable } from '../../actors/intentions/tables.ts'
import { kvTable } from '../../actors/kv/tables.ts'
import type { Table, View } from '../kernel/tables.ts'
import { COMPATIBLE_VERSION } from '../version.ts'
import type { Gauge } from './collector.ts'

/** What the tables hold, counted. */
export type Counts = {
  services: number
  instances: number
  nodes: number
  entries: number
  configEntries: number
  connect: Record<string, number>
}

const PORTION = 512
const CONNECT_KINDS = ['connect-native', 'connect-proxy', 'ingress-gateway', 'mesh-gateway', 'terminating-gateway']

/** Counts rows a portion at a time; `pause` lets other work of this thread go on in between. */
export async function countState(view: () => View, pause: () => Promise<void>): Promise<Counts> {
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
  const configEntries = (await countRows(view, pause, defaultsTable)) + (await countRows(view, pause, destinationTable))
  return { services, instances, nodes, entries, configEntries, connect }
}

/** The gauges of a server that is well. `heapBytes` and `actors` are those of all threads. */
export function gaugesOf(
  view: View,
  counts: Counts,
  process: { heapBytes: number; memoryBytes: number; actors: number },
  datacenter: string,
): Gauge[] {
  const gauge = (name: string, value: number, labels: Record<string, string> = {}): Gauge => ({ name, value, labels })
  const here = { datacenter }
  return [
    gauge('runtime.num_goroutines', process.actors),
    gauge('runtime.alloc_bytes', process.heapBytes),
    gauge('runtime.sys_bytes', process.memoryBytes),
    gauge('autopilot.healthy', 1),
    gauge('autopilot.failure_tolerance', 0),
    gauge('raft.applied_index', lastIndex(view)),
    gauge('raft.last_index', lastIndex(view)),
    gauge('consul.members.clients', 0, here),
    gauge('consul.members.servers', 1, here),
    gauge('consul.state.nodes', counts.nodes, here),
    gauge('consul.state.services', counts.services, here),
    gauge('consul.state.service_instances', counts.instances, here),
    gauge('consul.state.kv_entries', counts.entries, here),
    gauge('consul.state.config_entries', counts.configEntries, here),
    ...Object.entries(counts.connect).map(([kind, count]) => gauge('consul.state.connect_instances', count, { ...here, kind })),
    gauge('version', 1, { version: COMPATIBLE_VERSION, pre_release: '' }),
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
