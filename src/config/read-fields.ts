import { isRefused } from '../kernel/refusal.ts'
import type { Dialect } from './dialects.ts'
import { parseDuration } from './durations.ts'
import type { Field, Fields, Given, LeafType, ListField, ObjectField } from './schema/fields.ts'
import { simulatedInstead, supportProblem, supportWarning } from './support.ts'
import { type Entry, type ObjectTree, type Place, plainValue, RESERVED_NAME, reservedIn, type Tree } from './tree.ts'

/** What was found while reading. `places` says where an object of a list stood. */
export type Reading = { dialect: Dialect; purpose: Purpose; problems: string[]; warnings: string[]; places: Map<object, Place> }

/** Why something is read: to run it, which must then be possible in this version, only to look at it, or for a simulation. */
export type Purpose = 'run' | 'validate' | 'simulate'

export function startReading(dialect: Dialect, purpose: Purpose = 'run'): Reading {
  return { dialect, purpose, problems: [], warnings: [], places: new Map() }
}

/**
 * The values of a tree under the names of a table. Everything that does not fit is a problem and left out: unknown keys, values
 * of another type, values that this version does not support (in files). A null counts as not given.
 */
export function readFields<const Table extends Fields>(reading: Reading, fields: Table, tree: Tree): Given<Table> {
  const object = objectOf(reading, tree)
  if (object === undefined) {
    report(reading, reading.dialect.notAnObject([], tree), tree.place)
    return {}
  }
  // The readers of each type make the value that the table's type says.
  return readObject(reading, fields, object, [], false) as Given<Table>
}

/** Adds a problem, with where it is. */
export function report(reading: Reading, problem: string, place: Place): void {
  reading.problems.push(reading.dialect.placed(problem, place))
}

type Path = readonly string[]
const UNREADABLE = Symbol('unreadable')

function readObject(reading: Reading, fields: Fields, tree: ObjectTree, path: Path, open: boolean): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const entry of tree.entries.values()) {
    const name = reading.dialect.nameOf(fields, entry.key)
    const field = name === undefined ? undefined : fields[name]
    const here = [...path, reading.dialect.shownKey(name, entry.key)]
    if (name === undefined || field === undefined) {
      if (!open) report(reading, reading.dialect.unknownKey(here), entry.place)
      continue
    }
    if (entry.value.kind === 'null') continue
    const value = readField(reading, field, entry, here, labelOf(fields, tree, path))
    if (value === UNREADABLE) continue
    checkSupport(reading, field, value, here, entry.place)
    values[name] = value
  }
  return values
}

function checkSupport(reading: Reading, field: Field, value: unknown, path: Path, place: Place): void {
  if (!reading.dialect.limited) return
  const problem = supportProblem(field, value, path.join('.'))
  const instead = problem !== undefined && reading.purpose === 'simulate' ? simulatedInstead(field, path.join('.')) : undefined
  if (problem !== undefined && instead === undefined) report(reading, problem, place)
  const warning = instead ?? supportWarning(field, path.join('.'))
  if (warning !== undefined) reading.warnings.push(reading.dialect.placed(warning, place))
}

/** What durations are called in an error: a check's by its id. */
function labelOf(fields: Fields, tree: ObjectTree, path: Path): Path {
  if (!('deregister_critical_service_after' in fields)) return path
  const id = tree.entries.get('id')?.value
  return [`check[${id?.kind === 'string' ? id.value : ''}]`]
}

function readField(reading: Reading, field: Field, { value }: Entry, path: Path, label: Path): unknown {
  if (field.type === 'object') return readInner(reading, field, value, path)
  if (field.type === 'list') return readList(reading, field, value, path)
  if (field.type === 'map') {
    return readMap(reading, value, path, (item, here) => readInner(reading, { type: 'object', fields: field.of }, item, here))
  }
  return readLeaf(reading, field.type, value, path, [...label, path.at(-1) ?? ''])
}

function readInner(reading: Reading, field: ObjectField, tree: Tree, path: Path): unknown {
  const object = objectOf(reading, tree)
  if (object === undefined) return unreadable(reading, reading.dialect.notAnObject(path, tree), tree)
  const values = readObject(reading, field.fields, object, path, field.open === true && !reading.dialect.limited)
  reading.places.set(values, object.place)
  return values
}

function readList(reading: Reading, field: ListField, tree: Tree, path: Path): unknown {
  const items = tree.kind === 'list' ? tree.items : tree.kind === 'object' && tree.block ? [tree] : undefined
  if (items === undefined) return unreadable(reading, reading.dialect.notAList(path, tree), tree)
  return items.flatMap((item, index) => {
    if (item.kind === 'null') return []
    const here = indexed(path, index)
    const object = objectOf(reading, item)
    if (object === undefined) {
      report(reading, reading.dialect.notAnObject(here, item), item.place)
      return []
    }
    const values = readObject(reading, field.of, object, here, false)
    reading.places.set(values, object.place)
    return [values]
  })
}

