import { isObject } from '../../kernel/plain.ts'
import { isRefused, type Result, refuse } from '../../kernel/refusal.ts'
import { parseDuration } from '../durations.ts'
import { listedErrors } from '../errors.ts'
import type { Kind, Shape } from './shapes.ts'

export type Plain = { [field: string]: unknown }

/**
 * The fields of `value` that `shape` names. Letter case and underscores of keys do not count; an object in place of a list is a
 * list of one, and a list of one in place of an object is that object, because HCL cannot tell them apart; numbers and texts
 * stand for each other as in Consul. Empty fields are left out. Refused with the texts of Consul's decoder.
 */
export function decodeShape(shape: Shape, value: unknown): Result<Plain> {
  const faults: Faults = { unknown: [], types: [] }
  const decoded = readObject(shape, value, '', faults)
  if (faults.types.length > 0)
    return refuse('invalid', `${faults.types.length} error(s) decoding:\n\n${faults.types.map((one) => `* ${one}`).join('\n')}`)
  if (faults.unknown.length > 0) return refuse('invalid', listedErrors(faults.unknown.sort().map(unknownKey)))
  return decoded ?? {}
}

type Faults = { unknown: string[]; types: string[] }

function readObject(shape: Shape, value: unknown, at: string, faults: Faults): Plain | undefined {
  const object = Array.isArray(value) && value.length === 1 ? value[0] : value
  if (!isObject(object)) return misfit(faults, at, 'map', value)
  const names = new Map(Object.keys(shape).map((name) => [folded(name), name]))
  const decoded: Plain = {}
  for (const [key, inner] of Object.entries(object)) {
    const name = names.get(folded(key))
    const kind = name === undefined ? undefined : shape[name]
    if (name === undefined || kind === undefined) faults.unknown.push(at === '' ? key : `${at}.${key}`)
    else if (inner !== null && inner !== undefined) {
      const read = readValue(kind, inner, at === '' ? name : `${at}.${name}`, faults)
      if (read !== undefined) decoded[name] = read
    }
  }
  return decoded
}

function readValue(kind: Kind, value: unknown, at: string, faults: Faults): unknown {
  if (kind === 'ignored') return undefined
  if (kind === 'text') return readText(value, at, faults)
  if (kind === 'number') return readNumber(value, at, faults)
  if (kind === 'duration') return readDuration(value, at, faults)
  if (kind === 'flag') return readFlag(value, at, faults)
  if (kind === 'texts') return readTexts(value, at, faults)
  if (kind === 'words') return readWords(value, at, faults)
  if (kind === 'opaque') return readOpaque(value, at, faults)
  if (!isList(kind)) return readObject(kind, value, at, faults)
  const items = Array.isArray(value) ? value : [value]
  return items.map((item, position) => readObject(kind[0], item, `${at}[${position}]`, faults) ?? {})
}

function readText(value: unknown, at: string, faults: Faults): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  if (typeof value === 'boolean') return value ? '1' : '0'
  return misfit(faults, at, 'string', value)
}

function readNumber(value: unknown, at: string, faults: Faults): number | undefined {
  if (typeof value === 'boolean') return Number(value)
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  return Number.isSafeInteger(number) ? (number as number) : misfit(faults, at, 'int', value)
}

function readDuration(value: unknown, at: string, faults: Faults): number | undefined {
  if (typeof value !== 'string') return readNumber(value, at, faults)
  const ms = parseDuration(value)
  if (!isRefused(ms)) return Math.round(ms * NANOSECONDS_PER_MS)
  faults.types.push(`error decoding '${at}': ${ms.why}`)
  return undefined
}

const NANOSECONDS_PER_MS = 1e6

function readFlag(value: unknown, at: string, faults: Faults): boolean | undefined {
  if (typeof value === 'boolean') return value
  if (typeof value === 'number') return value !== 0
  if (value === 'true' || value === '1') return true
  return value === 'false' || value === '0' || value === '' ? false : misfit(faults, at, 'bool', value)
}

function readTexts(value: unknown, at: string, faults: Faults): Record<string, string> | undefined {
  const object = readOpaque(value, at, faults)
  if (!object) return undefined
  const pairs = Object.entries(object).map(([key, inner]): [string, string] => [key, readText(inner, `${at}[${key}]`, faults) ?? ''])
  return Object.fromEntries(pairs)
}

function readWords(value: unknown, at: string, faults: Faults): string[] {
  const items = Array.isArray(value) ? value : [value]
  return items.map((item, position) => readText(item, `${at}[${position}]`, faults) ?? '')
}

function readOpaque(value: unknown, at: string, faults: Faults): Plain | undefined {
  const object = Array.isArray(value) && value.length === 1 ? value[0] : value
  return isObject(object) ? object : misfit(faults, at, 'map', value)
}

function misfit(faults: Faults, at: string, wanted: string, value: unknown): undefined {
  faults.types.push(`'${at}' expected type '${wanted}', got unconvertible type '${typeName(value)}'`)
  return undefined
}

function unknownKey(key: string): string {
  const isNamespace = key.toLowerCase().endsWith('namespace')
  return `invalid config key ${JSON.stringify(key)}${isNamespace ? ', namespaces are a consul enterprise feature' : ''}`
}

/** The names under which Go knows the types of JSON. */
function typeName(value: unknown): string {
  if (Array.isArray(value)) return '[]interface {}'
  if (value === null) return 'nil'
  return { string: 'string', number: 'float64', boolean: 'bool' }[typeof value as string] ?? 'map[string]interface {}'
}

function folded(key: string): string {
  return key.replaceAll('_', '').toLowerCase()
}

function isList(kind: Shape | readonly [Shape]): kind is readonly [Shape] {
  return Array.isArray(kind)
}
