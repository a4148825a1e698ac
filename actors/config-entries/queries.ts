import { joined, type View } from '../../src/kernel/tables.ts'
import { indexOf } from '../command.ts'
import { intentionEntries, intentionEntry } from '../intentions/queries.ts'
import { type ConfigEntry, type ConfigKind, isDefaultsKind } from './entry.ts'
import { DEFAULTS_INDEX, type DefaultsKind, type DefaultsRecord, defaultsTable, GLOBAL } from './tables.ts'

/** An entry as it is stored, with its indexes. */
export type StoredEntry = ConfigEntry & { createIndex: number; modifyIndex: number }

/** All entries of a kind, of every kind for '', ordered by kind and name. */
export function configList(view: View, kind: ConfigKind | ''): { index: number; entries: StoredEntry[] } {
  const defaults =
    kind === '' || isDefaultsKind(kind) ? [...view.range(defaultsTable, { prefix: kind === '' ? '' : joined(kind, '') })] : []
  const entries: StoredEntry[] = defaults.map(([, record]) => record)
  if (kind === '' || kind === 'service-intentions') entries.push(...intentionEntries(view).map(storedIntentions))
  return { index: indexOfKind(view, kind), entries }
}

export function configEntry(view: View, kind: ConfigKind, name: string): { index: number; entry: StoredEntry | undefined } {
  const index = indexOfKind(view, kind)
  if (isDefaultsKind(kind)) return { index, entry: view.get(defaultsTable, joined(kind, name)) }
  const record = intentionEntry(view, name)
  return { index, entry: record && storedIntentions(record) }
}

export function serviceDefaults(view: View, service: string): DefaultsRecord | undefined {
  return view.get(defaultsTable, joined('service-defaults' satisfies DefaultsKind, service))
}

export function proxyDefaults(view: View): DefaultsRecord | undefined {
  return view.get(defaultsTable, joined('proxy-defaults' satisfies DefaultsKind, GLOBAL))
}

/** Whether requests of a service can be looked into: `http`, `http2` and `grpc` have requests, anything else is bytes. */
export function isLayer7(protocol: string): boolean {
  return protocol === 'http' || protocol === 'http2' || protocol === 'grpc'
}

/** What a service speaks by the central settings, in lower case. Source: connect §11, rule 9. */
export function protocolOf(view: View, service: string): string {
  const own = serviceDefaults(view, service)?.content.Protocol
  const global = proxyDefaults(view)?.content.Config?.['protocol']
  return own || (typeof global === 'string' && global !== '' ? global.toLowerCase() : 'tcp')
}

function indexOfKind(view: View, kind: ConfigKind | ''): number {
  const defaults = kind === 'service-intentions' ? 0 : indexOf(view, DEFAULTS_INDEX)
  return Math.max(defaults, isDefaultsKind(kind) ? 0 : indexOf(view, 'intentions'))
}

function storedIntentions(record: NonNullable<ReturnType<typeof intentionEntry>>): StoredEntry {
  const { destination, sources, meta = {}, createIndex, modifyIndex } = record
  return { kind: 'service-intentions', name: destination, sources, meta, createIndex, modifyIndex }
}
