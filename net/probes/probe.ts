import type { ProbeOutcome, ProbeRequest } from '../../src/kernel/ports.ts'
import type { Result } from '../../src/kernel/refusal.ts'

/** Looks once and calls `done` with what it saw; only its first call counts. */
export type Probe<Kind extends ProbeRequest['kind']> = (
  request: Extract<ProbeRequest, { kind: Kind }>,
  done: (outcome: Result<ProbeOutcome>) => void,
) => void

export function critical(output: string): ProbeOutcome {
  return { status: 'critical', output }
}
