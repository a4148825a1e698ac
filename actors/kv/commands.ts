import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import type { CommandFunction } from '../command.ts'
import { buryEntry, type KvText, lockEntry, putEntry, unlockEntry } from './changes.ts'
import { kvTable } from './tables.ts'

export type KvPut = KvText & { cas?: number }

/** Writes an entry if `cas` is absent or equals its modifyIndex (0: it must not exist). The same value again changes nothing. */
export const kvPut: CommandFunction<KvPut, { applied: boolean }> = (tx, { index }, { cas, ...text }) => {
  if (cas !== undefined && cas !== (tx.get(kvTable, text.key)?.modifyIndex ?? 0)) return { applied: false }
  putEntry(tx, index, text)
  return { applied: true }
}

/** Takes the lock of a key for a session and writes the entry. Refused if there is no such session. */
export const kvLock: CommandFunction<KvText & { session: string }, { applied: boolean }> = (tx, { index }, { session, ...text }) =>
  appliedIf(lockEntry(tx, index, text, session))

/** Gives the lock of a key back and writes the entry. */
export const kvUnlock: CommandFunction<KvText & { session: string }, { applied: boolean }> = (tx, { index }, { session, ...text }) =>
  appliedIf(unlockEntry(tx, index, text, session))

/** Deletes an entry if `cas` is absent or equals its modifyIndex. One that does not exist is deleted already. */
export const kvDelete: CommandFunction<{ key: string; cas?: number }, { applied: boolean }> = (tx, { index }, { key, cas }) => {
  const before = tx.get(kvTable, key)
  if (!before) return { applied: true }
  if (cas !== undefined && cas !== before.modifyIndex) return { applied: false }
  buryEntry(tx, index, key)
  return { applied: true }
}

/** Deletes every entry under a prefix. */
export const kvDeleteTree: CommandFunction<{ prefix: string }, { applied: boolean }> = (tx, { index }, { prefix }) => {
  for (const [key] of [...tx.range(kvTable, { prefix })]) buryEntry(tx, index, key)
  return { applied: true }
}

function appliedIf(applied: boolean | Result<never>): Result<{ applied: boolean }> {
  return isRefused(applied) ? refuse(applied.refused, `raft apply failed: ${applied.why}`) : { applied }
}
