import { instanceTable, nodeTable } from '../../actors/catalog/records.ts'
import { type CheckRecord, nodeKey } from '../../actors/catalog/tables.ts'
import { type Coordinate, coordinateKey, coordinateTable } from '../../actors/coordinates/tables.ts'
import { isTemplate, type QueryRecord, queryTable } from '../../actors/prepared-queries/tables.ts'
import { SEPARATOR, type View } from '../../src/kernel/tables.ts'

const SUFFIX = `\${name.suffix}`

/** What is asked under an id or a name, found the long way: the query, and the service it asks for. */
export function askedFor(view: View, idOrName: string): { query: QueryRecord; service: string } | undefined {
  const queries = [...view.range(queryTable)].map(([, query]) => query)
  const name = idOrName.toLowerCase()
  const own = queries.find(({ id }) => id === name) ?? queries.find((query) => query.name !== '' && query.name.toLowerCase() === name)
  const templates = queries.filter((query) => isTemplate(query) && name.startsWith(query.name.toLowerCase()))
  const query = own ?? templates.toSorted((a, b) => b.name.length - a.name.length)[0]
  if (!query) return undefined
  const suffix = idOrName.startsWith(query.name) ? idOrName.slice(query.name.length) : idOrName
  return { query, service: isTemplate(query) ? query.service.service.replace(SUFFIX, suffix) : query.service.service }
}

/** Every instance of a service that passes its checks and those of its node, as "node id". `onlyPassing`: or has no warning either. */
export function wellInstances(view: View, service: string, onlyPassing: boolean): string[] {
  const isWell = ({ status }: CheckRecord) => status === 'passing' || (status === 'warning' && !onlyPassing)
  const found: string[] = []
  for (const [key, { name, id, checks }] of instanceTable.range(view)) {
    const node = nodeTable.get(view, nodeKey(key.split(SEPARATOR)[1] ?? ''))
    if (name.toLowerCase() === service.toLowerCase() && node && [...node.checks, ...checks].every(isWell)) found.push(`${node.name} ${id}`)
  }
  return found
}

/** What is wrong with an order of nodes that should be by the distance to one of them. `ownFirst`: the node itself may have changed places with the first. */
export function orderFault(view: View, near: string, nodes: readonly string[], ownFirst: boolean): string | undefined {
  const from = placeOf(view, near)
  if (!from) return undefined
  const distances = nodes.map((node) => {
    const to = placeOf(view, node)
    return to ? secondsBetween(from, to) : Number.POSITIVE_INFINITY
  })
  if (isSorted(distances)) return undefined
  if (ownFirst && nodes[0] === near && distances.some((_one, at) => isSorted(swapped(distances, at)))) return undefined
  return `from ${near} it is ${distances.map((seconds) => (seconds * 1_000).toFixed(1)).join(', ')} ms to ${nodes.join(', ')}`
}

function placeOf(view: View, node: string): Coordinate | undefined {
  return view.get(coordinateTable, coordinateKey(node, ''))?.coordinate
}

/** Source: Serf's documentation of network coordinates. */
function secondsBetween(a: Coordinate, b: Coordinate): number {
  const plain = Math.hypot(...a.vec.map((value, at) => value - (b.vec[at] ?? 0))) + a.height + b.height
  const adjusted = plain + a.adjustment + b.adjustment
  return adjusted > 0 ? adjusted : plain
}

function isSorted(numbers: readonly number[]): boolean {
  return numbers.every((value, at) => at === 0 || value >= (numbers[at - 1] as number) - ROUNDING)
}

/** Sums of the same numbers in another order differ by less. */
const ROUNDING = 1e-9

function swapped(numbers: readonly number[], at: number): number[] {
  const other = [...numbers]
  ;[other[0], other[at]] = [numbers[at] as number, numbers[0] as number]
  return other
}
