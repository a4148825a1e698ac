import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isRefused } from '../../src/kernel/refusal.ts'
import { type Mutant, mutants, SOUND } from '../mutants/index.ts'
import { drawPlan, type Plan } from '../plan.ts'
import { play } from '../play.ts'
import { scenarioNamed } from '../scenarios/index.ts'
import { shrink } from '../shrink.ts'
import { readEntry, writeEntry } from './index.ts'

/**
 * `node sim/corpus/make.ts` writes a small plan for each mutant that no plan of the corpus shows; with names, for these mutants
 * whatever there is. Rather a plan that shows the mutant with other seeds too: a change of the simulator seldom makes it worthless.
 */
const OTHER_SEEDS = ['a', 'b', 'c', 'd']
const PLANS_MAX = 100
const SEARCH_FOR_MS = 60_000
const SHRINK_RUNS_MAX = 300
const SHRINK_FOR_MS = 90_000

function main(names: readonly string[]): number {
  let missing = 0
  for (const mutant of mutants) {
    const path = join(import.meta.dirname, `${mutant.name}.json`)
    if (names.length > 0 ? !names.includes(mutant.name) : isShown(path, mutant)) continue
    const plan = smallPlan(mutant, OTHER_SEEDS) ?? smallPlan(mutant, [])
    if (plan) writeFileSync(path, writeEntry({ about: mutant.about, found: today(), mutant, plan }))
    else missing++
    console.log(`${mutant.name}: ${plan ? `${plan.events.length} events` : 'no plan shows it'}`)
  }
  return missing > 0 ? 1 : 0
}

function isShown(path: string, { name, mutations, caughtBy }: Mutant): boolean {
  if (!existsSync(path)) return false
  const entry = readEntry(readFileSync(path, 'utf8'))
  if (isRefused(entry) || entry.mutant?.name !== name) return false
  return play(entry.plan, mutations).failure?.invariant === caughtBy && play(entry.plan, SOUND).failure === undefined
}

/** A plan that shows a mutant with its own seed and with these, and under which the sound build holds. */
function smallPlan({ scenario, nodes, mutations, caughtBy }: Mutant, otherSeeds: readonly string[]): Plan | undefined {
  const shows = (plan: Plan, seed: string) => play({ ...plan, seed }, mutations).failure?.invariant === caughtBy
  const holds = (plan: Plan) => play(plan, SOUND).failure === undefined
  const fails = (plan: Plan) => [plan.seed, ...otherSeeds].every((seed) => shows(plan, seed)) && holds(plan)
  const beganMs = performance.now()
  for (let at = 0; at < PLANS_MAX && performance.now() - beganMs < SEARCH_FOR_MS; at++) {
    const plan = drawPlan(`corpus-${at}`, { scenario: scenarioNamed(scenario ?? 'mixed'), nodes })
    if (!fails(plan)) continue
    const untilMs = performance.now() + SHRINK_FOR_MS
    return shrink(plan, fails, { runsMax: SHRINK_RUNS_MAX, isOver: () => performance.now() > untilMs }).plan
  }
  return undefined
}

function today(): string {
  return new Date().toISOString().slice(0, 10)
}

process.exitCode = main(process.argv.slice(2))
