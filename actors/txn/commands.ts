import { overlay } from '../../src/kernel/overlay.ts'
import type { CommandFunction } from '../command.ts'
import { runOperations } from './operations.ts'
import type { TxnOperation, TxnOutcome } from './protocol.ts'

/** All operations at one index, or none. */
export const txnApply: CommandFunction<{ operations: TxnOperation[] }, TxnOutcome> = (tx, context, { operations }) => {
  const trial = overlay(tx)
  const outcome = runOperations(trial, context, operations)
  if (outcome.errors.length === 0) trial.applyTo(tx)
  return outcome
}
