import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { joined, type Transaction } from '../../src/kernel/tables.ts'
import { same } from '../catalog/same.ts'
import { bump, type CommandFunction } from '../command.ts'
import { precedenceOf } from './decide.ts'
import type { Permission } from './permissions.ts'
import { protocolFaultOf } from './protocol-fault.ts'
import {
  type DestinationRecord,
  destinationTable,
  type IntentionAction,
  type IntentionSource,
  intentionIdTable,
  sourceTable,
} from './tables.ts'

export type IntentionText = { source: string; destination: string; action: IntentionAction; description: string }
export type LegacyIntention = IntentionText & { id: string; meta: Record<string, string> }

/** Adds an intention with an id. Its source must not be named for its destination yet. */
export const intentionCreate: CommandFunction<LegacyIntention, { id: string }> = (tx, { index, nowMs }, intention) => {
  const { id, source, destination } = intention
  if (tx.get(intentionIdTable, id)) return refuse('conflict', `an intention with the ID ${id} exists already`)
  const sources = ordered([...sourcesOf(tx, destination), written(intention, { nowMs, createdMs: nowMs })], destination)
  const again = secondOf(sources)
  if (again) return again
  save(tx, destination, sources, [source], index)
  tx.put(intentionIdTable, id, { destination, source })
  return { id }
}

/** Rewrites the intention with this id. Its source may change, its destination may not. */
export const intentionUpdate: CommandFunction<LegacyIntention, { id: string }> = (tx, { index, nowMs }, intention) => {
  const { id, source, destination } = intention
  const at = tx.get(intentionIdTable, id)
  if (!at) return refuse('missing', `Cannot modify non-existent intention: '${id}'`)
  if (at.destination !== destination) {
    return refuse('conflict', 'Cannot modify DestinationNS or DestinationName for an intention once it exists.')
  }
  const before = sourcesOf(tx, destination)
  const createdMs = before.find(({ name }) => name === at.source)?.legacy?.createdMs ?? nowMs
  const changed = written(intention, { nowMs, createdMs })
  const sources = ordered(
    before.map((one) => (one.name === at.source ? changed : one)),
    destination,
  )
  const again = secondOf(sources)
  if (again) return again
  save(tx, destination, sources, [at.source, source], index)
  tx.put(intentionIdTable, id, { destination, source })
  return { id }
}

export const intentionDelete: CommandFunction<{ id: string }, null> = (tx, { index }, { id }) => {
  const at = tx.get(intentionIdTable, id)
  if (!at) return refuse('missing', `Cannot delete non-existent intention: '${id}'`)
  remove(tx, at.destination, at.source, index)
  return null
}

/** Makes the intention for these two names, whatever was there. The same again changes nothing. Permissions are refused for a
 * destination without requests. */
export const intentionPut: CommandFunction<IntentionText & { permissions?: Permission[] }, null> = (
  tx,
  { index },
  { source, destination, action, permissions, description },
) => {
  const before = sourcesOf(tx, destination)
  const known = before.find(({ name }) => name === source)
  const changed: IntentionSource = { name: source, action, ...(permissions && { permissions }), description }
  if (same(known, changed)) return null
  if (known?.legacy) tx.delete(intentionIdTable, known.legacy.id)
  const sources = known ? before.map((one) => (one.name === source ? changed : one)) : [...before, changed]
  save(tx, destination, ordered(sources, destination), [source], index)
  return protocolFaultOf(tx, destination) ?? null
}

/** Removes the intention for these two names. One that does not exist is removed already. */
export const intentionDeleteExact: CommandFunction<{ source: string; destination: string }, null> = (
  tx,
  { index },
  { source, destination },
) => {
  if (sourcesOf(tx, destination).some(({ name }) => name === source)) remove(tx, destination, source, index)
  return null
}

export type IntentionEntry = { destination: string; sources: IntentionSource[]; meta: Record<string, string> }

/** Writes all intentions about a destination as one, if `cas` is absent or equals the modifyIndex (0: must not exist). Ids that
 * the older interface gave are gone then. The same again is written already, whatever `cas` says. Permissions are refused for a
 * destination without requests. */
