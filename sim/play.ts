import type { Mutations } from './mutants/index.ts'
import type { Plan } from './plan.ts'
import { type Failure, type Outcome, Run } from './run.ts'

const THROWN = 'nothing-is-thrown'
const REPEATS = 'runs-repeat'
const FRAMES_SHOWN = 4
const LINES_BEFORE = 5

/** Carries a plan out. What is thrown meanwhile is a broken promise as well. */
export function play(plan: Plan, mutations: Mutations, keepTrace = false): Outcome {
  const run = new Run({ plan, mutations, keepTrace })
  try {
    return run.play()
  } catch (error) {
    const { world, printed, reached } = run
    const failure: Failure = { invariant: THROWN, sentence: 'no code throws', what: thrown(error), atMs: world.nowMs }
    const { trace, nowMs, events } = world
    return { failure, hash: trace.hash, trace: trace.lines, printed, virtualMs: nowMs, events, restedMs: 0, reached }
  }
}

/** Carries a plan out twice. Two runs of one plan must be the same to the last message. */
export function playTwice(plan: Plan, mutations: Mutations): Outcome {
  const first = play(plan, mutations)
  const second = play(plan, mutations)
  if (first.hash === second.hash) return first
  return {
    ...first,
    failure: { invariant: REPEATS, sentence: 'two runs of one plan are the same', what: difference(plan, mutations), atMs: 0 },
  }
}

/** Whether a plan breaks the same promise as that failure, in the same place if it was thrown. */
export function failsLike(failure: Failure, plan: Plan, mutations: Mutations): boolean {
  const { failure: found } = failure.invariant === REPEATS ? playTwice(plan, mutations) : play(plan, mutations)
  if (found?.invariant !== failure.invariant) return false
  return found.invariant !== THROWN || frameOf(found.what) === frameOf(failure.what)
}

/** The first line in which two traces are not the same, with a few lines before it. */
export function firstDifference(once: readonly string[], twice: readonly string[]): string | undefined {
  const length = Math.max(once.length, twice.length)
  let at = 0
  while (at < length && once[at] === twice[at]) at++
  if (at === length) return undefined
  const before = once.slice(Math.max(0, at - LINES_BEFORE), at).map((line) => `\n           ${line}`)
  return `line ${at} of the trace:${before.join('')}\n    once:  ${once[at] ?? 'nothing more'}\n    twice: ${twice[at] ?? 'nothing more'}`
}

function difference(plan: Plan, mutations: Mutations): string {
  const once = play(plan, mutations, true).trace
  const twice = play(plan, mutations, true).trace
  return (
    firstDifference(once, twice) ??
    'the first two runs were not the same, the next two were: something outlives a run, such as a cache or a counter'
  )
}

function thrown(error: unknown): string {
  if (!(error instanceof Error)) return `thrown: ${String(error)}`
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  return [`${error.name}: ${error.message}`, ...frames.slice(0, FRAMES_SHOWN)].join('\n')
}

/** Where something was thrown. */
function frameOf(what: string): string {
  return what.split('\n').find((line) => /^\s+at /.test(line)) ?? what
}
