import { lastIndex } from '../actors/command.ts'
import { perRun } from './per-run.ts'
import type { Run } from './run.ts'

/** When each node came to which index, as far as anybody looked; what a power cut took back it has yet to come to. */
export class Indexes {
  readonly #run: Run
  readonly #seen = new Map<string, { indexes: number[]; atMs: number[]; lookedAtMs: number }>()

  constructor(run: Run) {
    this.#run = run
  }

  /** Looks at all nodes; the answer says which one went back, although its log was not to bring what it lacks again. */
  look(): string | undefined {
    const { nowMs } = this.#run.world
    for (const { name, tables, powerCutAtMs } of this.#run.cluster.nodes.values()) {
      const index = lastIndex(tables.view())
      const seen = this.#seen.get(name)
      if (seen && tables.checkpoint && powerCutAtMs >= seen.lookedAtMs) {
        while ((seen.indexes.at(-1) ?? 0) > index) {
          seen.indexes.pop()
          seen.atMs.pop()
        }
      }
      const last = seen?.indexes.at(-1) ?? 0
      if (seen) seen.lookedAtMs = nowMs
      if (index < last) return `${name} was at index ${last} and is at ${index}`
      if (index === last) continue
      if (seen) {
        seen.indexes.push(index)
        seen.atMs.push(nowMs)
      } else this.#seen.set(name, { indexes: [index], atMs: [nowMs], lookedAtMs: nowMs })
    }
    return undefined
  }

  /** When a node was first seen to have reached an index; undefined if nobody saw it there. */
  reachedAtMs(node: string, index: number): number | undefined {
    const { indexes, atMs } = this.#seen.get(node) ?? { indexes: [], atMs: [] }
    const at = indexes.findLastIndex((reached) => reached < index) + 1
    return atMs[at]
  }

  /** When a node was seen to change last. */
  changedAtMs(node: string): number {
    return this.#seen.get(node)?.atMs.at(-1) ?? 0
  }
}

export const indexesOf = perRun((run: Run) => new Indexes(run))
