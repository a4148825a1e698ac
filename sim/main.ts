import { readFileSync } from 'node:fs'
import { isRefused, type Result, refuse } from '../src/kernel/refusal.ts'
import { type CampaignOptions, campaign } from './campaign.ts'
import { CORPUS_FOLDER, readCorpus, readEntry } from './corpus/index.ts'
import { failureFound } from './failure.ts'
import { type Mutant, SOUND } from './mutants/index.ts'
import { readOptions, USAGE } from './options.ts'
import { type Plan, readPlan } from './plan.ts'
import { play, playTwice } from './play.ts'
import { createProgress } from './progress.ts'
import { campaignPage, drawCommand, failurePage, heldLine, planCommand, progressLine } from './report.ts'

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
  if (tally.failed) {
    const wholeCommand = drawCommand(tally.failed.task)
    show(failureFound(tally.failed, { mutant, isShrunk, wholeCommand, progress: process.stderr }))
    return 1
  }
  show(campaignPage(tally, nowMs() - beganMs))
  return tally.neverReached().length > 0 ? 1 : 0
}

function runPlan(path: string, mutant: Mutant | undefined, isShrunk: boolean): number {
  const plan = readPlanFile(path)
  if (isRefused(plan)) return misused(plan.why)
  if (mutant) console.log(`mutant ${mutant.name}: ${mutant.about}`)
  const outcome = playTwice(plan, mutant?.mutations ?? SOUND)
  const { failure, printed } = outcome
  if (failure) {
    const wholeCommand = planCommand(path, mutant)
    show(failureFound({ plan, failure, printed }, { mutant, isShrunk, wholeCommand, progress: process.stderr }))
    return 1
  }
  console.log(heldLine(outcome))
  return 0
}

/** Every plan must hold on the sound build, and must show the bug that it was made for. */
function runCorpus(): number {
  const corpus = readCorpus()
  if (isRefused(corpus)) return misused(corpus.why)
  let held = 0
  for (const { file, entry } of corpus) {
    const { about, mutant, plan } = entry
    const path = `${CORPUS_FOLDER}/${file}`
    const { failure, printed } = playTwice(plan, SOUND)
    const caughtBy = mutant && play(plan, mutant.mutations).failure?.invariant
    if (failure) show(failurePage({ plan, failure, printed }, { plan, runs: 0 }, { againCommand: planCommand(path, undefined) }))
    else if (caughtBy !== mutant?.caughtBy)
      console.log(`FAILED  ${path}: the mutant ${mutant?.name} is caught by ${caughtBy ?? 'nothing'} instead of ${mutant?.caughtBy}`)
    else {
      held++
      console.log(`held  ${path}: ${about}`)
    }
  }
  console.log(`${held} of ${corpus.length} plans held`)
  return held === corpus.length ? 0 : 1
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

function show(lines: readonly string[]): void {
  console.log(lines.join('\n'))
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
}
