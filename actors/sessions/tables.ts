import { joined, table } from '../../src/kernel/tables.ts'

/** What becomes of the keys that a session holds when it ends. */
export type SessionBehavior = 'release' | 'delete'

/** What somebody who holds locks lives by: a node, checks on it, and maybe a time within which it must be renewed. */
export type SessionRecord = {
  name: string
  /** As it was given; the node is found whatever the case. */
  node: string
  /** As it was given; in force for at most LOCK_DELAY_MS_MAX. */
  lockDelayMs: number
  behavior: SessionBehavior
  /** As it was given, '' for none. */
  ttl: string
  /** 0 for none. */
  ttlMs: number
  nodeChecks: string[]
  serviceChecks: ServiceCheck[] | null
  /** Those of `nodeChecks` that came under the name this field had before Consul 1.7; null if none did. */
  checks: string[] | null
  createIndex: number
  modifyIndex: number
}
export type ServiceCheck = { id: string; namespace: string }

/** A held key may not be taken for at most this long after its holder was lost. */
export const LOCK_DELAY_MS_MAX = 60_000

/** By id: a UUID in lower case. */
export const sessionTable = table<SessionRecord>('sessions', 60)
/** By node in lower case, check id ('' for the node as a whole) and session id: who ends with what. */
export const dependentTable = table<{ id: string }>('session-dependents', 61)
/** By session id and key: which keys a session holds. */
export const heldTable = table<{ key: string }>('session-held-keys', 62)
/** By key: since when, and for how long, nobody may take it. */
export const lockDelayTable = table<{ index: number; delayMs: number }>('session-lock-delays', 63)
/** By the index at which it began: the time within which a session must be renewed. */
export const termTable = table<{ id: string; ttlMs: number }>('session-terms', 64)

export function dependentKey(node: string, checkId: string, id: string): string {
  return joined(node.toLowerCase(), checkId, id)
}

export function heldKey(id: string, key: string): string {
  return joined(id, key)
}

/** Texts of this form are ordered as the indexes are. */
export function termKey(index: number): string {
  return String(index).padStart(INDEX_DIGITS, '0')
}
const INDEX_DIGITS = 16

/** Names in the table of indexes. */
export const SESSIONS = 'sessions'
/** The last time that a term or a lock delay began. */
export const TERMS = 'session-terms'
export const LOCK_DELAYS = 'session-lock-delays'
/** When the term of a session began. */
export const termIndex = (id: string): string => `session/${id}`
