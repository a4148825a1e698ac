import type { Transaction } from '../../src/kernel/tables.ts'
import { joined } from '../../src/kernel/tables.ts'
import { bump, indexOf, indexTable } from '../command.ts'
import { buryEntry, releaseEntry } from '../kv/changes.ts'
import { removeQueriesOf } from '../prepared-queries/changes.ts'
import {
  dependentKey,
  dependentTable,
  heldTable,
  LOCK_DELAY_MS_MAX,
  LOCK_DELAYS,
  lockDelayTable,
  SESSIONS,
  type SessionRecord,
  sessionTable,
  TERMS,
  termIndex,
  termKey,
  termTable,
} from './tables.ts'

/** Adds a session whose node and checks are there. */
export function beginSession(tx: Transaction, index: number, id: string, session: SessionRecord): void {
  tx.put(sessionTable, id, session)
  for (const key of dependentKeys(id, session)) tx.put(dependentTable, key, { id })
  bump(tx, SESSIONS, index)
  if (session.ttlMs > 0) beginTerm(tx, index, id, session.ttlMs)
}

/** Lets the time begin anew within which a session must be renewed. */
export function beginTerm(tx: Transaction, index: number, id: string, ttlMs: number): void {
  endTerm(tx, id)
  tx.put(termTable, termKey(index), { id, ttlMs })
  bump(tx, termIndex(id), index)
  bump(tx, TERMS, index)
}

/** Ends a session, if it is there. The keys that it still holds are released or deleted, and nobody may take them at once. */
export function endSession(tx: Transaction, index: number, id: string): void {
  const session = tx.get(sessionTable, id)
  if (!session) return
  const delayMs = Math.min(session.lockDelayMs, LOCK_DELAY_MS_MAX)
  for (const [, { key }] of [...tx.range(heldTable, { prefix: joined(id, '') })]) {
    if (session.behavior === 'delete') buryEntry(tx, index, key)
    else releaseEntry(tx, index, key)
    if (delayMs > 0) beginLockDelay(tx, index, key, delayMs)
  }
  for (const key of dependentKeys(id, session)) tx.delete(dependentTable, key)
  if (session.ttlMs > 0) endTerm(tx, id)
  tx.delete(indexTable, termIndex(id))
  tx.delete(sessionTable, id)
  removeQueriesOf(tx, index, id)
  bump(tx, SESSIONS, index)
}

/** A check of a node became critical or went: ends the sessions that live by it. With checkId '', the node went. */
export function endSessionsWith(tx: Transaction, index: number, node: string, checkId: string): void {
  const dependents = [...tx.range(dependentTable, { prefix: dependentKey(node, checkId, '') })]
  for (const [, { id }] of dependents) endSession(tx, index, id)
}

function beginLockDelay(tx: Transaction, index: number, key: string, delayMs: number): void {
  tx.put(lockDelayTable, key, { index, delayMs })
  bump(tx, LOCK_DELAYS, index)
}

function endTerm(tx: Transaction, id: string): void {
  const began = indexOf(tx, termIndex(id))
  if (began > 0) tx.delete(termTable, termKey(began))
}

function dependentKeys(id: string, { node, nodeChecks, serviceChecks }: SessionRecord): string[] {
  const checkIds = ['', ...nodeChecks, ...(serviceChecks ?? []).map((check) => check.id)]
  return checkIds.map((checkId) => dependentKey(node, checkId, id))
}
