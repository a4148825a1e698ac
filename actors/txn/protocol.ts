import type { Call } from '../../src/kernel/protocol.ts'
import type { Token } from '../authorize.ts'
import type { CheckRegistration } from '../catalog/check-changes.ts'
import type { InstanceRegistration } from '../catalog/instance-changes.ts'
import type { NodeRegistration } from '../catalog/node-changes.ts'
import type { PlacedCheck } from '../catalog/queries.ts'
import type { InstanceRecord, NodeRecord } from '../catalog/tables.ts'
import type { KvEntry } from '../kv/tables.ts'

/** Several operations that happen together or not at all. */
export type TxnProtocol = {
  /** Operations are carried out in order, each on what those before it left. With an error, nothing has changed. */
  apply: Call<{ operations: TxnOperation[]; token: Token }, TxnAnswer>
}

/** One operation. `verb` is as it was given; `index` is what the `cas` and `check-index` verbs compare with. */
export type TxnOperation = KvOperation | NodeOperation | ServiceOperation | CheckOperation
export type KvOperation = {
  on: 'kv'
  verb: string
  key: string
  value: Uint8Array
  flags: bigint
  index: number
  session: string
}
export type NodeOperation = { on: 'node'; verb: string; node: NodeRegistration; index: number }
export type ServiceOperation = { on: 'service'; verb: string; node: string; service: InstanceRegistration; index: number }
export type CheckOperation = { on: 'check'; verb: string; check: CheckRegistration; index: number }

/** What an operation found or left. A key that was not read by `get` or `get-tree` comes without its value. */
export type TxnResult = { key: string; entry: KvEntry } | { node: NodeRecord } | { service: InstanceRecord } | { check: PlacedCheck }
/** Why the operation at a position (from 0) cannot be. */
export type TxnError = { at: number; why: string }
export type TxnOutcome = { results: TxnResult[]; errors: TxnError[] }
/** `readOnly`: no operation could have changed anything. */
export type TxnAnswer = TxnOutcome & { readOnly: boolean }

const KV_WRITES: readonly string[] = ['set', 'cas', 'lock', 'unlock', 'delete', 'delete-tree', 'delete-cas']

/** Whether the operation may change something. Of keys, a verb that does not exist cannot; elsewhere everything but `get` may. */
export function isWrite({ on, verb }: TxnOperation): boolean {
  return on === 'kv' ? KV_WRITES.includes(verb) : verb !== 'get'
}
