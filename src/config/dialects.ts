import type { Field, Fields } from './schema/fields.ts'
import { type Place, plainValue, type Tree } from './tree.ts'

/** How the same tables are written, and how mistakes are called, in files and in API bodies. */
export type Dialect = {
  /** The table's name for a key as written. */
  nameOf(fields: Fields, key: string): string | undefined
  /** The key as errors show it. */
  shownKey(name: string | undefined, key: string): string
  unknownKey(path: readonly string[]): string
  /** `expected` is Go's name of the type. */
  wrongType(path: readonly string[], expected: string, tree: Tree): string
  notAnObject(path: readonly string[], tree: Tree): string
  notAList(path: readonly string[], tree: Tree): string
  wrongDuration(label: string, text: string, why: string): string
  placed(problem: string, place: Place): string
  /** Whether a duration may be a number of nanoseconds. */
  readonly numberedDurations: boolean
  /** Whether what this version does not support is a problem already when it is read. */
  readonly limited: boolean
}

/** Configuration files: snake_case in any case, and a few old spellings. Texts are those of Go's mapstructure, as users know them. */
export const fileDialect: Dialect = {
  nameOf: (fields, key) => nameBy(fields, key.toLowerCase(), ({ aliases }) => aliases),
  shownKey: (name, key) => name ?? key,
  unknownKey: (path) => `invalid config key ${path.join('.')}`,
  wrongType: (path, expected, tree) =>
    `'${path.join('.')}' expected type '${expected}', got unconvertible type '${goType(tree)}', value: '${goValue(plainValue(tree))}'`,
  notAnObject: (path, tree) => `'${path.join('.')}' expected a map, got '${goKind(tree)}'`,
  notAList: (path, tree) => `'${path.join('.')}': source data must be an array or slice, got ${goKind(tree)}`,
  wrongDuration: (label, text, why) => `${label}: invalid duration: ${JSON.stringify(text)}: ${why}`,
  placed: (problem, { file, line }) => `${problem} (${line === 0 ? file : `${file}:${line}`})`,
  numberedDurations: false,
  limited: true,
}

/** API bodies: CamelCase in any case, and a few snake_case spellings. Texts are those of Go's encoding/json. */
export const apiDialect: Dialect = {
  nameOf: (fields, key) => apiNames(fields).get(key.toLowerCase()),
  shownKey: (_name, key) => key,
  unknownKey: (path) => unknownField(path.at(-1) ?? ''),
  wrongType: (path, expected, tree) => jsonMismatch(path, expected, tree),
  notAnObject: (path, tree) => jsonMismatch(path, 'object', tree),
  notAList: (path, tree) => jsonMismatch(path, '[]string', tree),
  wrongDuration: (_label, _text, why) => why,
  placed: (problem) => problem,
  numberedDurations: true,
  limited: false,
}

/** What Consul says of a key in a body that it does not know. */
export function unknownField(key: string): string {
  return `json: unknown field ${JSON.stringify(key)}${key === 'Namespace' ? ' - Namespaces are a Consul Enterprise feature' : ''}`
}

const apiNamesOf = new WeakMap<Fields, Map<string, string>>()

/** Names of fields by every spelling of an API body, in lower case. The first field of a spelling has it. */
function apiNames(fields: Fields): Map<string, string> {
  const known = apiNamesOf.get(fields)
  if (known !== undefined) return known
  const names = new Map<string, string>()
  for (const [name, { apiAliases = [] }] of Object.entries(fields)) {
    for (const spelling of [name.replaceAll('_', ''), ...apiAliases]) if (!names.has(spelling)) names.set(spelling, name)
  }
  apiNamesOf.set(fields, names)
  return names
}

function nameBy(fields: Fields, lower: string, spellings: (field: Field) => readonly string[] | undefined): string | undefined {
  if (Object.hasOwn(fields, lower)) return lower
  for (const [name, field] of Object.entries(fields)) if (spellings(field)?.includes(lower)) return name
  return undefined
}

function jsonMismatch(path: readonly string[], expected: string, tree: Tree): string {
  const names = { string: 'string', number: 'number', boolean: 'bool', null: 'null', list: 'array', object: 'object' }
  const fraction = tree.kind === 'number' && expected === 'int' ? ` ${tree.value}` : ''
  const into = path.length === 0 ? 'Go value' : `Go struct field .${path.join('.')}`
  return `json: cannot unmarshal ${names[tree.kind]}${fraction} into ${into} of type ${expected}`
}

/** The type that Go's decoders give a value. */
function goType(tree: Tree): string {
  if (tree.kind === 'list') return tree.blocks ? '[]map[string]interface {}' : '[]interface {}'
  if (tree.kind === 'object') return tree.block ? '[]map[string]interface {}' : 'map[string]interface {}'
  return goKind(tree)
}

function goKind(tree: Tree): string {
  if (tree.kind === 'number') return tree.whole ? 'int' : 'float64'
  if (tree.kind === 'boolean') return 'bool'
  if (tree.kind === 'list') return 'slice'
  return tree.kind === 'object' ? 'map' : tree.kind
}

/** A value as Go's `%v` prints it. */
function goValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goValue).join(' ')}]`
  if (typeof value !== 'object' || value === null) return value === null ? '<nil>' : String(value)
  const pairs = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `map[${pairs.map(([key, inner]) => `${key}:${goValue(inner)}`).join(' ')}]`
}
