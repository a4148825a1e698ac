import { isRefused } from '../kernel/refusal.ts'
import { parseDuration } from './durations.ts'
import type { Field } from './schema/fields.ts'

/** Why a value cannot be had in this version, or undefined if it can. `path` is the key as in `ports.http`. */
export function supportProblem(field: Field, value: unknown, path: string): string | undefined {
  const { now } = field
  if (typeof now === 'object') {
    if (now.only.some((accepted) => same(accepted, value))) return undefined
    return now.why === undefined ? refusal(path, value) : `${path}: ${now.why}`
  }
  if (now !== 'refused' || isEmpty(value) || same(defaultOf(field), value)) return undefined
  return refusal(path, value)
}

/** What stands in a simulation for a value that cannot be had in this version; undefined if nothing does. */
export function simulatedInstead({ now }: Field, path: string): string | undefined {
  return typeof now === 'object' && now.simulated !== undefined ? `${path}: ${now.simulated}` : undefined
}

/** What is to be said about a key that is accepted but has no effect. */
export function supportWarning({ now }: Field, path: string): string | undefined {
  if (now === 'enterprise') return `"${path}" is a Consul Enterprise configuration and will have no effect`
  if (now === 'deprecated') return `config key "${path}" is deprecated and should be removed`
  return undefined
}

/** A leaf's default as it is read: durations in milliseconds; without one the empty value of its type. */
export function defaultOf(field: Field): unknown {
  if (field.type === 'object' || field.type === 'map') return {}
  if (field.type === 'list') return []
  if (field.type === 'duration' && typeof field.default === 'string') {
    const ms = parseDuration(field.default)
    return isRefused(ms) ? 0 : ms
  }
  return field.default ?? EMPTY[field.type]
}

const EMPTY = {
  string: '',
  boolean: false,
  int: 0,
  float: 0,
  duration: 0,
  port: -1,
  strings: [],
  texts: {},
  'text lists': {},
  durations: {},
  opaque: {},
  anything: undefined,
}

function refusal(path: string, value: unknown): string {
  const shown = typeof value === 'number' || typeof value === 'boolean' ? ` = ${value}` : ''
  return `${path}${shown} is not supported by this version`
}

/** Texts may be secrets, so they are not shown. */
function isEmpty(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0
  return value === '' || value === false || value === 0 || value === undefined
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
