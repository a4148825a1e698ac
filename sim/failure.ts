import { mkdirSync, writeFileSync } from 'node:fs'
import type { RunFailure } from './campaign.ts'
import { type Mutant, SOUND } from './mutants/index.ts'
import { type Plan, writePlan } from './plan.ts'
import { failsLike, play, playTwice } from './play.ts'
import { createProgress, type ProgressStream } from './progress.ts'
import { failurePage, planCommand } from './report.ts'
import { type Shrunk, shrink } from './shrink.ts'

export type FailureOptions = {
  mutant?: Mutant | undefined
  /** Whether the smallest plan that fails like this one is looked for. */
  isShrunk: boolean
  /** The command that showed the failure. */
  wholeCommand: string
  progress: ProgressStream
}

const SHRINK_FOR_MS = 120_000
const FAILED_FOLDER = 'sim/failed'

/** Looks for the smallest plan that fails like this one and saves it. The answer is the page that tells of it. */
export function failureFound(found: RunFailure, options: FailureOptions): string[] {
  const { mutant, isShrunk, wholeCommand } = options
  const { plan } = found
  const small = isShrunk ? smallest(found, options) : { plan, runs: 0 }
  mkdirSync(FAILED_FOLDER, { recursive: true })
  const savedAs = `${FAILED_FOLDER}/${plan.seed.replace(/[^\w-]/g, '_')}.json`
  writeFileSync(savedAs, writePlan(small.plan))
  const shown = small.runs > 0 ? failureOf(small.plan, found, mutant) : found
  return failurePage(shown, { plan, runs: small.runs }, { againCommand: planCommand(savedAs, mutant), wholeCommand, mutant })
}

function smallest({ plan, failure }: RunFailure, { mutant, progress: stream }: FailureOptions): Shrunk {
  const nowMs = () => performance.now()
  const untilMs = nowMs() + SHRINK_FOR_MS
  const progress = createProgress(stream, nowMs)
  const fails = (candidate: Plan) => failsLike(failure, candidate, mutant?.mutations ?? SOUND)
  const small = shrink(plan, fails, {
    failedAtMs: failure.invariant === 'runs-repeat' ? Number.POSITIVE_INFINITY : failure.atMs,
    isOver: () => nowMs() > untilMs,
    progress: (runs, best) => progress.show(() => `shrinking: ${runs} runs, ${best.events.length} of ${plan.events.length} events left`),
  })
  progress.end()
  return small
}

/** How a plan that was made smaller fails. */
function failureOf(plan: Plan, { failure }: RunFailure, mutant: Mutant | undefined): RunFailure {
  const mutations = mutant?.mutations ?? SOUND
  const outcome = failure.invariant === 'runs-repeat' ? playTwice(plan, mutations) : play(plan, mutations)
  return { plan, failure: outcome.failure ?? failure, printed: outcome.printed }
}
