import { lastIndex } from '../actors/command.ts'
import type { Result } from '../src/kernel/refusal.ts'
import type { LogLife } from './node.ts'

type Apply = LogLife['apply']
/** A group of commands, what came of each, and the index of the last one. */
export type Recorded = { commands: readonly object[]; outcomes: readonly Result<unknown>[]; index: number }

/** What the log of a lone agent has ordered, in its order. What did not become durable goes once something takes its place. */
export class Recording {
  readonly #entries: Recorded[] = []

  /** What applies groups, recorded. */
  of(apply: Apply): Apply {
    return (tx, commands) => {
      this.#forgetAfter(lastIndex(tx))
      const applied = apply(tx, commands)
      if (lastIndex(tx) > (this.#entries.at(-1)?.index ?? 0))
        this.#entries.push({ commands, outcomes: applied.outcomes, index: lastIndex(tx) })
      return applied
    }
  }

  /** Everything up to an index. */
  upTo(index: number): readonly Recorded[] {
    this.#forgetAfter(index)
    return this.#entries
  }

  #forgetAfter(index: number): void {
    while ((this.#entries.at(-1)?.index ?? 0) > index) this.#entries.pop()
  }
}
