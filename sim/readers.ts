import { kvGet } from '../actors/kv/queries.ts'
import { recordReads } from '../src/kernel/recording-view.ts'
import { apisOf } from './apis.ts'
import type { SimNode } from './node.ts'
import { perRun } from './per-run.ts'
import type { Run } from './run.ts'

const KEYS = ['app/a', 'leader']

/** A reader that parks on one key of one node and remembers what it saw last. */
export type Reader = {
  key: string
  node: string
  last: string
  /** What there is now; undefined once the life of the agent it asked has ended. */
  look(): string | undefined
}

/** Those of a run, for as long as what they ask lives. */
export const readersOf = perRun((_run: Run): Reader[] => [])

/** The edge thread of an agent begins to run, for the first time or again: clients can reach it. */
export function edgeBegun(run: Run, node: SimNode): void {
  apisOf(run).begun(node)
  if (!node.isServer) return
  const readers = readersOf(run)
  const living = readers.filter((reader) => reader.look() !== undefined)
  readers.splice(0, readers.length, ...living)
  for (const key of KEYS) readers.push(startReader(node, key, () => run.reach('reader woken')))
}

/** Reads a key and parks on what was read, again and again, as a blocking query does. */
function startReader(node: SimNode, key: string, woken: () => void): Reader {
  const { edge } = node
  const look = () => {
    if (!node.isUp || node.edge !== edge) return undefined
    const { index, entry } = kvGet(edge.ports.tables.view(), key)
    return entry ? `${Buffer.from(entry.value).toString()} at ${index}` : 'nothing'
  }
  const reader: Reader = { key, node: node.name, last: '', look }
  const park = () => {
    const { view, reads } = recordReads(edge.ports.tables.view())
    kvGet(view, key)
    const now = look()
    if (now === undefined) return
    if (now !== reader.last) woken()
    reader.last = now
    edge.waiters.add(reads, park)
  }
  park()
  return reader
}
