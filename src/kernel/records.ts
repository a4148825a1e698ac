import { keyFault } from './keys.ts'
import type { StoreOutcome } from './ports.ts'
import { joined, SEPARATOR } from './tables.ts'

/** One key for a record of the store, ordered by kind and then key. */
export function recordName({ kind, key }: { kind: string; key: string }): string {
  return joined(kind, key)
}

/** Why a record cannot be stored under these names, or nothing. */
export function recordFault({ kind, key }: { kind: string; key: string }): string | undefined {
  if (kind === '' || kind.includes(SEPARATOR)) return 'kind must be a name without the character U+0000'
  const fault = keyFault(recordName({ kind, key }))
  return fault === undefined ? undefined : `${kind} "${key.slice(0, 40)}": ${fault}`
}

/** The record with its names back. */
export function recordOf(name: string, record: unknown): StoreOutcome['records'][number] {
  const end = name.indexOf(SEPARATOR)
  return { kind: name.slice(0, end), key: name.slice(end + 1), record }
}
