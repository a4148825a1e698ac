import type { KeyType } from '../../src/kernel/ports.ts'
import { table } from '../../src/kernel/tables.ts'

/** What the certificate authority of this cluster is, and how it signs. */
export type CaConfigRecord = CaSettings & {
  /** Lower-case UUID, made once. The trust domain is derived from it. */
  clusterId: string
  createIndex: number
  modifyIndex: number
}

export type CaSettings = {
  leafCertTtlMs: number
  /** 0: no limit. */
  csrMaxPerSecond: number
  /** 0: no limit. */
  csrMaxConcurrent: number
  /** The provider's configuration with the API's names and values as they were written, private keys replaced by `hidden`. */
  shown: Record<string, unknown>
}

export type CaRoot = {
  /** Colon-separated hex SHA-1 of the certificate. */
  id: string
  name: string
  /** Of the certificate. */
  commonName: string
  /** Colon-separated hex. */
  serial: string
  /** Colon-separated hex of the subject key identifier. */
  signingKeyId: string
  notBeforeMs: number
  notAfterMs: number
  certPem: string
  /** Sent after each leaf: certificates that lead from this root to an older one. */
  intermediatesPem: string[]
  /** Exactly one root signs. */
  active: boolean
  keyType: KeyType
  keyBits: number
  createIndex: number
  modifyIndex: number
}

/** One record under CONFIG_KEY. */
export const caConfigTable = table<CaConfigRecord>('ca-config', 40)
export const CONFIG_KEY = 'config'
/** Roots by id. */
export const caRootTable = table<CaRoot>('ca-roots', 41)
/** Private keys by root id. No query reads this table. */
export const caKeyTable = table<{ keyPem: string }>('ca-keys', 42)
/** The first serial number that nobody has, under SERIAL_KEY. */
export const caSerialTable = table<{ next: number }>('ca-serial', 43)
export const SERIAL_KEY = 'serial'
