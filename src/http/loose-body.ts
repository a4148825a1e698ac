import { isObject } from '../kernel/plain.ts'
import { reservedField } from '../kernel/wire.ts'

/** A body has a value of the wrong kind. The message names the field and both kinds. */
export class Misfit extends Error {}

/** An object of JSON as Go reads it into a structure: letter case of keys does not count, null is absent, unknown keys are passed over. */
export type Fields = {
  has(key: string): boolean
  /** As it is. */
  raw(key: string): unknown
  /** '' if absent. */
  text(key: string): string
  /** A whole number, 0 if absent. */
  number(key: string): number
  /** A whole number of 64 bits without a sign, 0 if absent. What JavaScript cannot keep exactly is near it. */
  unsigned(key: string): number
  flag(key: string): boolean
  /** Texts, none if absent. */
  list(key: string): string[]
  /** An object of texts, null if absent. */
  texts(key: string): Record<string, string> | null
  object(key: string): Fields | undefined
  objects(key: string): Fields[]
  /** Everything, under the keys as written. */
  all(): Record<string, unknown>
}

/** Throws a Misfit if `value` is no object; so do the readers for values that are not what they read. `at` is the path to it. */
export function readFields(value: unknown, at: string): Fields {
  if (!isObject(value)) throw misfit(value, at, 'object')
  const keys = new Map(Object.keys(value).map((key) => [key.toLowerCase(), key]))
  const pathTo = (key: string) => (at === '' ? key : `${at}.${key}`)

  function raw(key: string): unknown {
    const own = keys.get(key.toLowerCase())
    const found = own === undefined ? undefined : (value as Record<string, unknown>)[own]
    return found === null ? undefined : found
  }
  function typed<T>(key: string, kind: string, fits: (found: unknown) => found is T, absent: T): T {
    const found = raw(key)
    if (found === undefined) return absent
    if (!fits(found)) throw misfit(found, pathTo(key), kind)
    return found
  }

  return {
    has: (key) => raw(key) !== undefined,
    raw,
    text: (key) => typed(key, 'string', isText, ''),
    number: (key) => typed(key, 'int', isWhole, 0),
    unsigned: (key) => typed(key, 'uint64', isUnsigned, 0),
    flag: (key) => typed(key, 'bool', isFlag, false),
    list: (key) => typed(key, '[]string', isTexts, []),
    texts(key) {
      const found = typed<Record<string, unknown> | null>(key, 'map[string]string', isObject, null)
      const odd = Object.entries(found ?? {}).find(([, text]) => typeof text !== 'string')
      if (odd) throw misfit(odd[1], `${pathTo(key)}.${odd[0]}`, 'string')
      const reserved = reservedField(found)
      if (reserved !== undefined) throw new Misfit(`${pathTo(key)}.${reserved}: a field cannot have this name`)
      return found as Record<string, string> | null
    },
    object(key) {
      const found = raw(key)
      return found === undefined ? undefined : readFields(found, pathTo(key))
    },
    objects: (key) =>
      typed(key, 'list', Array.isArray, [] as unknown[]).map((item, position) => readFields(item, `${pathTo(key)}[${position}]`)),
    all: () => value,
  }
}

function misfit(found: unknown, at: string, wanted: string): Misfit {
  const kind = found === null ? 'null' : Array.isArray(found) ? 'array' : typeof found
  return new Misfit(
    at === '' ? `json: cannot unmarshal ${kind} into an ${wanted}` : `json: cannot unmarshal ${kind} into field ${at} of type ${wanted}`,
  )
}
const UNSIGNED_MAX = 2 ** 64

function isText(value: unknown): value is string {
  return typeof value === 'string'
}
function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value)
}
function isUnsigned(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= UNSIGNED_MAX
}
function isFlag(value: unknown): value is boolean {
  return typeof value === 'boolean'
}
function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isText)
}
