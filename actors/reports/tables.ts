import { table } from '../../src/kernel/tables.ts'
import type { InForce } from '../proxy/protocol.ts'

/** What a sidecar that an agent runs has in force, as that agent last told, or an application that is in the mesh by itself, or a proxy that
 * the agent does not run. Times in ms since 1970. */
export type ProxyReport = InForce & {
  node: string
  /** The service that the sidecar is of, or that is native, by its id on the node and its name. Of a proxy that the agent does not run,
   * the id is its own. */
  serviceId: string
  service: string
  /** Connections open when this was told. */
  open: number
  /** Absent for sidecars that the agent runs. */
  lease?: Lease
  modifyIndex: number
}

/** Processes that tell, of an application or of a proxy, by the names that they gave themselves, sorted. None are left once all have
 * fallen silent: what they told last is not known to hold any more. `withinMs`: within which time each of them says it again. */
export type Lease = { kind: 'native' | 'proxy'; processes: string[]; withinMs: number }

/** By node in lower case and service id. */
export const proxyReportTable = table<ProxyReport>('proxy-reports', 48)
/** Name in the table of indexes. */
export const PROXY_REPORTS = 'proxy-reports'
