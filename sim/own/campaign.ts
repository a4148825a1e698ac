import type { Estate } from '../estate.ts'
import { gapsOf, goodPart, lengthOf, longest, startOf } from './gaps.ts'
import { outageOf, sourceName } from './judge.ts'
import { type Broken, brokenIn, type OwnRun, planOfRun, playOwn } from './play.ts'
import type { Topic } from './propagation.ts'
import type { OwnScenario } from './scenario.ts'

/** The worst that users of a service met, and in which run. */
export type Outage = { ms: number; fromMs: number; toMs: number; sentence: string; seed: string }
export type PairSummary = {
  source: string
  node: string
  destination: string
  /** Such as "web on n1". */
  name: string
  /** Part of the time in which it was reached; undefined if nobody tried. */
  reachable: number | undefined
  longest: Outage | undefined
}
/** What all runs together showed. */
export type OwnCampaign = {
  runs: number
  virtualMs: number
  pairs: PairSummary[]
  /** How long changes took to be known everywhere, in ms. */
  propagation: ReadonlyMap<Topic, number[]>
  /** How long each run took to come to rest, in ms. */
  restedMs: number[]
  broken: Broken | undefined
}

/** Carries out the runs of a scenario, until one fails. */
export function campaignOfOwn(estate: Estate, scenario: OwnScenario, progress?: (runs: number) => void): OwnCampaign {
  const tallies = estate.upstreams.map(() => ({ looks: 0, good: 0, longest: undefined as Outage | undefined }))
  const total = { runs: 0, virtualMs: 0, restedMs: [] as number[], propagation: new Map<Topic, number[]>() }
  let broken: Broken | undefined
  while (total.runs < scenario.runs && !broken) {
    const run = playOwn(planOfRun(scenario, total.runs, estate), estate, scenario.expectations)
    const { watcher, outcome } = run.watched
    total.runs++
    total.virtualMs += outcome.virtualMs
    if (!run.failure) total.restedMs.push(outcome.restedMs)
    for (const [topic, took] of watcher.propagation.tookMs) {
      const known = total.propagation.get(topic)
      if (known) for (const ms of took) known.push(ms)
      else total.propagation.set(topic, [...took])
    }
    addPairs(run, tallies)
    broken = brokenIn(run)
    progress?.(total.runs)
  }
  const pairs = estate.upstreams.map(({ source, node, destination }, at): PairSummary => {
    const { looks = 0, good = 0, longest } = tallies[at] ?? {}
    return { source, node, destination, name: sourceName(source, node, estate), reachable: looks === 0 ? undefined : good / looks, longest }
  })
  return { ...total, pairs, broken }
}

type Tally = { looks: number; good: number; longest: Outage | undefined }

function addPairs({ plan, watched }: OwnRun, tallies: readonly Tally[]): void {
  for (const [at, pair] of watched.watcher.pairs.entries()) {
    const tally = tallies[at]
    if (!tally) continue
    const startMs = startOf(pair.samples)
    const looks = pair.samples.filter(({ atMs }) => atMs >= startMs && atMs <= plan.quietAtMs).length
    tally.looks += looks
    tally.good += looks * (goodPart(pair.samples, startMs, plan.quietAtMs) ?? 0)
    const gap = longest(gapsOf(pair.samples, startMs, Number.POSITIVE_INFINITY))
    if (!gap || lengthOf(gap) <= (tally.longest?.ms ?? 0)) continue
    tally.longest = { ...gap, ms: lengthOf(gap), sentence: outageOf(pair, gap, watched), seed: plan.seed }
  }
}
