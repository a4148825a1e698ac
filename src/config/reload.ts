import type { Config, ReloadablePart, ReloadDifference } from './config.ts'
import type { Fields } from './schema/fields.ts'
import { configFields } from './schema/index.ts'

/** What a newly read configuration changes, and which of it a running agent cannot take over. */
export function reloadDifference(old: Config, now: Config): ReloadDifference {
  const parts = new Set<ReloadablePart>()
  const needsRestart: string[] = []
  for (const [path, part] of PARTS) {
    if (same(old.keys[path], now.keys[path])) continue
    if (part === undefined) needsRestart.push(path)
    else parts.add(part)
  }
  // Settings of the agent that become part of each definition.
  if (!same(old.services, now.services)) parts.add('services')
  if (!same(old.checks, now.checks)) parts.add('checks')
  return { changed: [...parts], needsRestart }
}

const PARTS = partsOf(configFields, '', undefined)

function partsOf(fields: Fields, prefix: string, outer: ReloadablePart | undefined): [string, ReloadablePart | undefined][] {
  return Object.entries(fields).flatMap(([key, field]) => {
    // What has no effect does not get one by a restart either.
    if (field.now === 'harmless' || field.now === 'enterprise') return []
    const part = field.reloadable ?? outer
    if (field.type === 'object') return partsOf(field.fields, `${prefix}${key}.`, part)
    return [[prefix + key, part] as [string, ReloadablePart | undefined]]
  })
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b))
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  )
}
