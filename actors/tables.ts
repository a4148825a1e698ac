import type { Table } from '../src/kernel/tables.ts'
import { autopilotTable } from './autopilot/commands.ts'
import { caAuthorityTable, caConfigTable, caKeyTable, caRootTable, caRotationTable, caSerialTable } from './ca/tables.ts'
import { instanceTable, nodeTable } from './catalog/records.ts'
import {
  checkTable,
  connectTable,
  nodeAddressTable,
  nodeIdTable,
  nodeServiceTable,
  serviceAddressTable,
  summaryTable,
} from './catalog/tables.ts'
import { indexTable, metaTable } from './command.ts'
import { defaultsTable } from './config-entries/tables.ts'
import { coordinateTable } from './coordinates/tables.ts'
import { destinationTable, intentionIdTable, sourceTable } from './intentions/tables.ts'
import { kvTable, tombstoneTable } from './kv/tables.ts'
import { queryNameTable, querySessionTable, queryTable, queryTemplateTable } from './prepared-queries/tables.ts'
import { proxyReportTable } from './reports/tables.ts'
import { leaderTable } from './servers/commands.ts'
import { dependentTable, heldTable, lockDelayTable, sessionTable, termTable } from './sessions/tables.ts'

/** Every table of the cluster's state, by number: what a snapshot holds. */
export const tables: readonly Table<unknown>[] = [
  metaTable,
  indexTable,
  kvTable,
  tombstoneTable,
  nodeTable.rows,
  nodeIdTable,
  instanceTable.rows,
  nodeServiceTable,
  checkTable,
  connectTable,
  nodeAddressTable,
  serviceAddressTable,
  summaryTable,
  caConfigTable,
  caRootTable,
  caKeyTable,
  caSerialTable,
  caAuthorityTable,
  caRotationTable,
  destinationTable,
  sourceTable,
  intentionIdTable,
  proxyReportTable,
  sessionTable,
  dependentTable,
  heldTable,
  lockDelayTable,
  termTable,
  queryTable,
  queryNameTable,
  queryTemplateTable,
  querySessionTable,
  coordinateTable,
  defaultsTable,
  autopilotTable,
  leaderTable,
].toSorted((a, b) => a.id - b.id)
