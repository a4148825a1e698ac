import { faults } from './faults/index.ts'
import { invariants } from './invariants/index.ts'
import type { Kind, Mark } from './kind.ts'
import { chanceDrawn } from './plan.ts'
import { scenarioNamed } from './scenarios/index.ts'
import { workloads } from './workloads/index.ts'

/** Something that a campaign must come across, and of which kind the events are that lead there. */
export type NamedMark = Mark & { kind: string; group: MarkGroup }
export type MarkGroup = 'clients' | 'faults' | 'promises looked at'

/** Everything that can be in a plan. */
export const kinds: readonly Kind[] = [...workloads, ...faults]

/** Everything that a campaign of some length must have come across; one that did not proves less than it seems to. */
export const marks: readonly NamedMark[] = [
  ...kinds.flatMap(({ name: kind, isFault, marks = [] }) =>
    marks.map((mark): NamedMark => ({ ...mark, kind, group: isFault ? 'faults' : 'clients' })),
  ),
  ...invariants.flatMap(({ marks = [] }) => marks.map((mark): NamedMark => ({ ...mark, group: 'promises looked at' }))),
]

const groups = new Map(marks.map(({ name, group }) => [name, group]))

/** What a mark tells of. */
export function groupOf(mark: string): MarkGroup {
  return groups.get(mark) ?? 'clients'
}

/** The chance that a plan drawn like this has any event of a kind. */
export function chanceIn(
  kind: Kind,
  { scenario, nodes, seconds }: { scenario: string; nodes?: number | undefined; seconds?: number | undefined },
): number {
  return chanceDrawn(kind, { scenario: scenarioNamed(scenario), nodes, seconds })
}
