import { unknownField } from '../config/dialects.ts'
import { isObject } from '../kernel/plain.ts'
import { isRefused, type Result, refuse } from '../kernel/refusal.ts'
import { reservedField } from '../kernel/wire.ts'
import { jsonOf } from './parameters.ts'

/** What a field of a body must be. `any` is taken as it is; `ignored` is accepted for clients that send back what they got. */
export type FieldKind = 'string' | 'number' | 'boolean' | 'list' | 'object' | 'texts' | 'any' | 'ignored'
type FieldValue = {
  string: string
  number: number
  boolean: boolean
  list: unknown[]
  object: Record<string, unknown>
  texts: Record<string, string>
  any: unknown
  ignored: never
}

export type Decoded<Fields extends Record<string, FieldKind>> = { [Name in keyof Fields]?: FieldValue[Fields[Name]] }

/**
 * Reads a JSON object whose keys are known. As Consul does it: letter case of keys does not count, `null` is the same as
 * absent (and as nothing at all in place of the whole), an unknown key is refused (`json: unknown field "Foo"`) and so is a value of another type. `texts` is an object
 * of strings.
 */
export function decodeBody<Fields extends Record<string, FieldKind>>(body: Buffer, fields: Fields): Result<Decoded<Fields>> {
  const json = jsonOf(body)
  return isRefused(json) ? json : decodeFields(json.value ?? {}, fields)
}

/** The same for an object within a body. */
export function decodeFields<Fields extends Record<string, FieldKind>>(parsed: unknown, fields: Fields): Result<Decoded<Fields>> {
  if (!isObject(parsed)) return refuse('invalid', `json: cannot unmarshal ${typeName(parsed)} into an object`)
  const names = new Map(Object.keys(fields).map((name) => [name.toLowerCase(), name]))
  const decoded: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(parsed)) {
    const name = names.get(key.toLowerCase())
    const kind = name && fields[name]
    if (!name || !kind) return refuse('invalid', unknownField(key))
    if (kind === 'ignored' || value === null) continue
    const wrong = wrongKind(name, kind, value)
    if (wrong) return refuse('invalid', wrong)
    decoded[name] = value
  }
  return decoded as Decoded<Fields>
}

function wrongKind(name: string, kind: FieldKind, value: unknown): string | undefined {
  if (kind === 'any') return undefined
  if (kind === 'texts') {
    if (!isObject(value)) return mismatch(name, value, 'an object of strings')
    const odd = Object.entries(value).find(([, text]) => typeof text !== 'string')
    if (odd) return mismatch(`${name}.${odd[0]}`, odd[1], 'string')
    const reserved = reservedField(value)
    return reserved && `${name}.${reserved}: a field cannot have this name`
  }
  const fits = kind === 'list' ? Array.isArray(value) : kind === 'object' ? isObject(value) : typeof value === kind
  return fits ? undefined : mismatch(name, value, kind)
}

function mismatch(name: string, value: unknown, wanted: string): string {
  return `json: cannot unmarshal ${typeName(value)} into field ${name} of type ${wanted}`
}

function typeName(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value
}
