import type { Transaction } from '../../src/kernel/tables.ts'
import { bump, type CommandFunction } from '../command.ts'
import { kvTable, tombstoneTable } from './tables.ts'

export type KvPut = { key: string; value: Uint8Array; flags: bigint; cas?: number }

/** Writes an entry if `cas` is absent or equals its modifyIndex (0: it must not exist). The same value again changes nothing. */
export const kvPut: CommandFunction<KvPut, { applied: boolean }> = (tx, { index }, { key, value, flags, cas }) => {
  const before = tx.get(kvTable, key)
  if (cas !== undefined && cas !== (before?.modifyIndex ?? 0)) return { applied: false }
  if (before && before.flags === flags && equalBytes(before.value, value)) return { applied: true }
  tx.put(kvTable, key, {
    value,
    flags,
    session: before?.session ?? '',
    lockIndex: before?.lockIndex ?? 0,
    createIndex: before?.createIndex ?? index,
    modifyIndex: index,
  })
  tx.delete(tombstoneTable, key)
  bump(tx, 'kvs', index)
  return { applied: true }
}

/** Deletes an entry if `cas` is absent or equals its modifyIndex. One that does not exist is deleted already. */
export const kvDelete: CommandFunction<{ key: string; cas?: number }, { applied: boolean }> = (tx, { index }, { key, cas }) => {
  const before = tx.get(kvTable, key)
  if (!before) return { applied: true }
  if (cas !== undefined && cas !== before.modifyIndex) return { applied: false }
  bury(tx, key, index)
  return { applied: true }
}

/** Deletes every entry under a prefix. */
export const kvDeleteTree: CommandFunction<{ prefix: string }, { applied: boolean }> = (tx, { index }, { prefix }) => {
  for (const [key] of [...tx.range(kvTable, { prefix })]) bury(tx, key, index)
  return { applied: true }
}

function bury(tx: Transaction, key: string, index: number): void {
  tx.delete(kvTable, key)
  tx.put(tombstoneTable, key, { index })
  bump(tx, 'kvs', index)
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, position) => byte === b[position])
}
