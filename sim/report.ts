import type { RunFailure, RunTask } from './campaign.ts'
import { groupOf, type MarkGroup } from './marks.ts'
import type { Mutant } from './mutants/index.ts'
import { kindNamed, type PlanEvent } from './plan.ts'
import type { Outcome } from './run.ts'
import type { Shrunk } from './shrink.ts'
import type { Tally } from './tally.ts'

const EVENTS_SHOWN_MAX = 40
const LINES_SHOWN_MAX = 15

const GROUPS: readonly [group: MarkGroup, title: string][] = [
  ['clients', 'What clients came across, and how often:'],
  ['faults', 'Trouble, how often and in how many runs:'],
  ['promises looked at', 'Promises that something happened to, and how often they were looked at:'],
]

/** One page on a campaign that held. */
export function campaignPage(tally: Tally, realMs: number): string[] {
  const { runs, plays, virtualMs, events } = tally
  const seconds = realMs / 1_000
  return [
    '',
    `${runs} ${runs === 1 ? 'run' : 'runs'} held, ${plays - runs} of them carried out twice with equal traces (all together: ${hex(tally.trace)}).`,
    `${(virtualMs / 60_000).toFixed(1)} virtual minutes in ${seconds.toFixed(1)} s: ${Math.round(virtualMs / realMs)} virtual seconds a second, ${Math.round(events / seconds)} events/s.`,
    ...restLines(tally),
    ...GROUPS.flatMap(([group, title]) => groupLines(tally, group, title)),
    ...neverLines(tally),
  ]
}

/** A line on a single plan that held. */
export function heldLine({ virtualMs, restedMs, events }: Outcome): string {
  return `the plan held, carried out twice with equal traces: ${inSeconds(virtualMs)} of virtual time, ${events} events, at rest ${inSeconds(restedMs)} after trouble had ended`
}

export type PageOptions = {
  /** The command that shows the failure again. */
  againCommand: string
  /** The one that showed it first. */
  wholeCommand?: string | undefined
  mutant?: Mutant | undefined
}

/** Everything needed to see a failure again, smaller. `drawn` is the plan as it was before it was made smaller. */
export function failurePage({ plan, failure, printed }: RunFailure, drawn: Shrunk, options: PageOptions): string[] {
  const { againCommand, wholeCommand, mutant } = options
  const shown = plan.events.slice(0, EVENTS_SHOWN_MAX)
  const before = (now: number, then: number) => (now === then ? `${now}` : `${now} of ${then}`)
  const agents = drawn.plan.nodes.length === 1 ? 'agent' : 'agents'
  const shrunk = drawn.runs > 0 ? ` matter (shrunk in ${drawn.runs} runs)` : ''
  return [
    '',
    `FAILED  ${failure.invariant}: ${indented(failure.what)}`,
    `  broken: ${failure.sentence}`,
    ...(mutant ? [`  with the known bug ${mutant.name}: ${mutant.about}`] : []),
    `  seed ${plan.seed}, virtual ${inSeconds(failure.atMs)}, ${before(plan.nodes.length, drawn.plan.nodes.length)} ${agents} and ${before(plan.events.length, drawn.plan.events.length)} events${shrunk}`,
    ...shown.map((event) => `    ${eventLine(event)}`),
    ...(plan.events.length > shown.length ? [`    and ${plan.events.length - shown.length} more`] : []),
    ...legend(shown),
    ...(printed.length > 0 ? ['  the last lines of the log:', ...printed.slice(-LINES_SHOWN_MAX).map((line) => `    ${line}`)] : []),
    `  again:  ${againCommand}${wholeCommand === undefined ? '' : `        all of it:  ${wholeCommand}`}`,
  ]
}

/** The command that draws the plan of a run again and carries it out. */
export function drawCommand({ seed, scenario, nodes, seconds, mutant }: RunTask): string {
  return [
    `npm run sim -- --seed ${quoted(seed)}`,
    ...(scenario === 'mixed' ? [] : [`--scenario ${scenario}`]),
    ...(nodes === undefined ? [] : [`--nodes ${nodes}`]),
    ...(seconds === undefined ? [] : [`--seconds ${seconds}`]),
    ...(mutant === undefined ? [] : [`--mutant ${mutant}`]),
  ].join(' ')
}

/** The command that carries out a saved plan. */
export function planCommand(path: string, mutant: Mutant | undefined): string {
  return `npm run sim -- --plan ${quoted(path)}${mutant ? ` --mutant ${mutant.name}` : ''}`
}

/** How far a campaign is. */
export function progressLine(
  tally: Tally,
  elapsedMs: number,
  { runs, forMs }: { runs?: number | undefined; forMs?: number | undefined },
): string {
  const perSecond = tally.runs / (elapsedMs / 1_000)
  const leftMs = forMs === undefined ? (((runs ?? 1) - tally.runs) / perSecond) * 1_000 : forMs - elapsedMs
  const of = runs === undefined ? '' : ` of ${runs}`
  const left = Number.isFinite(leftMs) ? `, ${Math.ceil(Math.max(0, leftMs) / 1_000)} s left` : ''
  return `${tally.runs}${of} runs, ${(tally.virtualMs / 60_000).toFixed(1)} virtual minutes, ${perSecond.toFixed(1)} runs/s${left}`
}

function restLines({ restedMs, slowest }: Tally): string[] {
  if (!slowest) return []
  const sorted = restedMs.toSorted((a, b) => a - b)
  const at = (part: number) => inSeconds(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] as number)
  return [
    `At rest ${at(0.5)} after trouble had ended (median), p99 ${at(0.99)}, longest ${inSeconds(slowest.restedMs)} (seed ${slowest.seed}).`,
  ]
}

function groupLines({ reached, runsWith, runs }: Tally, group: MarkGroup, title: string): string[] {
  const found = [...reached].filter(([mark]) => groupOf(mark) === group).sort(([a], [b]) => (a < b ? -1 : 1))
  if (found.length === 0) return []
  const lines = found.map(([mark, times]) => {
    const inRuns = group === 'faults' ? `  in ${runsWith.get(mark.replace(/^fault /, '')) ?? 0} of ${runs} runs` : ''
    return `  ${String(times).padStart(8)}  ${mark}${inRuns}`
  })
  return ['', title, ...lines]
}

function neverLines(tally: Tally): string[] {
  const never = tally.neverReached()
  if (never.length === 0) return []
  return ['', 'FAILED  this campaign does not prove what it is for. Never reached:', ...never.map((what) => `     never  ${what}`)]
}

/** What the kinds of these events are, in words. */
function legend(events: readonly PlanEvent[]): string[] {
  const names = [...new Set(events.map((event) => event.do))]
  return names.map((name, at) => `  ${at === 0 ? 'where' : '     '}  ${name}: ${kindNamed(name)?.about ?? 'unknown'}`)
}

function eventLine({ atMs, do: what, node, ...rest }: PlanEvent): string {
  const details = Object.entries(rest).map(
    ([name, value]) => `${name}=${typeof value === 'string' && !/\s/.test(value) ? value : JSON.stringify(value)}`,
  )
  return `${String(atMs).padStart(8)} ms  ${what} ${node} ${details.join(' ')}`.trimEnd()
}

function indented(text: string): string {
  return text.replaceAll('\n', '\n    ')
}

function inSeconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}

function hex(number: number): string {
  return number.toString(16).padStart(8, '0')
}

/** A word for a shell. */
function quoted(text: string): string {
  return /^[\w./:@=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
