import { type Campaign, neverReached } from './campaign.ts'
import type { Plan, PlanEvent } from './plan.ts'
import type { Failure } from './run.ts'

const EVENTS_SHOWN_MAX = 40
const LINES_SHOWN_MAX = 15

/** One page on a campaign that held. */
export function campaignPage(campaign: Campaign, realMs: number): string[] {
  const { runs, virtualMs, events, reached } = campaign
  const speed = virtualMs / realMs
  return [
    '',
    `${runs} runs held, each carried out twice with equal traces.`,
    `${(virtualMs / 60_000).toFixed(1)} virtual minutes (counted once) in ${(realMs / 1_000).toFixed(1)} s: ${Math.round(speed * 2)} virtual seconds a second, ${Math.round((events * 2 * 1_000) / realMs)} events/s.`,
    '',
    'What was reached, and how often:',
    ...[...reached].sort(([a], [b]) => (a < b ? -1 : 1)).map(([mark, times]) => `  ${String(times).padStart(8)}  ${mark}`),
    ...neverReached(campaign).map((mark) => `     never  ${mark}: this campaign does not prove what it is for`),
  ]
}

/** Everything needed to see a failure again, smaller. */
export function failurePage(
  failure: Failure,
  plan: Plan,
  small: { plan: Plan; runs: number },
  printed: string[],
  savedAs: string,
): string[] {
  const shown = small.plan.events.slice(0, EVENTS_SHOWN_MAX)
  return [
    '',
    `FAILED  ${failure.invariant}: ${failure.what}`,
    `  broken: ${failure.sentence}`,
    `  seed ${plan.seed}, virtual ${(failure.atMs / 1_000).toFixed(1)} s, ${small.plan.events.length} of ${plan.events.length} events matter (shrunk in ${small.runs} runs)`,
    ...shown.map((event) => `    ${eventLine(event)}`),
    ...(small.plan.events.length > shown.length ? [`    and ${small.plan.events.length - shown.length} more`] : []),
    ...(printed.length > 0 ? ['  the last lines of the log:', ...printed.slice(-LINES_SHOWN_MAX).map((line) => `    ${line}`)] : []),
    `  again:  npm run sim -- --plan ${savedAs}        all of it:  npm run sim -- --seed ${plan.seed} --nodes ${plan.nodes.length} --seconds ${plan.quietAtMs / 1_000}`,
  ]
}

function eventLine({ atMs, do: what, node, ...rest }: PlanEvent): string {
  const details = Object.entries(rest).map(([name, value]) => `${name}=${String(value)}`)
  return `${String(atMs).padStart(8)} ms  ${what} ${node} ${details.join(' ')}`.trimEnd()
}
