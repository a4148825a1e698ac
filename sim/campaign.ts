import { createProcesses } from './jobs.ts'
import { type Mutant, SOUND } from './mutants/index.ts'
import { drawPlan, type Plan } from './plan.ts'
import { play, playTwice } from './play.ts'
import type { Failure } from './run.ts'
import { type Scenario, scenarioNamed } from './scenarios/index.ts'
import { createRandom } from './streams.ts'
import { Tally } from './tally.ts'

export type CampaignOptions = {
  seed: string
  /** How many plans are drawn. Default: one, or as many as `forMs` allows. */
  runs?: number | undefined
  /** Draws no more plans once so much real time has passed. */
  forMs?: number | undefined
  /** Taken in turn. Default: mixed. */
  scenarios?: readonly Scenario[] | undefined
  nodes?: number | undefined
  seconds?: number | undefined
  mutant?: Mutant | undefined
  /** The part of the plans that are carried out twice. Default: all. */
  repeat?: number | undefined
  /** How many processes carry them out. What comes out does not depend on it. Default: 1. */
  jobs?: number | undefined
  progress?: (soFar: Tally) => void
}

/** What one run is, as data. */
export type RunTask = { at: number; seed: string; scenario: string; nodes?: number; seconds?: number; mutant?: string; isTwice: boolean }
export type RunFailure = { plan: Plan; failure: Failure; printed: string[] }
/** What came of it, as data. */
export type RunResult = {
  task: RunTask
  nodes: number
  hash: string
  virtualMs: number
  events: number
  restedMs: number
  reached: [mark: string, times: number][]
  /** How many events of each kind the plan has. */
  drawn: [kind: string, events: number][]
  failed?: RunFailure
}

/**
 * Draws plan after plan and carries them out until one fails; adds up what came of them, in the order of their numbers. The plan of run 3 of seed `x` has the seed `x-3`; a single run has
 * the seed itself. Rejects, naming the run, if a process ends before it has carried it out.
 */
export async function campaign(options: CampaignOptions): Promise<Tally> {
  const { forMs = Number.POSITIVE_INFINITY, jobs = 1 } = options
  const runs = options.runs ?? (options.forMs === undefined ? 1 : Number.POSITIVE_INFINITY)
  const tally = new Tally()
  const beganMs = performance.now()
  const early = new Map<number, RunResult>()
  let next = 0
  let failedAt = Number.POSITIVE_INFINITY

  const take = () =>
    next < runs && next < failedAt && (next === 0 || performance.now() - beganMs < forMs) ? taskAt(next++, runs === 1, options) : undefined
  const took = (result: RunResult) => {
    if (result.failed) failedAt = Math.min(failedAt, result.task.at)
    early.set(result.task.at, result)
    for (let due = early.get(tally.runs); due && !tally.failed; due = early.get(tally.runs)) {
      early.delete(due.task.at)
      tally.add(due)
    }
    options.progress?.(tally)
  }

  if (jobs === 1) {
    for (let task = take(); task; task = take()) {
      took(carryOut(task, options.mutant))
      await new Promise(setImmediate)
    }
  } else {
    const processes = createProcesses(jobs)
    try {
      await Promise.all(
        processes.map(async ({ carryOut }) => {
          for (let task = take(); task; task = take()) took(await carryOut(task))
        }),
      )
    } finally {
      for (const { end } of processes) end()
    }
  }
  return tally
}

/** Draws the plan of a run and carries it out. */
export function carryOut(task: RunTask, mutant: Mutant | undefined): RunResult {
  const { seed, nodes, seconds, isTwice } = task
  const mutations = mutant?.mutations ?? SOUND
  const plan = drawPlan(seed, { scenario: scenarioNamed(task.scenario), nodes, seconds })
  const { failure, hash, virtualMs, events, restedMs, reached, printed } = isTwice ? playTwice(plan, mutations) : play(plan, mutations)
  const drawn = new Map<string, number>()
  for (const event of plan.events) drawn.set(event.do, (drawn.get(event.do) ?? 0) + 1)
  const came = { task, nodes: plan.nodes.length, hash, virtualMs, events, restedMs, reached: [...reached], drawn: [...drawn] }
  return failure ? { ...came, failed: { plan, failure, printed } } : came
}

function taskAt(at: number, isAlone: boolean, { seed, scenarios, nodes, seconds, mutant, repeat = 1 }: CampaignOptions): RunTask {
  const own = isAlone ? seed : `${seed}-${at}`
  return {
    at,
    seed: own,
    scenario: scenarios?.[at % scenarios.length]?.name ?? 'mixed',
    ...(nodes !== undefined && { nodes }),
    ...(seconds !== undefined && { seconds }),
    ...(mutant && { mutant: mutant.name }),
    isTwice: createRandom(`${own}/repeat`).next() < repeat,
  }
}
