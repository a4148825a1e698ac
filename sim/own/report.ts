import type { Estate } from '../estate.ts'
import { kindNamed } from '../plan.ts'
import type { OwnCampaign, PairSummary } from './campaign.ts'
import { type Gap, gapsOf, startOf } from './gaps.ts'
import { quantile, sourceName, type Verdict } from './judge.ts'
import type { Broken } from './play.ts'
import { type OwnScenario, writtenEvent } from './scenario.ts'
import { endOf, eventLine, moment, seconds } from './words.ts'

const LINES_MAX = 40
const LOG_LINES_MAX = 10

/** What is simulated, in a few lines. */
export function introduction({ agents }: Estate, notes: readonly string[], { seed, runs, seconds: length }: OwnScenario): string[] {
  const shown = agents.map(({ name, config }) => `${name} (${config.services.map((service) => service.name).join(', ') || 'no services'})`)
  return [
    `seed ${seed}, ${runs} ${runs === 1 ? 'run' : 'runs'} of ${length} s, ${agents.length} ${agents.length === 1 ? 'agent' : 'agents'}: ${shown.join(', ')}`,
    ...notes.map((note) => `note: ${note}`),
  ]
}

/** One page on what the runs showed. */
export function summaryPage(campaign: OwnCampaign, scenario: OwnScenario, realMs: number): string[] {
  const { runs, virtualMs, pairs, propagation, restedMs, broken } = campaign
  const rested =
    restedMs.length === 0
      ? []
      : [`at rest after the end of trouble: median ${seconds(quantile(restedMs, 0.5))}, longest ${seconds(quantile(restedMs, 1))}`]
  const changes = [...propagation].flatMap(([topic, took]) =>
    took.length === 0
      ? []
      : [
          `  ${topic.padEnd(10)}  p50 ${seconds(quantile(took, 0.5))}, p99 ${seconds(quantile(took, 0.99))}, longest ${seconds(quantile(took, 1))} (${took.length} changes)`,
        ],
  )
  return [
    `${(virtualMs / 60_000).toFixed(1)} virtual minutes in ${(realMs / 1_000).toFixed(1)} s`,
    '',
    ...(pairs.length === 0 ? ['no service has an upstream that can be tried'] : pairs.flatMap((pair) => pairLines(pair, runs))),
    ...(changes.length === 0 ? [] : ['', 'changes were known to every agent after', ...changes]),
    '',
    ...rested,
    ...(broken ? broken.run.verdicts.map(verdictLine) : scenario.expectations.map(({ text }) => `met: ${text}`)),
    ...(broken ? [] : ['nothing broke']),
  ]
}

function pairLines({ name, destination, reachable, longest }: PairSummary, runs: number): string[] {
  const part = reachable === undefined ? 'was never tried' : `reaches ${destination} ${percent(reachable)} of the time`
  return [
    `${name} ${reachable === undefined ? `-> ${destination} ` : ''}${part}`,
    ...(longest ? [`  longest: ${longest.sentence}${runs > 1 ? ` [${longest.seed}]` : ''}`] : []),
  ]
}

function verdictLine({ expectation, isMet, what }: Verdict): string {
  return isMet ? `met: ${expectation.text}` : `NOT MET: ${expectation.text}: ${what}`
}

/** Never 100 % if it is less. */
function percent(part: number): string {
  return part === 1 ? '100 %' : `${(Math.floor(part * 10_000) / 100).toFixed(2)} %`
}

/** What broke, what happened around it, and how to see it again. */
export function brokenPage(broken: Broken, before: Broken, shrinkRuns: number, estate: Estate, again: string): string[] {
  const { plan } = broken.run
  const { events } = before.run.plan
  const isPromise = 'failure' in broken
  return [
    '',
    isPromise ? `FAILED  ${broken.failure.invariant}: ${broken.failure.what}` : `FAILED  expected: ${broken.verdict.expectation.text}`,
    isPromise ? `  broken: ${broken.failure.sentence}` : `  but ${broken.verdict.what}`,
    `  seed ${plan.seed}, ${plan.events.length} of ${events.length} events ${events.length === 1 ? 'matters' : 'matter'} (tried ${shrinkRuns} smaller runs)`,
    ...timeline(broken, estate).map((line) => `    ${line}`),
    ...(isPromise ? logLines(broken) : []),
    `  again:  ${again}`,
  ]
}

