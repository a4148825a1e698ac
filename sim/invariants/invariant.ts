import type { Mark } from '../kind.ts'
import type { Run } from '../run.ts'

/** Something that must hold: a sentence, and a search for the counterexample. */
export type Invariant = {
  name: string
  sentence: string
  /** `always`: looked at again and again. `rest`: once everything has healed. */
  when: 'always' | 'rest'
  /** What a campaign must come across, or it holds only because nothing happened. `kind` names the events that lead there. */
  marks?: readonly (Mark & { kind: string })[]
  /** What is wrong, in words, with names and numbers; undefined if it holds. */
  broken(run: Run): string | undefined
}
