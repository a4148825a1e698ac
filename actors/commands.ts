import { overlay } from '../src/kernel/overlay.ts'
import { isRefused, type Refusal, type Result } from '../src/kernel/refusal.ts'
import { type ChangeNotice, isReplaced, type Transaction } from '../src/kernel/tables.ts'
import { autopilotSet } from './autopilot/commands.ts'
import { caAbort, caActivate, caBootstrap, caForget, caNextSerial, caRetire, caRotate, caSetConfig } from './ca/commands.ts'
import { catalogDeregister, catalogRegister } from './catalog/commands.ts'
import { lastIndex, setLastIndex } from './command.ts'
import { configDelete, configSet } from './config-entries/commands.ts'
import { coordinatesUpdate } from './coordinates/commands.ts'
import {
  intentionCreate,
  intentionDelete,
  intentionDeleteExact,
  intentionEntryDelete,
  intentionEntryWrite,
  intentionPut,
  intentionUpdate,
} from './intentions/commands.ts'
import { kvDelete, kvDeleteTree, kvLock, kvPut, kvUnlock } from './kv/commands.ts'
import { queryCreate, queryDelete, queryUpdate } from './prepared-queries/commands.ts'
import { connectReport } from './reports/commands.ts'
import { serversLead, serversMigrate } from './servers/commands.ts'
import { sessionCreate, sessionDestroy, sessionEndLockDelay, sessionExpire, sessionRenew } from './sessions/commands.ts'
import { replaceTables, snapshotsTake } from './snapshots/commands.ts'
import { txnApply } from './txn/commands.ts'

/** Every change of state there is. */
export const commands = {
  'kv.put': kvPut,
  'kv.lock': kvLock,
  'kv.unlock': kvUnlock,
  'kv.delete': kvDelete,
  'kv.delete-tree': kvDeleteTree,
  'catalog.register': catalogRegister,
  'catalog.deregister': catalogDeregister,
  'coordinates.update': coordinatesUpdate,
  'queries.create': queryCreate,
  'queries.update': queryUpdate,
  'queries.delete': queryDelete,
  'ca.bootstrap': caBootstrap,
  'ca.rotate': caRotate,
  'ca.activate': caActivate,
  'ca.abort': caAbort,
  'ca.retire': caRetire,
  'ca.forget': caForget,
  'ca.next-serial': caNextSerial,
  'ca.set-config': caSetConfig,
  'connect.report': connectReport,
  'intentions.create': intentionCreate,
  'intentions.update': intentionUpdate,
  'intentions.delete': intentionDelete,
  'intentions.put': intentionPut,
  'intentions.delete-exact': intentionDeleteExact,
  'intentions.write-entry': intentionEntryWrite,
  'intentions.delete-entry': intentionEntryDelete,
  'config.set': configSet,
  'config.delete': configDelete,
  'autopilot.set': autopilotSet,
  'txn.apply': txnApply,
  'snapshots.take': snapshotsTake,
  'servers.lead': serversLead,
  'servers.migrate': serversMigrate,
  'sessions.create': sessionCreate,
  'sessions.destroy': sessionDestroy,
  'sessions.renew': sessionRenew,
  'sessions.expire': sessionExpire,
  'sessions.end-lock-delay': sessionEndLockDelay,
}

type Commands = typeof commands
export type CommandKind = keyof Commands
export type CommandRequest<Kind extends CommandKind> = Parameters<Commands[Kind]>[2]
export type CommandOutcome<Kind extends CommandKind> = Exclude<ReturnType<Commands[Kind]>, Refusal>
/** A command on its way: what is to be done, and when its proposer asked for it. */
export type Command = { [Kind in CommandKind]: { kind: Kind; atMs: number; request: CommandRequest<Kind> } }[CommandKind]

/** Applies a group in order. A refused command changes nothing and takes no index; the others of its group are not touched by that. */
export function applyGroup(tx: Transaction, group: readonly object[]): { outcomes: Result<unknown>[]; notice: ChangeNotice } {
  let index = lastIndex(tx)
  const outcomes: Result<unknown>[] = []
  const touched = new Map<string, [number, string]>()
  for (const { kind, atMs, request } of group as readonly Command[]) {
    const trial = overlay(tx)
    const apply = commands[kind] as (tx: Transaction, context: { index: number; nowMs: number }, request: unknown) => Result<unknown>
    const outcome = apply(trial, { index: index + 1, nowMs: atMs }, request)
    outcomes.push(outcome)
    const changes = trial.touched()
    if (isRefused(outcome) || changes.length === 0) continue
    index++
    if (isReplaced({ index, touched: changes })) index = replaceTables(tx, trial, index)
    else trial.applyTo(tx)
    for (const change of changes) touched.set(`${change[0]}:${change[1]}`, change)
  }
  if (touched.size > 0) setLastIndex(tx, index)
  return { outcomes, notice: { index, touched: [...touched.values()] } }
}
