import type { AuthorityState } from '../../src/kernel/ports.ts'
import { assert, isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import type { Transaction } from '../../src/kernel/tables.ts'
import { same } from '../catalog/same.ts'
import { bump, type CommandFunction } from '../command.ts'
import {
  CA_ROTATION,
  type CaAuthorityRecord,
  type CaConfigRecord,
  type CaRoot,
  type CaRotationRecord,
  type CaSettings,
  CONFIG_KEY,
  caAuthorityTable,
  caConfigTable,
  caKeyTable,
  caRootTable,
  caRotationTable,
  caSerialTable,
  ROTATION_KEY,
  SERIAL_KEY,
} from './tables.ts'

export type NewRoot = Omit<CaRoot, 'active' | 'leavesUntilMs' | 'createIndex' | 'modifyIndex'>
/** A root with what signs for it. */
export type RootOwner = { config: CaAuthorityRecord['config']; crossSigns: boolean; crossPem: string[]; state: AuthorityState }
/** What whoever proposes a change has seen. It is refused if that holds no more. */
export type Seen = { configIndex: number; activeRootId: string }
export type CaBootstrap = RootOwner & { clusterId: string; settings: CaSettings; root: NewRoot; nextSerial: number }
export type CaRotate = RootOwner & {
  id: string
  seen: Seen
  settings: CaSettings
  root: NewRoot
  /** The root is only trusted, until `ca.activate`. */
  spreads: boolean
}
export type CaSetConfig = RootOwner & {
  seen: Seen
  settings: CaSettings
  signer: Pick<CaRoot, 'signingKeyId' | 'intermediatesPem' | 'signsUntilMs'>
}

/** Founds the authority. If there is one already, nothing changes: the first proposer wins. */
export const caBootstrap: CommandFunction<CaBootstrap, { founded: boolean }> = (tx, { index }, request) => {
  if (tx.get(caConfigTable, CONFIG_KEY)) return { founded: false }
  putConfig(tx, { ...request.settings, clusterId: request.clusterId, createIndex: index, modifyIndex: index })
  putRoot(tx, { ...request.root, active: true, createIndex: index, modifyIndex: index })
  putOwner(tx, request.root.id, request, request.settings)
  tx.put(caSerialTable, SERIAL_KEY, { next: request.nextSerial })
  return { founded: true }
}

/** Adds a root: as the one that signs, or as one that is only trusted. Earlier roots stay trusted. */
export const caRotate: CommandFunction<CaRotate, null> = (tx, { index, nowMs }, { id, seen, settings, root, spreads, ...owner }) => {
  const config = seenConfig(tx, seen)
  if (isRefused(config)) return config
  const known = tx.get(caRootTable, root.id)
  putRoot(tx, { ...known, ...root, active: false, createIndex: known?.createIndex ?? index, modifyIndex: index })
  putOwner(tx, root.id, owner, settings)
  if (spreads) rememberLeaves(tx, config, settings, nowMs, index)
  else activate(tx, root.id, config.leafCertTtlMs, nowMs, index)
  putConfig(tx, { ...config, ...settings, modifyIndex: index })
  putRotation(tx, {
    id,
    fromRootId: seen.activeRootId,
    toRootId: root.id,
    phase: spreads ? 'spreading' : 'active',
    aborts: false,
    startedMs: nowMs,
    activeMs: spreads ? 0 : nowMs,
    modifyIndex: index,
  })
  return null
}

/** Makes a root that was only trusted the one that signs. */
export const caActivate: CommandFunction<{ id: string }, { activated: boolean }> = (tx, { index, nowMs }, { id }) => {
  const rotation = tx.get(caRotationTable, ROTATION_KEY)
  const config = tx.get(caConfigTable, CONFIG_KEY)
  if (!config || rotation?.id !== id || rotation.phase !== 'spreading') return { activated: false }
  activate(tx, rotation.toRootId, config.leafCertTtlMs, nowMs, index)
  putRotation(tx, { ...rotation, phase: 'active', activeMs: nowMs, modifyIndex: index })
  return { activated: true }
}

/** Goes back to the root from which the rotation under way came, and to its configuration. Both stay trusted. */
export const caAbort: CommandFunction<{ id: string }, { rootId: string }> = (tx, { index, nowMs }, { id }) => {
  const rotation = tx.get(caRotationTable, ROTATION_KEY)
  const config = tx.get(caConfigTable, CONFIG_KEY)
  if (!config || !rotation || rotation.aborts) return refuse('missing', 'there is no rotation to abort')
  const { fromRootId, toRootId, phase } = rotation
  const owner = tx.get(caAuthorityTable, fromRootId)
  if (!tx.get(caRootTable, fromRootId) || !owner) return refuse('missing', `the former root ${fromRootId} is not trusted any more`)
  if (phase === 'active') activate(tx, fromRootId, config.leafCertTtlMs, nowMs, index)
  else rememberLeaves(tx, config, owner.settings, nowMs, index)
  putConfig(tx, { ...config, ...owner.settings, modifyIndex: index })
  putRotation(tx, {
    ...rotation,
    id,
    fromRootId: toRootId,
    toRootId: fromRootId,
    phase: 'active',
    aborts: true,
    startedMs: nowMs,
    activeMs: nowMs,
    modifyIndex: index,
  })
  return { rootId: fromRootId }
}

/** Takes a root out of what is trusted, if `activeRootId` signs still and no leaf of it can be left. */
export const caRetire: CommandFunction<{ rootId: string; activeRootId: string }, { retired: boolean }> = (
  tx,
  { index, nowMs },
  { rootId, activeRootId },
) => {
  const root = tx.get(caRootTable, rootId)
  const rotation = tx.get(caRotationTable, ROTATION_KEY)
  const owner = tx.get(caAuthorityTable, rootId)
  if (!root || root.active || !tx.get(caRootTable, activeRootId)?.active) return { retired: false }
  if (nowMs < (root.leavesUntilMs ?? 0) || (rotation?.phase === 'spreading' && rotation.toRootId === rootId)) return { retired: false }
  tx.delete(caRootTable, rootId)
  bump(tx, 'connect-ca-roots', index)
  if (owner) tx.put(caAuthorityTable, rootId, { ...owner, retired: true })
  else tx.delete(caKeyTable, rootId)
  if (rotation?.fromRootId === rootId) {
    tx.delete(caRotationTable, ROTATION_KEY)
    bump(tx, CA_ROTATION, index)
  }
  return { retired: true }
}

/** Forgets what signed for a retired root. */
export const caForget: CommandFunction<{ rootId: string }, null> = (tx, _context, { rootId }) => {
  if (!tx.get(caAuthorityTable, rootId)?.retired) return null
  tx.delete(caAuthorityTable, rootId)
  tx.delete(caKeyTable, rootId)
  return null
}

/** Gives whoever asks the serial numbers `from` to `from + count - 1`. None is given twice. */
export const caNextSerial: CommandFunction<{ count: number }, { from: number }> = (tx, _context, { count }) => {
  assert(Number.isSafeInteger(count) && count > 0, 'serial numbers are reserved in whole positive counts')
  const from = tx.get(caSerialTable, SERIAL_KEY)?.next
  if (from === undefined) return notFounded()
  tx.put(caSerialTable, SERIAL_KEY, { next: from + count })
  return { from }
}

/** Changes how the active root signs, or with what key below it. */
export const caSetConfig: CommandFunction<CaSetConfig, null> = (tx, { index, nowMs }, { seen, settings, signer, ...owner }) => {
  const config = seenConfig(tx, seen)
  if (isRefused(config)) return config
  rememberLeaves(tx, config, settings, nowMs, index)
  const root = tx.get(caRootTable, seen.activeRootId)
  assert(root, 'the active root is among the roots')
  putOwner(tx, root.id, owner, settings)
  if (!same(root, { ...root, ...signer })) putRoot(tx, { ...root, ...signer, modifyIndex: index })
  const next = { ...config, ...settings }
  if (!same(config, next)) putConfig(tx, { ...next, modifyIndex: index })
  return null
}

/** One root signs from now on; leaves of the one before may live as long as they were given. */
function activate(tx: Transaction, rootId: string, leafCertTtlMs: number, nowMs: number, index: number): void {
  for (const [, root] of [...tx.range(caRootTable)]) {
    if (root.id === rootId) putRoot(tx, { ...root, active: true, modifyIndex: index })
    else if (root.active) {
      const leavesUntilMs = Math.max(root.leavesUntilMs ?? 0, nowMs + leafCertTtlMs)
      putRoot(tx, { ...root, active: false, leavesUntilMs, modifyIndex: index })
    }
  }
}

/** Where leaves get a shorter life, those that the active root signed until now may live as long as they were given. */
function rememberLeaves(tx: Transaction, before: CaSettings, after: CaSettings, nowMs: number, index: number): void {
  if (after.leafCertTtlMs >= before.leafCertTtlMs) return
  for (const [, root] of [...tx.range(caRootTable)]) {
    const leavesUntilMs = Math.max(root.leavesUntilMs ?? 0, nowMs + before.leafCertTtlMs)
    if (root.active) putRoot(tx, { ...root, leavesUntilMs, modifyIndex: index })
  }
}

function seenConfig(tx: Transaction, { configIndex, activeRootId }: Seen): Result<CaConfigRecord> {
  const config = tx.get(caConfigTable, CONFIG_KEY)
  if (!config) return notFounded()
  if (config.modifyIndex === configIndex && tx.get(caRootTable, activeRootId)?.active) return config
  return refuse('conflict', 'the configuration of the certificate authority was changed by somebody else meanwhile')
}

function putOwner(tx: Transaction, rootId: string, { config, crossSigns, crossPem, state }: RootOwner, settings: CaSettings): void {
  const owner = { provider: settings.provider, config, settings, crossSigns, crossPem, retired: false }
  if (!same(tx.get(caAuthorityTable, rootId), owner)) tx.put(caAuthorityTable, rootId, owner)
  if (!same(tx.get(caKeyTable, rootId), state)) tx.put(caKeyTable, rootId, state)
}

function putRotation(tx: Transaction, record: CaRotationRecord): void {
  tx.put(caRotationTable, ROTATION_KEY, record)
  bump(tx, CA_ROTATION, record.modifyIndex)
}

function putConfig(tx: Transaction, record: CaConfigRecord): void {
  tx.put(caConfigTable, CONFIG_KEY, record)
  bump(tx, 'connect-ca-config', record.modifyIndex)
}

function putRoot(tx: Transaction, root: CaRoot): void {
  tx.put(caRootTable, root.id, root)
  bump(tx, 'connect-ca-roots', root.modifyIndex)
}

function notFounded(): Result<never> {
  return refuse('missing', 'the certificate authority does not exist yet')
}
