import { table } from '../../src/kernel/tables.ts'
import type { Permission } from './permissions.ts'

export type IntentionAction = 'allow' | 'deny'

/** All intentions about connections to one destination: the one truth there is about it. */
export type DestinationRecord = {
  destination: string
  /** Ordered by precedence, the newest last among equals. Each source is named once. Never empty. */
  sources: IntentionSource[]
  /** Only where the whole entry was written as one. */
  meta?: Record<string, string>
  createIndex: number
  modifyIndex: number
}

export type IntentionSource = {
  /** A service's name, or `*`. */
  name: string
  /** With permissions always `deny`: what whoever does not look into requests does. */
  action: IntentionAction
  /** What it says about each request; only for services that speak HTTP. Never empty. */
  permissions?: Permission[]
  description: string
  /** Only for intentions made by the older interface, which names them by id. */
  legacy?: { id: string; meta: Record<string, string>; createdMs: number; updatedMs: number }
}

/** By destination. */
export const destinationTable = table<DestinationRecord>('intentions', 45)
/** Which destinations a source is named for: `joined(source, destination)`. */
export const sourceTable = table<1>('intentions-by-source', 46)
/** Where an intention with an id is. */
export const intentionIdTable = table<{ destination: string; source: string }>('intentions-by-id', 47)
