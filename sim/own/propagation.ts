import { CHECKS, NODES, SERVICES } from '../../actors/catalog/tables.ts'
import { indexOf } from '../../actors/command.ts'
import type { Host } from '../../src/kernel/host.ts'
import { recordReads } from '../../src/kernel/recording-view.ts'
import type { SimNode } from '../node.ts'
import type { Run } from '../run.ts'

/** What can change, and the indexes that tell it. */
const TOPICS = [
  ['health', [CHECKS]],
  ['catalog', [NODES, SERVICES]],
  ['intentions', ['intentions']],
] as const

export type Topic = (typeof TOPICS)[number][0]

type Change = { index: number; firstMs: number; lastMs: number; missing: Set<string> }
type Progress = { knownIndex: number; changes: Change[] }

/**
 * How long changes take to be known everywhere: from the moment at which the first server shows one until every server does that
 * ran then. One that stops does not count.
 */
export class Propagation {
  /** Milliseconds, by topic, in the order in which the changes were known everywhere. */
  readonly tookMs: ReadonlyMap<Topic, number[]> = new Map(TOPICS.map(([topic]) => [topic, []]))
  readonly #run: Run
  readonly #progress: ReadonlyMap<Topic, Progress> = new Map(TOPICS.map(([topic]) => [topic, { knownIndex: 0, changes: [] }]))
  readonly #followed = new Map<string, Host>()

  constructor(run: Run) {
    this.#run = run
  }

  /** Listens to an agent, if that is not done already. To be called again and again: an agent that stopped is another one. */
  follow(node: SimNode): void {
    const { edge } = node
    if (this.#followed.get(node.name) === edge) return
    this.#followed.set(node.name, edge)
    for (const [topic, names] of TOPICS) this.#park(node, edge, topic, names)
  }

  /** What some agent still does not know counts as long as it has lasted. */
  finish(): void {
    for (const [topic, { changes }] of this.#progress) {
      for (const change of changes) {
        const isKnown = this.#isKnown(change)
        this.tookMs.get(topic)?.push((isKnown ? change.lastMs : this.#run.world.nowMs) - change.firstMs)
      }
      changes.length = 0
    }
  }

  #park(node: SimNode, edge: Host, topic: Topic, names: readonly string[]): void {
    if (!this.#isFollowed(node.name, edge)) return
    const { view, reads } = recordReads(edge.ports.tables.view())
    let index = 0
    for (const name of names) index = Math.max(index, indexOf(view, name))
    this.#shows(node.name, topic, index)
    edge.waiters.add(reads, () => this.#park(node, edge, topic, names))
  }

  #shows(name: string, topic: Topic, index: number): void {
    const progress = this.#progress.get(topic)
    if (!progress) return
    const { changes } = progress
    const { nowMs } = this.#run.world
    if (index > (changes.at(-1)?.index ?? progress.knownIndex)) {
      changes.push({ index, firstMs: nowMs, lastMs: nowMs, missing: new Set(this.#followed.keys()) })
    }
    let known = 0
    for (const change of changes) {
      if (change.index > index) break
      if (change.missing.delete(name)) change.lastMs = nowMs
      if (this.#isKnown(change)) known++
    }
    for (const change of changes.splice(0, known)) {
      progress.knownIndex = change.index
      this.tookMs.get(topic)?.push(change.lastMs - change.firstMs)
    }
  }

  /** Whether every agent shows it that still runs. */
  #isKnown({ missing }: Change): boolean {
    for (const name of missing) if (!this.#isFollowed(name, this.#followed.get(name))) missing.delete(name)
    return missing.size === 0
  }

  #isFollowed(name: string, edge: Host | undefined): boolean {
    const node = this.#run.up(name)
    return node !== undefined && node.edge === edge
  }
}
