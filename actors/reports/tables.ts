import { table } from '../../src/kernel/tables.ts'

/** What a sidecar that an agent runs has in force, as that agent last told. Times in ms since 1970. */
export type ProxyReport = {
  node: string
  /** The service that the sidecar is of, by its id on the node and its name. */
  serviceId: string
  service: string
  /** The roots in force: their index, and the ids of all that are trusted, sorted. */
  rootsIndex: number
  bundle: string[]
  /** The leaf in force: colon-separated hex, '' while there is none. */
  leafSerial: string
  /** Key identifier of the root that signed it. */
  leafKeyId: string
  leafIssuedMs: number
  leafRenewAtMs: number
  leafValidUntilMs: number
  /** Why a newer leaf could not be had; '' unless renewing failed. */
  leafWhy: string
  /** Of the intentions in force. */
  intentionIndex: number
  /** How long the sidecar took from hearing of these intentions until every connection that they forbid was closed. */
  enforcedMs: number
  /** How many it closed because of them. */
  closedConnections: number
  /** Connections open when this was told. */
  open: number
  modifyIndex: number
}

/** By node in lower case and service id. */
export const proxyReportTable = table<ProxyReport>('proxy-reports', 48)
/** Name in the table of indexes. */
export const PROXY_REPORTS = 'proxy-reports'
