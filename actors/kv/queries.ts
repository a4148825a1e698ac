import type { View } from '../../src/kernel/tables.ts'
import { indexOf } from '../command.ts'
import { type KvEntry, kvTable, tombstoneTable } from './tables.ts'

/** One entry, with the index that a blocking query for it waits on. */
export function kvGet(view: View, key: string): { index: number; entry: KvEntry | undefined } {
  const entry = view.get(kvTable, key)
  if (entry) return { index: entry.modifyIndex, entry }
  const buried = view.get(tombstoneTable, key)
  return { index: buried?.index ?? indexOf(view, 'kvs'), entry: undefined }
}

/** All entries under a prefix in the order of their keys. */
export function kvList(view: View, prefix: string): { index: number; entries: (readonly [key: string, entry: KvEntry])[] } {
  const entries = [...view.range(kvTable, { prefix })]
  return { index: prefixIndex(view, prefix, entries), entries }
}

/** Keys under a prefix; with a separator, everything after its first occurrence behind the prefix is cut off and named once. */
export function kvKeys(view: View, prefix: string, separator: string): { index: number; keys: string[] } {
  const { index, entries } = kvList(view, prefix)
  const keys: string[] = []
  for (const [key] of entries) {
    const at = separator === '' ? -1 : key.indexOf(separator, prefix.length)
    const shown = at < 0 ? key : key.slice(0, at + separator.length)
    if (keys.at(-1) !== shown) keys.push(shown)
  }
  return { index, keys }
}

function prefixIndex(view: View, prefix: string, entries: (readonly [string, KvEntry])[]): number {
  let index = 0
  for (const [, entry] of entries) index = Math.max(index, entry.modifyIndex)
  for (const [, buried] of view.range(tombstoneTable, { prefix })) index = Math.max(index, buried.index)
  return index === 0 || prefix === '' ? indexOf(view, 'kvs') : index
}
