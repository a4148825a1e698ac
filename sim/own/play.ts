import { isRefused } from '../../src/kernel/refusal.ts'
import type { Estate } from '../estate.ts'
import { faults } from '../faults/index.ts'
import type { DrawContext } from '../fields.ts'
import type { Kind } from '../kind.ts'
import { SOUND } from '../mutants/index.ts'
import { drawEvents, type Plan } from '../plan.ts'
import { type Failure, Run } from '../run.ts'
import { shrink } from '../shrink.ts'
import { createRandom } from '../streams.ts'
import { type Expectation, readExpectation } from './expectations.ts'
import { judge, questionsOf, type Verdict, type Watched } from './judge.ts'
import { contextOf, type OwnScenario } from './scenario.ts'
import { Watcher } from './watcher.ts'

/** A run of somebody's agents: what was seen, and what of it was not as it should be. */
export type OwnRun = { plan: Plan; watched: Watched; failure: Failure | undefined; verdicts: Verdict[] }

/** What broke in a run: a promise of the agents, or an expectation. */
export type Broken = { run: OwnRun; failure: Failure } | { run: OwnRun; verdict: Verdict }

/** The plan of one of a scenario's runs, counted from 0: its events and what is drawn besides. */
export function planOfRun({ seed, runs, seconds, faults: kinds, events }: OwnScenario, run: number, estate: Estate): Plan {
  const own = runs === 1 ? seed : `${seed}-${run}`
  const quietAtMs = seconds * 1_000
  const context = contextOf(estate, quietAtMs)
  const random = createRandom(`${own}/plan`)
  // If all kinds may come, each run first draws which do, so that each is also met alone.
  const isPresent = () => kinds !== faults || random.next() < PRESENT_PART
  const drawn = kinds.filter((kind) => isPossible(kind, context) && isPresent()).flatMap((kind) => drawEvents(own, kind, RATE, context))
  const all = [...events, ...drawn].sort((a, b) => a.atMs - b.atMs)
  return { format: 2, seed: own, nodes: [...context.nodes], threads: 'separate', checkEveryMs: CHECK_EVERY_MS, quietAtMs, events: all }
}

function isPossible({ nodesMin = 1, withClients }: Kind, { nodes, clients = [] }: DrawContext): boolean {
  return nodesMin <= nodes.length && (!withClients || clients.length > 0)
}

/** The chance that a run has a kind of fault. */
const PRESENT_PART = 0.4
/** Faults come less often than where the agents themselves are tried: services must be able to recover in between. */
const RATE = 0.25

/** The agents of users say themselves how often they look after their services. */
const CHECK_EVERY_MS = 2_000

/** Carries a plan out and judges it. */
export function playOwn(plan: Plan, estate: Estate, expectations: readonly Expectation[]): OwnRun {
  const run = new Run({ plan, mutations: SOUND, estate })
  const watcher = new Watcher(
    run,
    expectations.flatMap((expectation) => questionsOf(expectation, estate)),
  )
  const outcome = run.play()
  watcher.finish()
  const watched: Watched = { estate, events: plan.events, quietAtMs: plan.quietAtMs, watcher, outcome }
  const { failure } = outcome
  // A run that ended early says nothing of what should have come.
  return { plan, watched, failure, verdicts: failure ? [] : expectations.map((expectation) => judge(expectation, watched)) }
}

/** The first thing that broke. */
export function brokenIn(run: OwnRun): Broken | undefined {
  if (run.failure) return { run, failure: run.failure }
  const verdict = run.verdicts.find(({ isMet }) => !isMet)
  return verdict && { run, verdict }
}

/** The same failure with as few events as possible. */
export function smaller(broken: Broken, estate: Estate, isOver: () => boolean): { broken: Broken; runs: number } {
  const { plan } = broken.run
  let best = broken
  const earliestMs = Math.min(EARLIEST_MS, ...plan.events.map(({ atMs }) => atMs))
  const fails = (candidate: Plan) => {
    if (candidate.threads !== plan.threads || candidate.events.some(({ atMs }) => atMs < earliestMs)) return false
    const found = brokenAgain(candidate, broken, estate)
    if (found) best = found
    return found !== undefined
  }
  const context = contextOf(estate, plan.quietAtMs)
  const { runs } = shrink(plan, fails, {
    keepNodes: true,
    upstreams: () => context.upstreams,
    programs: context.programs ?? [],
    clients: (node) => context.clients?.includes(node) === true,
    runsMax: SHRINK_RUNS_MAX,
    isOver,
  })
  return { broken: best, runs }
}

const SHRINK_RUNS_MAX = 300
/** Trouble that comes while the agents start shows something else than what comes later. */
const EARLIEST_MS = 5_000

function brokenAgain(plan: Plan, before: Broken, estate: Estate): Broken | undefined {
  if ('failure' in before) {
    const run = playOwn(plan, estate, [])
    return run.failure?.invariant === before.failure.invariant ? { run, failure: run.failure } : undefined
  }
  const expectation = readExpectation(before.verdict.expectation.text, { ...estate, endMs: plan.quietAtMs })
  if (isRefused(expectation)) return undefined
  const found = brokenIn(playOwn(plan, estate, [expectation]))
  return found && 'verdict' in found ? found : undefined
}
