import type { Device, LogOutcome, LogRequest, Tables } from './kernel/ports.ts'
import { isRefused, type Result } from './kernel/refusal.ts'
import type { ChangeNotice, Transaction } from './kernel/tables.ts'

export type LocalLogOptions = {
  tables: Pick<Tables, 'transact'>
  /** Applies a group of commands in order: one outcome for each, and what all of them changed. */
  apply: (tx: Transaction, commands: readonly object[]) => { outcomes: Result<unknown>[]; notice: ChangeNotice }
  /** Called once for each group, when it is durable and before it is answered. */
  onCommitted: (notice: ChangeNotice) => void
}

/**
 * The log of a single server: the order of its table commits. A group is one commit. If the disk does not take it, the whole
 * group is refused and nothing of it has happened; if `apply` throws, so does `perform`, and nothing has happened either.
 */
export function localLog({ tables, apply, onCommitted }: LocalLogOptions): Device<LogRequest, LogOutcome> {
  return {
    perform({ commands }, done) {
      tables.transact<LogOutcome>(
        (tx) => apply(tx, commands),
        (result) => {
          if (!isRefused(result)) onCommitted(result.notice)
          done(result)
        },
      )
    },
  }
}
