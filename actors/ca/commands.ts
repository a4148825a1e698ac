import { assert, type Result, refuse } from '../../src/kernel/refusal.ts'
import type { Transaction } from '../../src/kernel/tables.ts'
import { bump, type CommandFunction } from '../command.ts'
import {
  type CaConfigRecord,
  type CaRoot,
  type CaSettings,
  CONFIG_KEY,
  caConfigTable,
  caKeyTable,
  caRootTable,
  caSerialTable,
  SERIAL_KEY,
} from './tables.ts'

export type NewRoot = Omit<CaRoot, 'active' | 'createIndex' | 'modifyIndex'>
export type CaBootstrap = { clusterId: string; settings: CaSettings; root: NewRoot; keyPem: string; nextSerial: number }

/** Founds the authority. If there is one already, nothing changes: the first proposer wins. */
export const caBootstrap: CommandFunction<CaBootstrap, { founded: boolean }> = (tx, { index }, request) => {
  if (tx.get(caConfigTable, CONFIG_KEY)) return { founded: false }
  putConfig(tx, { ...request.settings, clusterId: request.clusterId, createIndex: index, modifyIndex: index }, index)
  putRoot(tx, { ...request.root, active: true, createIndex: index, modifyIndex: index }, index)
  tx.put(caKeyTable, request.root.id, { keyPem: request.keyPem })
  tx.put(caSerialTable, SERIAL_KEY, { next: request.nextSerial })
  return { founded: true }
}

/** Makes a root the one that signs. Earlier roots stay trusted. */
export const caSetRoots: CommandFunction<{ root: NewRoot; keyPem: string }, null> = (tx, { index }, { root, keyPem }) => {
  if (!tx.get(caConfigTable, CONFIG_KEY)) return notFounded()
  for (const [, known] of [...tx.range(caRootTable)]) {
    if (known.active) putRoot(tx, { ...known, active: false, modifyIndex: index }, index)
  }
  putRoot(tx, { ...root, active: true, createIndex: tx.get(caRootTable, root.id)?.createIndex ?? index, modifyIndex: index }, index)
  tx.put(caKeyTable, root.id, { keyPem })
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

/** Changes how the authority signs, not with what. */
export const caSetConfig: CommandFunction<Partial<CaSettings>, null> = (tx, { index }, changes) => {
  const before = tx.get(caConfigTable, CONFIG_KEY)
  if (!before) return notFounded()
  const after = { ...before, ...changes }
  if (JSON.stringify(after) !== JSON.stringify(before)) putConfig(tx, { ...after, modifyIndex: index }, index)
  return null
}

function putConfig(tx: Transaction, record: CaConfigRecord, index: number): void {
  tx.put(caConfigTable, CONFIG_KEY, record)
  bump(tx, 'connect-ca-config', index)
}

function putRoot(tx: Transaction, root: CaRoot, index: number): void {
  tx.put(caRootTable, root.id, root)
  bump(tx, 'connect-ca-roots', index)
}

function notFounded(): Result<never> {
  return refuse('missing', 'the certificate authority does not exist yet')
}