function readLeaf(reading: Reading, type: LeafType, tree: Tree, path: Path, label: Path): unknown {
  switch (type) {
    case 'anything':
      return readPlain(reading, tree, path)
    case 'string':
      return tree.kind === 'string' ? tree.value : wrongType(reading, 'string', tree, path)
    case 'boolean':
      return tree.kind === 'boolean' ? tree.value : wrongType(reading, 'bool', tree, path)
    case 'float':
      return tree.kind === 'number' ? tree.value : wrongType(reading, 'float64', tree, path)
    case 'int':
    case 'port':
      return readWhole(reading, type, tree, path)
    case 'duration':
      return readDuration(reading, tree, path, label.join('.'))
    case 'strings':
      return readTexts(reading, tree, path)
    case 'opaque': {
      const object = objectOf(reading, tree)
      return object === undefined ? unreadable(reading, reading.dialect.notAnObject(path, tree), tree) : readPlain(reading, object, path)
    }
    case 'texts':
      return readMap(reading, tree, path, (value, here) => readLeaf(reading, 'string', value, here, here))
    case 'text lists':
      return readMap(reading, tree, path, (value, here) => readTexts(reading, value, here))
    case 'durations':
      return readMap(reading, tree, path, (value, here, key) =>
        readDuration(reading, value, here, `${path.join('.')}[${JSON.stringify(key)}]`),
      )
  }
}

function readWhole(reading: Reading, type: 'int' | 'port', tree: Tree, path: Path): unknown {
  if (tree.kind !== 'number' || !Number.isSafeInteger(tree.value)) return wrongType(reading, 'int', tree, path)
  if (type === 'int') return tree.value
  if (tree.value > PORT_MAX) return unreadable(reading, `${path.join('.')}: invalid port: ${tree.value}`, tree)
  return tree.value < 1 ? -1 : tree.value
}

const PORT_MAX = 65535

function readDuration(reading: Reading, tree: Tree, path: Path, label: string): unknown {
  if (tree.kind === 'number' && reading.dialect.numberedDurations) return tree.value / NANOSECONDS_IN_MS
  if (tree.kind !== 'string') return wrongType(reading, 'string', tree, path)
  const ms = parseDuration(tree.value)
  return isRefused(ms) ? unreadable(reading, reading.dialect.wrongDuration(label, tree.value, ms.why), tree) : ms
}

const NANOSECONDS_IN_MS = 1e6

function readTexts(reading: Reading, tree: Tree, path: Path): unknown {
  if (tree.kind !== 'list') return unreadable(reading, reading.dialect.notAList(path, tree), tree)
  const texts: string[] = []
  for (const [index, item] of tree.items.entries()) {
    if (item.kind === 'string') texts.push(item.value)
    else wrongType(reading, 'string', item, indexed(path, index))
  }
  return texts
}

function readMap(reading: Reading, tree: Tree, path: Path, read: (value: Tree, here: Path, key: string) => unknown): unknown {
  const object = objectOf(reading, tree)
  if (object === undefined) return unreadable(reading, reading.dialect.notAnObject(path, tree), tree)
  const pairs: [string, unknown][] = []
  for (const { key, value, place } of object.entries.values()) {
    const here = [...path.slice(0, -1), `${path.at(-1) ?? ''}[${key}]`]
    if (key === RESERVED_NAME) report(reading, reservedProblem(here.join('.')), place)
    if (value.kind === 'null' || key === RESERVED_NAME) continue
    const item = read(value, here, key)
    if (item !== UNREADABLE) pairs.push([key, item])
  }
  return Object.fromEntries(pairs)
}

function readPlain(reading: Reading, tree: Tree, path: Path): unknown {
  const reserved = reservedIn(tree)
  if (reserved === undefined) return plainValue(tree)
  report(reading, reservedProblem(path.join('.') + reserved.path), reserved.place)
  return UNREADABLE
}

function reservedProblem(path: string): string {
  return `${path}: a field cannot have this name`
}

/** The object itself; in files also the only object of a list, since a block is one. */
function objectOf(reading: Reading, tree: Tree): ObjectTree | undefined {
  if (tree.kind === 'object') return tree
  const only = reading.dialect.limited && tree.kind === 'list' && tree.items.length === 1 ? tree.items[0] : undefined
  return only?.kind === 'object' ? only : undefined
}

function indexed(path: Path, index: number): Path {
  return [...path.slice(0, -1), `${path.at(-1) ?? ''}[${index}]`]
}

function wrongType(reading: Reading, expected: string, tree: Tree, path: Path): typeof UNREADABLE {
  return unreadable(reading, reading.dialect.wrongType(path, expected, tree), tree)
}

function unreadable(reading: Reading, problem: string, { place }: Tree): typeof UNREADABLE {
  report(reading, problem, place)
  return UNREADABLE
}
