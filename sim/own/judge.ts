import type { Estate } from '../estate.ts'
import type { PlanEvent } from '../plan.ts'
import type { Outcome } from '../run.ts'
import type { Expectation, Window } from './expectations.ts'
import { type Gap, gapsOf, lengthOf, longest, type Sample, startOf } from './gaps.ts'
import type { HealthQuestion, Pair, Watcher } from './watcher.ts'
import { moment, seconds, whyOf } from './words.ts'

/** A run that is over, with what was seen from outside. */
export type Watched = { estate: Estate; events: readonly PlanEvent[]; quietAtMs: number; watcher: Watcher; outcome: Outcome }
/** Whether an expectation was met, and what happened instead. */
export type Verdict = { expectation: Expectation; isMet: boolean; what: string }

/** Compares a run with an expectation. */
export function judge(expectation: Expectation, watched: Watched): Verdict {
  const what = missed(expectation, watched)
  return { expectation, isMet: what === undefined, what: what ?? '' }
}

/** What must be looked at for an expectation. */
export function questionsOf(expectation: Expectation, { agents }: Estate): HealthQuestion[] {
  if (expectation.form !== 'health') return []
  const { service, node, status, asked } = expectation
  return agents.filter(({ name }) => asked === '' || name === asked).map(({ name }) => ({ asked: name, service, node, status }))
}

/** An outage in a sentence: who, how long, when and why. */
export function outageOf({ upstream, samples }: Pair, gap: Gap, watched: Watched): string {
  const { source, node, destination } = upstream
  const who = `${destination} unreachable from ${sourceName(source, node, watched.estate)}`
  const looks = samples.filter(({ atMs, isGood }) => !isGood && atMs >= gap.fromMs && atMs <= gap.toMs)
  const denied = looks.filter(({ isDenied }) => isDenied)
  if (denied.length * 2 > looks.length) return `${who} ${span(gap)} because the intentions deny it`
  const places = watched.estate.applications.filter(({ service }) => service === destination).map((one) => one.node)
  return `${who} ${span(gap)}${because(gap, [node, ...places], watched)}`
}

/** "web", or "web on n1" if web runs on several agents. */
export function sourceName(source: string, node: string, { agents }: Estate): string {
  const places = agents.filter(({ config }) => config.services.some(({ name }) => name === source))
  return places.length > 1 ? `${source} on ${node}` : source
}

/** The value that this part of all does not exceed, 0 to 1. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? 0
}

function missed(expectation: Expectation, watched: Watched): string | undefined {
  const { watcher, outcome } = watched
  switch (expectation.form) {
    case 'reaches':
      return notReached(expectation, watched)
    case 'never reaches': {
      for (const { upstream, samples } of pairsOf(expectation, watched)) {
        const { fromMs = 0, toMs } = expectation.window
        const reached = samples.find(({ atMs, isGood }) => isGood && atMs >= fromMs && atMs <= toMs)
        if (!reached) continue
        return `${sourceName(upstream.source, upstream.node, watched.estate)} reached ${upstream.destination} at ${moment(reached.atMs)}`
      }
      return undefined
    }
    case 'health':
      return notHealthy(expectation, watched)
    case 'propagation': {
      const { measure, topic, underMs } = expectation
      const took = topic === '' ? [...watcher.propagation.tookMs.values()].flat() : (watcher.propagation.tookMs.get(topic) ?? [])
      const ms = quantile(took, MEASURES[measure])
      return ms < underMs
        ? undefined
        : `${measure} of ${topic === '' ? '' : `${topic} `}propagation was ${seconds(ms)} (${took.length} changes)`
    }
    case 'back': {
      const samples = watcher.agents.get(expectation.node) ?? []
      const gap = longest(gapsOf(samples, startOf(samples), Number.POSITIVE_INFINITY))
      if (!gap || lengthOf(gap) <= expectation.withinMs) return undefined
      return `${expectation.node} was away ${span(gap)}${because(gap, [expectation.node], watched)}`
    }
    case 'rest':
      if (outcome.restedMs <= expectation.withinMs) return undefined
      return `it came to rest ${seconds(outcome.restedMs)} after all trouble had ended`
  }
}

const MEASURES = { p50: 0.5, p99: 0.99, max: 1 }

function notReached(expectation: Extract<Expectation, { form: 'reaches' }>, watched: Watched): string | undefined {
  const { window, withinMs } = expectation
  let worst: { pair: Pair; gap: Gap } | undefined
  for (const pair of pairsOf(expectation, watched)) {
    const gap = longestIn(pair.samples, window)
    if (gap === 'not seen') return `${sourceName(pair.upstream.source, pair.upstream.node, watched.estate)} did not run then`
    if (gap && (!worst || lengthOf(gap) > lengthOf(worst.gap))) worst = { pair, gap }
  }
  return worst && lengthOf(worst.gap) > withinMs ? outageOf(worst.pair, worst.gap, watched) : undefined
}

function notHealthy(expectation: Extract<Expectation, { form: 'health' }>, watched: Watched): string | undefined {
  const { service, node, status, asked, window, withinMs } = expectation
  for (const [question, samples] of watched.watcher.health) {
    const isAsked = question.service === service && question.node === node && question.status === status
    if (!isAsked || (asked !== '' && question.asked !== asked)) continue
    const gap = longestIn(samples, window)
    if (gap === 'not seen') return `${question.asked} did not run then`
    if (!gap || lengthOf(gap) <= withinMs) continue
    const places = watched.estate.applications.filter((one) => one.service === service).map((one) => one.node)
    const who = `${service}${node === '' ? '' : ` on ${node}`}`
    return `${who} was not ${status}, as ${question.asked} knows it, ${span(gap)}${because(gap, [question.asked, ...places], watched)}`
  }
  return undefined
}

function pairsOf({ source, node, destination }: { source: string; node: string; destination: string }, { watcher }: Watched): Pair[] {
  return watcher.pairs.filter(
    ({ upstream }) => upstream.source === source && upstream.destination === destination && (node === '' || upstream.node === node),
  )
}

function longestIn(samples: readonly Sample[], { fromMs = startOf(samples), toMs }: Window): Gap | undefined | 'not seen' {
  if (!samples.some(({ atMs }) => atMs >= fromMs && atMs <= toMs)) return 'not seen'
  return longest(gapsOf(samples, fromMs, toMs))
}

function span(gap: Gap): string {
  return `for ${seconds(lengthOf(gap))} (from ${moment(gap.fromMs)} to ${moment(gap.toMs)})`
}

/** " after losing agent n2"; otherwise that there was no reason, or that trouble was long over. */
function because({ fromMs }: Gap, concerned: readonly string[], { estate, events, quietAtMs }: Watched): string {
  const nodes = estate.agents.map(({ name }) => name)
  const why = whyOf(fromMs, events, { nodes, concerned: new Set(concerned) })
  if (why !== '') return ` after ${why}`
  return fromMs > quietAtMs ? ' after all trouble had ended' : ' without any trouble under way'
}
