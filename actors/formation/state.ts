import type { Turn } from '../../src/kernel/actor.ts'
import type { CertificateAuthority } from '../../src/kernel/ports.ts'
import type { View } from '../../src/kernel/tables.ts'
import { AUTOPILOT_KEY, autopilotTable } from '../autopilot/commands.ts'
import type { FormationOwn } from './index.ts'
import type { Server, Stage } from './plan.ts'
import type { FormationArgs } from './protocol.ts'

export const TICK_MS = 1_000

/**
 * `looking`: at what is there from an earlier life. `gathering`: without a cluster. `asking`: something is under way that decides how it
 * goes on. `running`: a member, or about to be one. `left`: it goes.
 */
export type Phase = 'off' | 'looking' | 'gathering' | 'asking' | 'running' | 'left'

export type FormationState = {
  readonly args: FormationArgs
  phase: Phase
  readonly startedMs: number
  stage: Stage
  /** All that are known, this one too, by id. */
  servers: Server[]
  authority: CertificateAuthority | undefined
  /** What was printed last about having no cluster. */
  said: string
  /** Which of those that can admit is asked next. */
  through: number
}

export type FormationTurn = Turn<FormationOwn>

/** By which rules servers that failed go: the cluster's settings, or those that this one was started with. */
export function rulesOf({ args: { own } }: FormationState, view: View): { cleansUp: boolean; minQuorum: number } {
  const settings = view.get(autopilotTable, AUTOPILOT_KEY)
  if (settings) return { cleansUp: settings.cleanupDeadServers, minQuorum: settings.minQuorum }
  return { cleansUp: own?.cleansUp ?? false, minQuorum: own?.minQuorum ?? 0 }
}
