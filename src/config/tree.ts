/** A value as it stands in a configuration text, with the place where it begins. */
export type Tree = StringTree | NumberTree | BooleanTree | NullTree | ListTree | ObjectTree

export type StringTree = { kind: 'string'; value: string; place: Place }
/** `whole`: written without a fraction or exponent, in a notation that tells whole numbers from others. */
export type NumberTree = { kind: 'number'; value: number; whole: boolean; place: Place }
export type BooleanTree = { kind: 'boolean'; value: boolean; place: Place }
export type NullTree = { kind: 'null'; place: Place }
/** `blocks`: not a list in the text but a key that was given several times, each time with an object. */
export type ListTree = { kind: 'list'; items: Tree[]; blocks: boolean; place: Place }
/** `block`: in a notation where giving a key again adds another object, so that one object can also be a list of one. */
export type ObjectTree = { kind: 'object'; entries: Map<string, Entry>; block: boolean; place: Place }
export type Entry = { key: string; value: Tree; place: Place }

/** Lines and columns count from 1; columns are UTF-16 units. */
export type Place = { file: string; line: number; column: number }

/** Objects and lists inside each other, at most. */
export const DEPTH_MAX = 500

/** For values that come from no text: `file` says where from, line and column are 0. */
export function placeWithoutText(file: string): Place {
  return { file, line: 0, column: 0 }
}

/** A function from an offset in `text` to its place. */
export function placesIn(file: string, text: string): (offset: number) => Place {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return (offset) => {
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    return { file, line: low + 1, column: offset - (starts[low] ?? 0) + 1 }
  }
}

/** The value without its places. A key given several times with objects becomes a list of them. */
export function plainValue(tree: Tree): unknown {
  if (tree.kind === 'null') return null
  if (tree.kind === 'list') return tree.items.map(plainValue)
  if (tree.kind === 'object') return Object.fromEntries([...tree.entries].map(([key, { value }]) => [key, plainValue(value)]))
  return tree.value
}

/** No field may have this name: it could not travel between threads under it. */
export const RESERVED_NAME = '__proto__'

/** Where a field with the reserved name is: its path from here, such as `.a[0].__proto__`, and its place. */
export function reservedIn(tree: Tree): { path: string; place: Place } | undefined {
  const inner: [step: string, entry: { value: Tree; place: Place }][] =
    tree.kind === 'list'
      ? tree.items.map((value, index) => [`[${index}]`, { value, place: value.place }])
      : tree.kind === 'object'
        ? [...tree.entries.values()].map((entry) => [`.${entry.key}`, entry])
        : []
  for (const [step, { value, place }] of inner) {
    if (step === `.${RESERVED_NAME}`) return { path: step, place }
    const found = reservedIn(value)
    if (found) return { path: step + found.path, place: found.place }
  }
  return undefined
}

/** Whether a plain JSON value has more than `DEPTH_MAX` objects and lists inside each other. */
export function isTooDeep(value: unknown): boolean {
  let level = [value]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > DEPTH_MAX + 1) return true
    level = level.flatMap((one): unknown[] => (typeof one === 'object' && one !== null ? Object.values(one) : []))
  }
  return false
}

/** A tree of a plain JSON value, all of it at one place; not for values that are too deep. Anything that JSON cannot hold counts as null. */
export function treeOf(value: unknown, place: Place): Tree {
  if (typeof value === 'string') return { kind: 'string', value, place }
  if (typeof value === 'number') return { kind: 'number', value, whole: false, place }
  if (typeof value === 'boolean') return { kind: 'boolean', value, place }
  if (Array.isArray(value)) return { kind: 'list', items: value.map((item) => treeOf(item, place)), blocks: false, place }
  if (typeof value !== 'object' || value === null) return { kind: 'null', place }
  const entries = Object.entries(value).map(([key, inner]): [string, Entry] => [key, { key, value: treeOf(inner, place), place }])
  return { kind: 'object', entries: new Map(entries), block: false, place }
}