/** Events and outages in the order of time. */
function timeline({ run }: Broken, estate: Estate): string[] {
  const { plan, watched, failure } = run
  const nodes = estate.agents.map(({ name }) => name)
  const lines: [atMs: number, line: string][] = []
  for (const event of plan.events) {
    lines.push([event.atMs, eventLine(event, nodes)])
    if (typeof event['forMs'] === 'number' && kindNamed(event.do)?.isFault) {
      lines.push([Math.min(endOf(event, nodes.length), plan.quietAtMs), `end of: ${eventLine({ ...event, forMs: undefined }, nodes)}`])
    }
  }
  for (const { upstream, samples } of watched.watcher.pairs) {
    const { source, node, destination } = upstream
    const who = sourceName(source, node, estate)
    const gaps: Gap[] = gapsOf(samples, startOf(samples), Number.POSITIVE_INFINITY)
    for (const { fromMs, toMs, isOver } of gaps) {
      lines.push([fromMs, `${who} does not reach ${destination}`])
      if (isOver) lines.push([toMs, `${who} reaches ${destination} again, after ${seconds(toMs - fromMs)}`])
    }
  }
  lines.push([plan.quietAtMs, 'all trouble ends'])
  if (failure) lines.push([failure.atMs, failure.what])
  lines.sort(([a], [b]) => a - b)
  const shown = lines.slice(0, LINES_MAX).map(([atMs, line]) => `${moment(atMs).padStart(9)}  ${line}`)
  return lines.length > LINES_MAX ? [...shown, `and ${lines.length - LINES_MAX} more`] : shown
}

function logLines({ run }: Broken): string[] {
  const printed = run.watched.outcome.printed.slice(-LOG_LINES_MAX)
  return printed.length === 0 ? [] : ['  the last lines of the agents:', ...printed.map((line) => `    ${line}`)]
}

/** A failure as a scenario that shows it again. */
export function savedScenario(broken: Broken): Record<string, unknown> {
  const { plan } = broken.run
  const about = 'failure' in broken ? `${broken.failure.invariant}: ${broken.failure.what}` : broken.verdict.what
  return {
    about,
    seconds: plan.quietAtMs / 1_000,
    seed: plan.seed,
    runs: 1,
    faults: 'none',
    events: plan.events.map(writtenEvent),
    expect: 'verdict' in broken ? [broken.verdict.expectation.text] : [],
  }
}

/** Everything as data: times in seconds, parts from 0 to 1. */
export function asJson(
  campaign: OwnCampaign,
  scenario: OwnScenario,
  { agents }: Estate,
  notes: readonly string[],
  failed: Broken | undefined,
): unknown {
  const { runs, virtualMs, pairs, propagation, restedMs } = campaign
  return {
    seed: scenario.seed,
    runs,
    virtualSeconds: inSeconds(virtualMs),
    agents: agents.map(({ name, config }) => ({ name, server: config.server, services: config.services.map((service) => service.name) })),
    notes,
    pairs: pairs.map(({ source, node, destination, reachable = null, longest }) => ({
      source,
      node,
      destination,
      reachable,
      longestOutage: longest
        ? {
            seconds: inSeconds(longest.ms),
            from: inSeconds(longest.fromMs),
            to: inSeconds(longest.toMs),
            seed: longest.seed,
            sentence: longest.sentence,
          }
        : null,
    })),
    propagation: Object.fromEntries(
      [...propagation].map(([topic, took]) => [
        topic,
        {
          changes: took.length,
          p50: inSeconds(quantile(took, 0.5)),
          p99: inSeconds(quantile(took, 0.99)),
          max: inSeconds(quantile(took, 1)),
        },
      ]),
    ),
    rest: { median: inSeconds(quantile(restedMs, 0.5)), max: inSeconds(quantile(restedMs, 1)) },
    expectations: scenario.expectations.map(({ text }) => text),
    failed: failed ? savedScenario(failed) : null,
  }
}

function inSeconds(ms: number): number {
  return Math.round(ms * 10) / 10_000
}
