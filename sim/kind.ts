import type { Fields, ValuesOf } from './fields.ts'
import type { PlanEvent } from './plan.ts'
import type { Run } from './run.ts'

/**
 * Something worth reaching, as `run.reach` names it. A run with at least `events` events of its kind reaches it with at least this
 * chance (0.9 if none is given), whatever the scenario.
 */
export type Mark = { name: string; events: number; chance?: number }

/** A kind of event: how often it comes, what it has besides its time and its agent, and how it is carried out. */
export type Kind = {
  name: string
  /** In the words of whoever reads a failure. */
  about: string
  isFault: boolean
  /** Drawn this many times in a minute of virtual time for each agent, if the run has this kind. */
  perMinute: number
  /** It is about the whole cluster: drawn as often as for one agent. */
  oncePerRun?: boolean
  /** It is about an agent that has the cluster's state: no client has it. */
  onServers?: true
  /** Only runs with client agents have it. */
  withClients?: true
  /** Runs with fewer agents do not have it. */
  nodesMin?: number
  /** Runs with more agents do not have it. */
  nodesMax?: number
  /** What a campaign must come across because of it. That a fault came is always one of these. */
  marks?: readonly Mark[]
  fields: Fields
  apply(run: Run, event: PlanEvent): void
}

type Definition<Of extends Fields> = Omit<Kind, 'isFault' | 'fields' | 'apply'> & {
  fields: Of
  apply(run: Run, event: PlanEvent & ValuesOf<Of>): void
}

/** Something that clients do. */
export function defineWorkload<const Of extends Fields>(definition: Definition<Of>): Kind {
  return { ...definition, isFault: false, apply: (run, event) => definition.apply(run, event as PlanEvent & ValuesOf<Of>) }
}

/** Trouble. What it began ends by itself or when everything heals; that it came is noted as `fault <name>`. */
export function defineFault<const Of extends Fields>(definition: Definition<Of>): Kind {
  return {
    ...definition,
    isFault: true,
    marks: [{ name: `fault ${definition.name}`, events: 1 }, ...(definition.marks ?? [])],
    apply(run, event) {
      run.reach(`fault ${definition.name}`)
      definition.apply(run, event as PlanEvent & ValuesOf<Of>)
    },
  }
}
