import { table } from '../../src/kernel/tables.ts'
import type { InForce } from '../proxy/protocol.ts'

/** What a sidecar that an agent runs has in force, as that agent last told. Times in ms since 1970. */
export type ProxyReport = InForce & {
  node: string
  /** The service that the sidecar is of, by its id on the node and its name. */
  serviceId: string
  service: string
  /** Connections open when this was told. */
  open: number
  modifyIndex: number
}

/** By node in lower case and service id. */
export const proxyReportTable = table<ProxyReport>('proxy-reports', 48)
/** Name in the table of indexes. */
export const PROXY_REPORTS = 'proxy-reports'
