import { table } from '../../src/kernel/tables.ts'
import type { CommandFunction } from '../command.ts'

/** How the servers of a cluster look after themselves. */
export type AutopilotSettings = {
  cleanupDeadServers: boolean
  lastContactThresholdMs: number
  maxTrailingLogs: number
  minQuorum: number
  serverStabilizationTimeMs: number
  redundancyZoneTag: string
  disableUpgradeMigration: boolean
  upgradeVersionTag: string
}
export type AutopilotRecord = AutopilotSettings & { createIndex: number; modifyIndex: number }

/** One record, under `configuration`. Without it the settings that the servers were started with hold. */
export const autopilotTable = table<AutopilotRecord>('autopilot', 76)
export const AUTOPILOT_KEY = 'configuration'
/** Both indexes of settings that nobody has changed: they are there from the beginning. */
export const AUTOPILOT_FIRST_INDEX = 1

/** Replaces the settings if `cas` is absent or equals their modifyIndex. */
export const autopilotSet: CommandFunction<{ settings: AutopilotSettings; cas?: number }, { applied: boolean }> = (
  tx,
  { index },
  { settings, cas },
) => {
  const before = tx.get(autopilotTable, AUTOPILOT_KEY)
  if (cas !== undefined && cas !== (before?.modifyIndex ?? AUTOPILOT_FIRST_INDEX)) return { applied: false }
  tx.put(autopilotTable, AUTOPILOT_KEY, {
    ...settings,
    createIndex: before?.createIndex ?? AUTOPILOT_FIRST_INDEX,
    modifyIndex: Math.max(index, AUTOPILOT_FIRST_INDEX + 1),
  })
  return { applied: true }
}
