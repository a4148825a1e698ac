import type { Result } from '../src/kernel/refusal.ts'
import type { Transaction, View } from '../src/kernel/tables.ts'
import { table } from '../src/kernel/tables.ts'

/** What a command may know besides the tables: its own index and the proposer's time. */
export type CommandContext = { index: number; nowMs: number }

/** A change of state: judged and carried out in one place, in order. Refused or thrown, it leaves no trace. */
export type CommandFunction<Request, Outcome> = (tx: Transaction, context: CommandContext, request: Request) => Result<Outcome>

/** Facts about the tables as a whole: the last index. */
export const metaTable = table<{ value: number }>('meta', 1)
export const LAST_INDEX = 'index'

/** The index of the newest command that changed something; 0 in an empty state. */
export function lastIndex(view: View): number {
  return view.get(metaTable, LAST_INDEX)?.value ?? 0
}

export function setLastIndex(tx: Transaction, index: number): void {
  tx.put(metaTable, LAST_INDEX, { value: index })
}

/**
 * The index at which a whole kind of thing last changed, by name: `nodes`, `services`, `service/web`, `kvs`… What blocking
 * queries answer when the thing itself carries no index.
 */
export const indexTable = table<{ value: number }>('indexes', 2)

export function indexOf(view: View, name: string): number {
  return view.get(indexTable, name)?.value ?? 0
}

export function bump(tx: Transaction, name: string, index: number): void {
  tx.put(indexTable, name, { value: index })
}
