import { type Refusal, refuse } from '../../src/kernel/refusal.ts'
import type { Transaction } from '../../src/kernel/tables.ts'
import { bump } from '../command.ts'
import { sessionId } from '../sessions/ids.ts'
import { heldKey, heldTable, lockDelayTable, sessionTable } from '../sessions/tables.ts'
import { type KvEntry, kvTable, tombstoneTable } from './tables.ts'

/** What is written under a key. */
export type KvText = { key: string; value: Uint8Array; flags: bigint }

/** Writes an entry, whoever holds its lock. The same value again changes nothing. */
export function putEntry(tx: Transaction, index: number, text: KvText): void {
  const before = tx.get(kvTable, text.key)
  writeEntry(tx, index, text, before, { session: before?.session ?? '', lockIndex: before?.lockIndex ?? 0 })
}

/**
 * Takes a key's lock for a session and writes the entry; again for its holder, that only writes. `false`: somebody else holds it,
 * or its last holder was lost too short a time ago. Refused if there is no such session.
 */
export function lockEntry(tx: Transaction, index: number, text: KvText, session: string): boolean | Refusal {
  if (session === '') return refuse('conflict', 'missing session')
  if (tx.get(lockDelayTable, text.key)) return false
  const id = sessionId(session)
  if (typeof id !== 'string') return id
  if (!tx.get(sessionTable, id)) return refuse('conflict', `invalid session ${JSON.stringify(session)}`)
  const before = tx.get(kvTable, text.key)
  const holder = before?.session ?? ''
  if (holder !== '' && holder !== id) return false
  const lockIndex = (before?.lockIndex ?? 0) + (holder === id ? 0 : 1)
  writeEntry(tx, index, text, before, { session: id, lockIndex })
  if (holder !== id) tx.put(heldTable, heldKey(id, text.key), { key: text.key })
  return true
}

/** Gives a key's lock back and writes the entry. `false`: that session does not hold it. */
export function unlockEntry(tx: Transaction, index: number, text: KvText, session: string): boolean | Refusal {
  if (session === '') return refuse('conflict', 'missing session')
  const before = tx.get(kvTable, text.key)
  const id = sessionId(session)
  if (typeof id !== 'string' || !before || before.session !== id) return false
  tx.delete(heldTable, heldKey(id, text.key))
  writeEntry(tx, index, text, before, { session: '', lockIndex: before.lockIndex })
  return true
}

/** Takes the lock of an entry from its holder; the entry stays. */
export function releaseEntry(tx: Transaction, index: number, key: string): void {
  const before = tx.get(kvTable, key)
  if (!before || before.session === '') return
  tx.delete(heldTable, heldKey(before.session, key))
  tx.put(kvTable, key, { ...before, session: '', modifyIndex: index })
  bump(tx, 'kvs', index)
}

/** Deletes an entry that exists, and its lock. */
export function buryEntry(tx: Transaction, index: number, key: string): void {
  const before = tx.get(kvTable, key)
  if (before && before.session !== '') tx.delete(heldTable, heldKey(before.session, key))
  tx.delete(kvTable, key)
  tx.put(tombstoneTable, key, { index })
  bump(tx, 'kvs', index)
}

function writeEntry(
  tx: Transaction,
  index: number,
  { key, value, flags }: KvText,
  before: KvEntry | undefined,
  { session, lockIndex }: Pick<KvEntry, 'session' | 'lockIndex'>,
): void {
  if (before && before.session === session && before.flags === flags && equalBytes(before.value, value)) return
  tx.put(kvTable, key, { value, flags, session, lockIndex, createIndex: before?.createIndex ?? index, modifyIndex: index })
  tx.delete(tombstoneTable, key)
  bump(tx, 'kvs', index)
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, position) => byte === b[position])
}
