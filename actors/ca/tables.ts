import type { AuthorityConfig, AuthorityState, KeyType } from '../../src/kernel/ports.ts'
import { table } from '../../src/kernel/tables.ts'

export type CaProvider = AuthorityConfig['provider']

/** Shown in place of a secret, and taken for the secret that is there when it is written back. */
export const HIDDEN = 'hidden'

/** What the certificate authority of this cluster is, and how it signs. */
export type CaConfigRecord = CaSettings & {
  /** Lower-case UUID, made once. The trust domain is derived from it. */
  clusterId: string
  createIndex: number
  modifyIndex: number
}

export type CaSettings = {
  provider: CaProvider
  leafCertTtlMs: number
  /** 0: no limit. */
  csrMaxPerSecond: number
  /** 0: no limit. */
  csrMaxConcurrent: number
  forceWithoutCrossSigning: boolean
  /** The provider's configuration with the API's names and values as they were written, secrets replaced by `hidden`. */
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
  /** Colon-separated hex of the subject key identifier of what signs leaves: the root, or an intermediate of it. */
  signingKeyId: string
  notBeforeMs: number
  notAfterMs: number
  certPem: string
  /** When the first certificate between leaves and root ends, if there are any. */
  signsUntilMs?: number
  /** Sent after each leaf: certificates that lead from this root to an older one, then those that lead to this root. */
  intermediatesPem: string[]
  /** Exactly one root signs. */
  active: boolean
  keyType: KeyType
  keyBits: number
  /** Of a root that signed once: when the last leaf that it may have signed has ended, in ms since 1970. */
  leavesUntilMs?: number
  createIndex: number
  modifyIndex: number
}

/** Whose root it is. `config` has the secrets. */
export type CaAuthorityRecord = {
  provider: CaProvider
  config: Record<string, unknown>
  /** What held while this root was the newest. */
  settings: CaSettings
  crossSigns: boolean
  /** Of the root's intermediates, those that lead to an older root. */
  crossPem: string[]
  /** Nobody trusts the root any more: what was made for it is to be removed. */
  retired: boolean
}

/** How far the change from one root to another is. It ends with the retirement of the old one. */
export type CaRotationRecord = {
  id: string
  fromRootId: string
  toRootId: string
  /** `spreading`: the new root is only trusted, since no certificate leads from it to the old one. `active`: it signs. */
  phase: 'spreading' | 'active'
  /** It goes back to a root that was active before. */
  aborts: boolean
  startedMs: number
  /** When the new root became the active one; 0 while it is not. */
  activeMs: number
  modifyIndex: number
}

/** One record under CONFIG_KEY. */
export const caConfigTable = table<CaConfigRecord>('ca-config', 40)
export const CONFIG_KEY = 'config'
/** Roots by id. */
export const caRootTable = table<CaRoot>('ca-roots', 41)
/** What signs for each root, by its id: secret. No query for people reads this table, nor the next one. */
export const caKeyTable = table<AuthorityState>('ca-keys', 42)
/** The first serial number that nobody has, under SERIAL_KEY. */
export const caSerialTable = table<{ next: number }>('ca-serial', 43)
export const SERIAL_KEY = 'serial'
/** By root id. */
export const caAuthorityTable = table<CaAuthorityRecord>('ca-authorities', 44)
/** One record under ROTATION_KEY while a rotation is under way. */
export const caRotationTable = table<CaRotationRecord>('ca-rotation', 49)
export const ROTATION_KEY = 'rotation'
/** Name in the table of indexes. */
export const CA_ROTATION = 'ca-rotation'
