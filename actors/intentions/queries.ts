import { joined, type View } from '../../src/kernel/tables.ts'
import { indexOf } from '../command.ts'
import { comparePrecedence, type Rule, WILDCARD } from './decide.ts'
import { type DestinationRecord, destinationTable, type IntentionSource, intentionIdTable, sourceTable } from './tables.ts'

/** One intention with what belongs to its destination as a whole. */
export type Intention = Rule & Pick<IntentionSource, 'description' | 'legacy'> & { createIndex: number; modifyIndex: number }

/** All intentions in the order of their precedence. */
export function intentionList(view: View): { index: number; intentions: Intention[] } {
  const intentions = [...view.range(destinationTable)].flatMap(([, record]) => intentionsOf(record))
  return { index: indexOf(view, 'intentions'), intentions: intentions.sort(comparePrecedence) }
}

/** Intentions about connections to a service, or to any. */
export function intentionsTo(view: View, destination: string): { index: number; intentions: Intention[] } {
  const intentions: Intention[] = []
  let index = 0
  for (const name of new Set([destination, WILDCARD])) {
    index = Math.max(index, indexOf(view, `intentions-to/${name}`))
    const record = view.get(destinationTable, name)
    if (record) intentions.push(...intentionsOf(record))
  }
  return { index, intentions: intentions.sort(comparePrecedence) }
}

/** Intentions about connections from a service, or from any. */
export function intentionsFrom(view: View, source: string): { index: number; intentions: Intention[] } {
  const intentions: Intention[] = []
  let index = 0
  for (const name of new Set([source, WILDCARD])) {
    index = Math.max(index, indexOf(view, `intentions-from/${name}`))
    for (const [key] of view.range(sourceTable, { prefix: joined(name, '') })) {
      const record = view.get(destinationTable, key.slice(joined(name, '').length))
      if (record) intentions.push(...intentionsOf(record).filter((intention) => intention.source === name))
    }
  }
  return { index, intentions: intentions.sort(comparePrecedence) }
}

/** The intention for exactly these two names. */
export function intentionExact(view: View, source: string, destination: string): { index: number; intention: Intention | undefined } {
  const record = view.get(destinationTable, destination)
  const intention = record && intentionsOf(record).find((one) => one.source === source)
  return { index: indexOf(view, `intentions-to/${destination}`), intention }
}

export function intentionById(view: View, id: string): { index: number; intention: Intention | undefined } {
  const at = view.get(intentionIdTable, id)
  return at ? intentionExact(view, at.source, at.destination) : { index: indexOf(view, 'intentions'), intention: undefined }
}

/** Where a source stands, or would stand, in its destination's list. */
export function placeOf(view: View, source: string, destination: string): number {
  const sources = view.get(destinationTable, destination)?.sources ?? []
  const known = sources.findIndex(({ name }) => name === source)
  if (known >= 0) return known
  const above = sources.filter(({ name }) => name !== WILDCARD).length
  return source === WILDCARD ? sources.length : above
}

/** All intentions, by destination. */
export function intentionEntries(view: View): DestinationRecord[] {
  return [...view.range(destinationTable)].map(([, record]) => record)
}

/** All intentions about one destination. */
export function intentionEntry(view: View, destination: string): DestinationRecord | undefined {
  return view.get(destinationTable, destination)
}

function intentionsOf({ destination, sources, createIndex, modifyIndex }: DestinationRecord): Intention[] {
  return sources.map(({ name, action, permissions, description, legacy }) => ({
    id: legacy?.id ?? '',
    source: name,
    destination,
    action,
    ...(permissions && { permissions }),
    description,
    ...(legacy && { legacy }),
    createIndex,
    modifyIndex,
  }))
}
