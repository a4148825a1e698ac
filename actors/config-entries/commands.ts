import { joined } from '../../src/kernel/tables.ts'
import { same } from '../catalog/same.ts'
import { bump, type CommandFunction } from '../command.ts'
import { protocolFaultOf } from '../intentions/protocol-fault.ts'
import { DEFAULTS_INDEX, type DefaultsContent, type DefaultsKind, defaultsTable } from './tables.ts'

export type DefaultsText = { kind: DefaultsKind; name: string; content: DefaultsContent }

/** Writes if `cas` is absent or equals the entry's modifyIndex (0: must not exist). The same content again is written already,
 * whatever `cas` says. Refused where it would take its requests from a service whose intentions look into them. */
export const configSet: CommandFunction<DefaultsText & { cas?: number }, { applied: boolean }> = (
  tx,
  { index },
  { kind, name, content, cas },
) => {
  const key = joined(kind, name)
  const before = tx.get(defaultsTable, key)
  if (before && same(before.content, content)) return { applied: true }
  if (cas !== undefined && cas !== (before?.modifyIndex ?? 0)) return { applied: false }
  tx.put(defaultsTable, key, { kind, name, content, createIndex: before?.createIndex ?? index, modifyIndex: index })
  bump(tx, DEFAULTS_INDEX, index)
  return protocolFaultOf(tx, kind === 'service-defaults' ? name : undefined) ?? { applied: true }
}

/** One that is not there is removed already. Refused as writing is. */
export const configDelete: CommandFunction<{ kind: DefaultsKind; name: string }, null> = (tx, { index }, { kind, name }) => {
  if (!tx.delete(defaultsTable, joined(kind, name))) return null
  bump(tx, DEFAULTS_INDEX, index)
  return protocolFaultOf(tx, kind === 'service-defaults' ? name : undefined) ?? null
}
