import type { Complete, Field, Fields, Given } from './schema/fields.ts'
import { defaultOf } from './support.ts'

/** Lays `over` on `base`: lists are appended, maps get the keys of both, objects merge key by key, anything else is replaced. */
export function mergeGiven<Table extends Fields>(fields: Table, base: Given<Table>, over: Given<Table>): Given<Table> {
  // Merging keeps every key's type.
  return mergeObjects(fields, base, over) as Given<Table>
}

/** Fills in what was not given. */
export function completed<Table extends Fields>(fields: Table, given: Given<Table>): Complete<Table> {
  // Defaults have their key's type; the test of the tables makes sure.
  return completeObject(fields, given) as Complete<Table>
}

type Values = { readonly [key: string]: unknown }

function mergeObjects(fields: Fields, base: Values, over: Values): Values {
  const merged: Record<string, unknown> = { ...base }
  for (const [key, value] of Object.entries(over)) {
    const field = fields[key]
    if (value !== undefined && field !== undefined) merged[key] = mergeValues(field, base[key], value)
  }
  return merged
}

function mergeValues(field: Field, base: unknown, over: unknown): unknown {
  if (Array.isArray(base) && Array.isArray(over)) return [...base, ...over]
  if (!isValues(base) || !isValues(over)) return over
  return field.type === 'object' ? mergeObjects(field.fields, base, over) : { ...base, ...over }
}

function completeObject(fields: Fields, given: Values): Values {
  return Object.fromEntries(Object.entries(fields).map(([key, field]) => [key, completeValue(field, given[key])]))
}

function completeValue(field: Field, given: unknown): unknown {
  if (field.type === 'object') return completeObject(field.fields, isValues(given) ? given : {})
  if (given !== undefined || ('optional' in field && field.optional)) return given
  return defaultOf(field)
}

function isValues(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
