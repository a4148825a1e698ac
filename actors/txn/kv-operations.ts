import { isRefused, type Refusal, refuse } from '../../src/kernel/refusal.ts'
import type { Transaction } from '../../src/kernel/tables.ts'
import { buryEntry, lockEntry, putEntry, unlockEntry } from '../kv/changes.ts'
import { kvTable } from '../kv/tables.ts'
import type { KvOperation, TxnResult } from './protocol.ts'

/** One operation on the key/value store: what it found or left, or why it cannot be. */
export function runKv(tx: Transaction, index: number, operation: KvOperation): TxnResult[] | Refusal {
  const { verb, key, index: at, session } = operation
  const name = JSON.stringify(key)
  const before = tx.get(kvTable, key)
  switch (verb) {
    case 'get':
      return before ? [{ key, entry: before }] : refuse('missing', `key ${name} doesn't exist`)
    case 'get-tree':
      return [...tx.range(kvTable, { prefix: key })].map(([each, entry]) => ({ key: each, entry }))
    case 'set':
      putEntry(tx, index, operation)
      return withoutValue(tx, key)
    case 'cas':
      if ((before?.modifyIndex ?? 0) !== at) return refuse('conflict', `failed to set key ${name}, index is stale`)
      putEntry(tx, index, operation)
      return withoutValue(tx, key)
    case 'lock':
      return changed(tx, key, lockEntry(tx, index, operation, session), `failed to lock key ${name}, lock is already held`)
    case 'unlock':
      return changed(
        tx,
        key,
        unlockEntry(tx, index, operation, session),
        `failed to unlock key ${name}, lock isn't held, or is held by another session`,
      )
    case 'check-index':
      if (!before) return refuse('missing', `failed to check index, key ${name} doesn't exist`)
      if (before.modifyIndex === at) return withoutValue(tx, key)
      return refuse('conflict', `failed index check for key ${name}, current modify index ${before.modifyIndex} != ${at}`)
    case 'check-session':
      if (!before) return refuse('missing', `failed to check session, key ${name} doesn't exist`)
      if (before.session === session) return withoutValue(tx, key)
      return refuse(
        'conflict',
        `failed session check for key ${name}, current session ${JSON.stringify(before.session)} != ${JSON.stringify(session)}`,
      )
    case 'check-not-exists':
      return before ? refuse('conflict', `key ${name} exists`) : []
    case 'delete':
      if (before) buryEntry(tx, index, key)
      return []
    case 'delete-tree':
      for (const [each] of [...tx.range(kvTable, { prefix: key })]) buryEntry(tx, index, each)
      return []
    case 'delete-cas':
      if (!before) return []
      if (before.modifyIndex !== at) return refuse('conflict', `failed to delete key ${name}, index is stale`)
      buryEntry(tx, index, key)
      return []
    default:
      return refuse('invalid', `unknown KV verb ${JSON.stringify(verb)}`)
  }
}

function changed(tx: Transaction, key: string, applied: boolean | Refusal, notApplied: string): TxnResult[] | Refusal {
  if (isRefused(applied)) return applied
  return applied ? withoutValue(tx, key) : refuse('conflict', notApplied)
}

const NO_VALUE = new Uint8Array(0)

function withoutValue(tx: Transaction, key: string): TxnResult[] {
  const entry = tx.get(kvTable, key)
  return entry ? [{ key, entry: { ...entry, value: NO_VALUE } }] : []
}
