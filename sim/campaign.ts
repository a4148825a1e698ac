import type { Mutations } from './mutants/index.ts'
import { drawPlan, type Plan } from './plan.ts'
import { type Failure, type Outcome, Run } from './run.ts'

/** Carries a plan out twice. Two runs of one plan must be the same to the last message. */
export function playTwice(plan: Plan, mutations: Mutations): Outcome {
  const first = new Run({ plan, mutations }).play()
  const second = new Run({ plan, mutations }).play()
  if (first.hash === second.hash) return first
  return {
    ...first,
    failure: { invariant: 'runs-repeat', sentence: 'two runs of one plan are the same', what: firstDifference(plan, mutations), atMs: 0 },
  }
}

/** Leaves out events as long as the same invariant still breaks: first large parts of the plan, then single events. */
export function shrink(plan: Plan, mutations: Mutations, failure: Failure, runsMax = 400): { plan: Plan; runs: number } {
  let best = plan
  let runs = 0
  for (let size = Math.ceil(best.events.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < best.events.length && runs < runsMax; ) {
      const candidate = { ...best, events: [...best.events.slice(0, from), ...best.events.slice(from + size)] }
      runs++
      if (new Run({ plan: candidate, mutations }).play().failure?.invariant === failure.invariant) best = candidate
      else from += size
    }
  }
  return { plan: best, runs }
}

export type CampaignOptions = {
  seed: string
  runs: number
  nodes: number
  seconds: number
  mutations: Mutations
  progress?: (done: number) => void
}
export type Campaign = {
  runs: number
  virtualMs: number
  events: number
  reached: Map<string, number>
  failed: { plan: Plan; failure: Failure; printed: string[] } | undefined
}

/** Draws plan after plan from one seed and carries each out twice, until one fails. */
export function campaign({ seed, runs, nodes, seconds, mutations, progress }: CampaignOptions): Campaign {
  const total: Campaign = { runs: 0, virtualMs: 0, events: 0, reached: new Map(), failed: undefined }
  for (let run = 0; run < runs && !total.failed; run++) {
    const plan = drawPlan(runs === 1 ? seed : `${seed}-${run}`, { nodes, seconds })
    const outcome = playTwice(plan, mutations)
    total.runs++
    total.virtualMs += outcome.virtualMs
    total.events += outcome.events
    for (const [mark, times] of outcome.reached) total.reached.set(mark, (total.reached.get(mark) ?? 0) + times)
    if (outcome.failure) total.failed = { plan, failure: outcome.failure, printed: outcome.printed }
    progress?.(run + 1)
  }
  return total
}

/** What every campaign of some length must have come across; one that did not proves less than it seems to. */
export const SOMETIMES = [
  'kv write applied',
  'kv condition failed',
  'registration acknowledged',
  'reader woken',
  'bytes through two sidecars',
  'intention deny',
  'deny looked at',
  'connection reset',
  'fault crash',
  'fault crash-all',
  'fault thread-stall',
  'fault clock-jump',
  'fault disk-slow',
  'fault disk-full',
  'fault commit-fails',
  'fault program-stops',
] as const
/** From this many runs on, each of them must have been reached. */
export const SOMETIMES_FROM_RUNS = 20

export function neverReached({ runs, reached }: Campaign): string[] {
  return runs < SOMETIMES_FROM_RUNS ? [] : SOMETIMES.filter((mark) => !reached.has(mark))
}

function firstDifference(plan: Plan, mutations: Mutations): string {
  const a = new Run({ plan, mutations, keepTrace: true }).play().trace
  const b = new Run({ plan, mutations, keepTrace: true }).play().trace
  const at = a.findIndex((line, position) => line !== b[position])
  return at < 0 ? `the second run has ${b.length - a.length} events more` : `event ${at}:\n    once:  ${a[at]}\n    twice: ${b[at]}`
}
