import { type Refusal, refuse } from '../../src/kernel/refusal.ts'
import type { Transaction } from '../../src/kernel/tables.ts'
import { nodeTable } from '../catalog/records.ts'
import { checkTable, nodeKey, nodeServiceKey } from '../catalog/tables.ts'
import { type CommandFunction, indexOf } from '../command.ts'
import { beginSession, beginTerm, endSession } from './changes.ts'
import { lockDelayTable, type SessionRecord, sessionTable, termIndex } from './tables.ts'

export type SessionCreate = { id: string } & Omit<SessionRecord, 'createIndex' | 'modifyIndex'>

/** Makes a session. Its node and all its checks must be there, and no check critical. Source: http-api §7. */
export const sessionCreate: CommandFunction<SessionCreate, { id: string }> = (tx, { index }, { id, ...session }) => {
  if (tx.get(sessionTable, id)) return { id }
  const wrong = foundationWrong(tx, session)
  if (wrong) return refuse(wrong.refused, `apply failed: ${wrong.why}`)
  beginSession(tx, index, id, { ...session, createIndex: index, modifyIndex: index })
  return { id }
}

/** Ends a session. One that is not there has ended already. */
export const sessionDestroy: CommandFunction<{ id: string }, null> = (tx, { index }, { id }) => {
  endSession(tx, index, id)
  return null
}

/** Lets the time of a session begin anew, if it has one, and answers the session. */
export const sessionRenew: CommandFunction<{ id: string }, SessionRecord> = (tx, { index }, { id }) => {
  const session = tx.get(sessionTable, id)
  if (!session) return refuse('missing', `Session id '${id}' not found`)
  if (session.ttlMs > 0) beginTerm(tx, index, id, session.ttlMs)
  return session
}

/** Ends a session whose time was over, unless it was renewed since: `began` is the index at which that time began. */
export const sessionExpire: CommandFunction<{ id: string; began: number }, { ended: boolean }> = (tx, { index }, { id, began }) => {
  if (indexOf(tx, termIndex(id)) !== began) return { ended: false }
  endSession(tx, index, id)
  return { ended: true }
}

/** Lets a key be taken again, unless another delay began since: `began` is the index of the one that is over. */
export const sessionEndLockDelay: CommandFunction<{ key: string; began: number }, null> = (tx, _context, { key, began }) => {
  if (tx.get(lockDelayTable, key)?.index === began) tx.delete(lockDelayTable, key)
  return null
}

function foundationWrong(tx: Transaction, { node, nodeChecks, serviceChecks }: Omit<SessionCreate, 'id'>): Refusal | undefined {
  if (!nodeTable.get(tx, nodeKey(node))) return refuse('conflict', 'Missing node registration')
  for (const checkId of [...nodeChecks, ...(serviceChecks ?? []).map(({ id }) => id)]) {
    const check = tx.get(checkTable, nodeServiceKey(node, checkId))
    if (!check) return refuse('conflict', `Missing check '${checkId}' registration`)
    if (check.status === 'critical') return refuse('conflict', `Check '${checkId}' is in critical state`)
  }
  return undefined
}
