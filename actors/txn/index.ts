import { defineActor } from '../../src/kernel/actor.ts'
import { overlay } from '../../src/kernel/overlay.ts'
import { type Caller, type Cast, LATER, refOf } from '../../src/kernel/protocol.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import type { View } from '../../src/kernel/tables.ts'
import { lastIndex } from '../command.ts'
import { commit } from '../ledger.ts'
import { lockDelayTable } from '../sessions/tables.ts'
import { operationFault } from './faults.ts'
import { runOperations } from './operations.ts'
import { isWrite, type TxnAnswer, type TxnError, type TxnOperation, type TxnOutcome, type TxnProtocol } from './protocol.ts'

type TxnOwn = { settled: Cast<{ caller: Caller<TxnAnswer>; result: Result<TxnOutcome> }> }

export const txnRef = refOf<TxnProtocol>('txn')

/** Transactions. Those that only read are answered from the tables, without a commit. */
export const txn = defineActor<TxnProtocol, TxnOwn, { valueBytesMax: number }, { valueBytesMax: number }>({
  name: 'txn',
  mailboxMax: 16_384,
  remote: ['apply'],
  init: ({ valueBytesMax }) => ({ valueBytesMax }),
  on: {
    apply({ valueBytesMax }, { operations, token }, turn, caller) {
      const readOnly = !operations.some(isWrite)
      const faults = operations.flatMap((operation, at): TxnError[] => {
        const why = operationFault(turn.view, token, operation, valueBytesMax) ?? delayFault(turn.view, operation)
        return why === undefined ? [] : [{ at, why }]
      })
      if (faults.length > 0) return { results: [], errors: faults, readOnly }
      if (readOnly) {
        const outcome = runOperations(overlay(turn.view), { index: lastIndex(turn.view), nowMs: turn.nowMs }, operations)
        return { ...outcome, readOnly }
      }
      commit(turn, 'txn.apply', { operations }, (result) => ({ name: 'settled', request: { caller, result } }))
      return LATER
    },

    settled(_state, { caller, result }, turn) {
      turn.answer(caller, isRefused(result) ? result : { ...result, readOnly: false })
    },
  },
})

/** Said here because the command cannot tell it from a lock that is held; what holds is decided when the command is applied. */
function delayFault(view: View, operation: TxnOperation): string | undefined {
  if (operation.on !== 'kv' || operation.verb !== 'lock' || !view.get(lockDelayTable, operation.key)) return undefined
  return `failed to lock key ${JSON.stringify(operation.key)} due to lock delay`
}