export const intentionEntryWrite: CommandFunction<IntentionEntry & { cas?: number }, { applied: boolean }> = (
  tx,
  { index },
  { destination, sources, meta, cas },
) => {
  const before = tx.get(destinationTable, destination)
  const next = ordered(sources, destination)
  const again = secondOf(next)
  if (isRefused(again)) return again
  if (before && same(before.sources, next) && same(before.meta ?? {}, meta)) return { applied: true }
  if (cas !== undefined && cas !== (before?.modifyIndex ?? 0)) return { applied: false }
  forgetIds(tx, before)
  save(tx, destination, next, namesOf([...(before?.sources ?? []), ...next]), index, meta)
  return protocolFaultOf(tx, destination) ?? { applied: true }
}

/** Removes all intentions about a destination. Without any it is done already. */
export const intentionEntryDelete: CommandFunction<{ destination: string }, null> = (tx, { index }, { destination }) => {
  const before = tx.get(destinationTable, destination)
  if (!before) return null
  forgetIds(tx, before)
  save(tx, destination, [], namesOf(before.sources), index)
  return null
}

function forgetIds(tx: Transaction, record: DestinationRecord | undefined): void {
  for (const { legacy } of record?.sources ?? []) if (legacy) tx.delete(intentionIdTable, legacy.id)
}

function namesOf(sources: readonly IntentionSource[]): string[] {
  return [...new Set(sources.map(({ name }) => name))]
}

function sourcesOf(tx: Transaction, destination: string): IntentionSource[] {
  return tx.get(destinationTable, destination)?.sources ?? []
}

function written({ source, action, description, id, meta }: LegacyIntention, times: { nowMs: number; createdMs: number }): IntentionSource {
  return { name: source, action, description, legacy: { id, meta, createdMs: times.createdMs, updatedMs: times.nowMs } }
}

function ordered(sources: IntentionSource[], destination: string): IntentionSource[] {
  const rank = ({ name: source }: IntentionSource) => precedenceOf({ source, destination })
  return sources.sort((a, b) => rank(b) - rank(a))
}

/** A refusal that names the second place where a source stands. */
function secondOf(sources: readonly IntentionSource[]): Result<never> | undefined {
  const seen = new Set<string>()
  for (const [position, { name }] of sources.entries()) {
    if (seen.has(name)) return refuse('conflict', `Sources[${position}] defines "${name}" more than once`)
    seen.add(name)
  }
  return undefined
}

function remove(tx: Transaction, destination: string, source: string, index: number): void {
  const sources = sourcesOf(tx, destination)
  const legacy = sources.find(({ name }) => name === source)?.legacy
  if (legacy) tx.delete(intentionIdTable, legacy.id)
  save(
    tx,
    destination,
    sources.filter(({ name }) => name !== source),
    [source],
    index,
  )
}

/** Keeps the destination's sources and everything that is derived from them. `changed` names sources that came, went or changed. */
function save(
  tx: Transaction,
  destination: string,
  sources: IntentionSource[],
  changed: string[],
  index: number,
  meta?: Record<string, string>,
): void {
  const before = tx.get(destinationTable, destination)
  const kept = meta ?? before?.meta ?? {}
  const record: DestinationRecord = {
    destination,
    sources,
    ...(Object.keys(kept).length > 0 && { meta: kept }),
    createIndex: before?.createIndex ?? index,
    modifyIndex: index,
  }
  if (sources.length > 0) tx.put(destinationTable, destination, record)
  else tx.delete(destinationTable, destination)
  for (const name of changed) {
    if (sources.some((one) => one.name === name)) tx.put(sourceTable, joined(name, destination), 1)
    else tx.delete(sourceTable, joined(name, destination))
  }
  bump(tx, 'intentions', index)
  bump(tx, `intentions-to/${destination}`, index)
  // Create and modify index belong to the destination as a whole, so every source's answer changes.
  for (const name of new Set([...changed, ...sources.map((one) => one.name)])) bump(tx, `intentions-from/${name}`, index)
}
