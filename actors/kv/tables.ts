import { table } from '../../src/kernel/tables.ts'

/** One entry of the key/value store. `flags` is an unsigned 64-bit number. */
export type KvEntry = {
  value: Uint8Array
  flags: bigint
  /** '' when nobody holds the key's lock. */
  session: string
  lockIndex: number
  createIndex: number
  modifyIndex: number
}

export const kvTable = table<KvEntry>('kv', 10)
/** The index at which a key was deleted, so that the index of a prefix never goes back. */
export const tombstoneTable = table<{ index: number }>('kv-tombstones', 11)
