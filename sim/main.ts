import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { goFlags } from '../src/cli/go-flags.ts'
import { isRefused } from '../src/kernel/refusal.ts'
import { campaign, neverReached, playTwice, shrink } from './campaign.ts'
import { mutants, SOUND } from './mutants/index.ts'
import { type Plan, readPlan } from './plan.ts'
import { campaignPage, failurePage } from './report.ts'
import type { Failure } from './run.ts'

const USAGE = `
Usage: npm run sim -- [options]

  Runs whole agents in a world of virtual time and drawn faults, and looks for broken promises.

  --seed TEXT      where all chance comes from (default: drawn, and printed first)
  --runs N         how many plans to draw and carry out (default 1)
  --nodes N        agents in each run (default 1)
  --seconds N      virtual seconds of trouble in each run, 30 more of rest follow (default 60)
  --plan FILE      carries out a saved plan instead
  --mutant NAME    puts a known bug in, which must be found: ${mutants.map(({ name }) => name).join(', ')}
`

/** Exit code 0: everything held. 1: an invariant broke, or something was never reached. 2: the options make no sense. */
function main(args: string[]): number {
  const parsed = goFlags(args, { seed: 'string', runs: 'int', nodes: 'int', seconds: 'int', plan: 'string', mutant: 'string' })
  if ('error' in parsed) return misused(parsed.error)
  const { seed = Math.floor(Math.random() * 2 ** 32).toString(16), runs = 1, nodes = 1, seconds = 60 } = parsed.flags
  if (parsed.rest.length > 0) return misused(`unexpected: ${parsed.rest.join(' ')}`)
  for (const [name, value] of Object.entries({ runs, nodes, seconds }))
    if (value < 1) return misused(`--${name}: must be at least 1, got ${value}`)
  const mutant = mutants.find(({ name }) => name === parsed.flags.mutant)
  if (parsed.flags.mutant !== undefined && !mutant) return misused(`--mutant: there is none named ${JSON.stringify(parsed.flags.mutant)}`)
  const mutations = mutant?.mutations ?? SOUND
  if (mutant) console.log(`mutant ${mutant.name}: ${mutant.about}`)

  const fail = (plan: Plan, failure: Failure, printed: string[]) => {
    const small = failure.invariant === 'runs-repeat' ? { plan, runs: 0 } : shrink(plan, mutations, failure)
    mkdirSync('sim/failed', { recursive: true })
    const savedAs = `sim/failed/${plan.seed.replace(/[^\w-]/g, '_')}.json`
    writeFileSync(savedAs, `${JSON.stringify(small.plan, null, 2)}\n`)
    console.log(failurePage(failure, plan, small, printed, savedAs).join('\n'))
    return 1
  }

  if (parsed.flags.plan !== undefined) {
    const plan = readPlanFile(parsed.flags.plan)
    if (isRefused(plan)) return misused(plan.why)
    const { failure, printed, virtualMs } = playTwice(plan, mutations)
    if (failure) return fail(plan, failure, printed)
    console.log(`the plan held for ${(virtualMs / 1_000).toFixed(1)} virtual seconds`)
    return 0
  }

  console.log(`seed ${seed}`)
  const beganMs = performance.now()
  const progress = (done: number) => {
    if (process.stdout.isTTY && done % 10 === 0) process.stdout.write(`\r${done} of ${runs} runs`)
  }
  const result = campaign({ seed, runs, nodes, seconds, mutations, progress })
  if (process.stdout.isTTY) process.stdout.write('\r')
  if (result.failed) return fail(result.failed.plan, result.failed.failure, result.failed.printed)
  console.log(campaignPage(result, performance.now() - beganMs).join('\n'))
  return neverReached(result).length > 0 ? 1 : 0
}

function readPlanFile(path: string) {
  try {
    return readPlan(readFileSync(path, 'utf8'))
  } catch (error) {
    return { refused: 'invalid' as const, why: `--plan: ${error instanceof Error ? error.message : String(error)}` }
  }
}

function misused(why: string): number {
  console.error(why)
  console.error(USAGE)
  return 2
}

process.exitCode = main(process.argv.slice(2))
