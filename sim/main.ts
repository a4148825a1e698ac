import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { isRefused, type Result, refuse } from '../src/kernel/refusal.ts'
import { type CampaignOptions, campaign, type RunFailure } from './campaign.ts'
import { CORPUS_FOLDER, readCorpus, readEntry } from './corpus/index.ts'
import { type Mutant, SOUND } from './mutants/index.ts'
import { readOptions, USAGE } from './options.ts'
import { type Plan, readPlan } from './plan.ts'
import { failsLike, play, playTwice } from './play.ts'
import { createProgress } from './progress.ts'
import { campaignPage, drawCommand, failurePage, planCommand, progressLine } from './report.ts'
import type { Failure } from './run.ts'
import { type Shrunk, shrink } from './shrink.ts'

const SHRINK_FOR_MS = 120_000
const FAILED_FOLDER = 'sim/failed'

/** Exit code 0: everything held. 1: a promise was broken, or something was never reached. 2: the options or a plan make no sense. */
async function main(args: string[]): Promise<number> {
  const options = readOptions(args, () => Math.floor(Math.random() * 2 ** 32).toString(16))
  if (isRefused(options)) return misused(options.why)
  if (options.do === 'help') {
    console.log(USAGE)
    return 0
  }
  if (options.do === 'corpus') return runCorpus()
  if (options.do === 'plan') return runPlan(options.path, options.mutant, options.isShrunk)
  return runCampaign(options.campaign, options.isShrunk)
}

async function runCampaign(options: CampaignOptions, isShrunk: boolean): Promise<number> {
  const { seed, mutant } = options
  console.log(`seed ${seed}`)
  if (mutant) console.log(`mutant ${mutant.name}: ${mutant.about}`)
  const nowMs = () => performance.now()
  const beganMs = nowMs()
  const progress = createProgress(process.stderr, nowMs)
  const tally = await campaign({
    ...options,
    progress: (soFar) => progress.show(() => progressLine(soFar, nowMs() - beganMs, options)),
  })
  progress.end()
  if (tally.failed) return failed(tally.failed, mutant, isShrunk, drawCommand(tally.failed.task))
  console.log(campaignPage(tally, nowMs() - beganMs).join('\n'))
  return tally.neverReached().length > 0 ? 1 : 0
}

function runPlan(path: string, mutant: Mutant | undefined, isShrunk: boolean): number {
  const plan = readPlanFile(path)
  if (isRefused(plan)) return misused(plan.why)
  if (mutant) console.log(`mutant ${mutant.name}: ${mutant.about}`)
  const { failure, printed, virtualMs, restedMs } = playTwice(plan, mutant?.mutations ?? SOUND)
  if (failure) return failed({ plan, failure, printed }, mutant, isShrunk, planCommand(path, mutant))
  console.log(
    `the plan held for ${(virtualMs / 1_000).toFixed(1)} virtual seconds, at rest ${(restedMs / 1_000).toFixed(1)} s after trouble had ended`,
  )
  return 0
}

/** Every plan must hold on the sound build, and must show the bug that it was made for. */
function runCorpus(): number {
  const corpus = readCorpus()
  if (isRefused(corpus)) return misused(corpus.why)
  let failures = 0
  for (const { file, entry } of corpus) {
    const { about, mutant, plan } = entry
    const path = `${CORPUS_FOLDER}/${file}`
    const { failure, printed } = playTwice(plan, SOUND)
    const caught = mutant && play(plan, mutant.mutations).failure?.invariant
    if (failure)
      console.log(failurePage({ plan, failure, printed }, { plan, runs: 0 }, { againCommand: planCommand(path, undefined) }).join('\n'))
    else if (caught !== mutant?.caughtBy)
      console.log(`FAILED  ${path}: the mutant ${mutant?.name} is not caught by ${mutant?.caughtBy} but by ${caught ?? 'nothing'}`)
    else console.log(`held  ${path}: ${about}`)
    if (failure || caught !== mutant?.caughtBy) failures++
  }
  console.log(`${corpus.length - failures} of ${corpus.length} plans held`)
  return failures > 0 ? 1 : 0
}

/** Looks for the smallest plan that fails like this one, saves it and shows it. */
function failed(found: RunFailure, mutant: Mutant | undefined, isShrunk: boolean, wholeCommand: string): number {
  const { plan, failure } = found
  const small = isShrunk ? smallest(plan, failure, mutant) : { plan, runs: 0 }
  mkdirSync(FAILED_FOLDER, { recursive: true })
  const savedAs = `${FAILED_FOLDER}/${plan.seed.replace(/[^\w-]/g, '_')}.json`
  writeFileSync(savedAs, `${JSON.stringify(small.plan, null, 2)}\n`)
  const shown = small.runs > 0 ? failureOf(small.plan, found, mutant) : found
  console.log(
    failurePage(shown, { plan, runs: small.runs }, { againCommand: planCommand(savedAs, mutant), wholeCommand, mutant }).join('\n'),
  )
  return 1
}

/** How a plan that was made smaller fails. */
function failureOf(plan: Plan, { failure }: RunFailure, mutant: Mutant | undefined): RunFailure {
  const mutations = mutant?.mutations ?? SOUND
  const outcome = failure.invariant === 'runs-repeat' ? playTwice(plan, mutations) : play(plan, mutations)
  return { plan, failure: outcome.failure ?? failure, printed: outcome.printed }
}

function smallest(plan: Plan, failure: Failure, mutant: Mutant | undefined): Shrunk {
  const nowMs = () => performance.now()
  const untilMs = nowMs() + SHRINK_FOR_MS
  const progress = createProgress(process.stderr, nowMs)
  const fails = (candidate: Plan) => failsLike(failure, candidate, mutant?.mutations ?? SOUND)
  const small = shrink(plan, fails, {
    failedAtMs: failure.invariant === 'runs-repeat' ? Number.POSITIVE_INFINITY : failure.atMs,
    isOver: () => nowMs() > untilMs,
    progress: (runs, best) => progress.show(() => `shrinking: ${runs} runs, ${best.events.length} of ${plan.events.length} events left`),
  })
  progress.end()
  return small
}

/** A plan by itself or one of the corpus. */
function readPlanFile(path: string): Result<Plan> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    return refuse('invalid', `--plan: ${error instanceof Error ? error.message : String(error)}`)
  }
  const entry = /^\s*\{\s*"about"/.test(text) ? readEntry(text) : undefined
  const plan = entry && !isRefused(entry) ? entry.plan : (entry ?? readPlan(text))
  return isRefused(plan) ? refuse('invalid', `--plan: ${path}: ${plan.why}`) : plan
}

function misused(why: string): number {
  console.error(why)
  return 2
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
}
