import type { Operation } from '../history.ts'

/** How many steps a search may take before it gives up: a history so tangled says nothing either way. */
const STEPS_MAX = 2_000_000

/**
 * Whether the operations on one register can be put into an order in which each happens at one moment between its invocation
 * and its answer. Operations without an answer may happen at any time after their invocation, or never. The answer is
 * `undefined` if they can, else what could not be explained.
 *
 * Wing and Gong's search with Lowe's memory of states already tried (Testing for linearizability, 2017).
 */
export function linearizabilityFault(operations: readonly Operation[]): string | undefined {
  const sorted = [...operations].sort((a, b) => a.invokedMs - b.invokedMs)
  const done = new Uint8Array(sorted.length)
  const seen = new Set<string>()
  let steps = 0
  let deepest = 0
  let stuckAt: Operation | undefined

  function search(value: string | null, first: number, doneCount: number): boolean {
    while (first < sorted.length && done[first] === 1) first++
    if (!hasAnswered(sorted, done, first)) return true
    if (++steps > STEPS_MAX) return true
    const memory = `${first}|${value}|${doneBits(done, first)}`
    if (seen.has(memory)) return false
    seen.add(memory)
    let earliestAnswerMs = Number.POSITIVE_INFINITY
    for (let at = first; at < sorted.length; at++) {
      const { answeredMs, invokedMs } = sorted[at] as Operation
      if (invokedMs > earliestAnswerMs) break
      if (done[at] === 0 && answeredMs < earliestAnswerMs) earliestAnswerMs = answeredMs
    }
    for (let at = first; at < sorted.length; at++) {
      const operation = sorted[at] as Operation
      if (operation.invokedMs > earliestAnswerMs) break
      if (done[at] === 1) continue
      const next = step(value, operation)
      if (next === undefined) continue
      done[at] = 1
      if (search(next, first, doneCount + 1)) return true
      done[at] = 0
    }
    if (doneCount >= deepest) {
      deepest = doneCount
      stuckAt = sorted.find((operation, at) => done[at] === 0 && operation.answeredMs === earliestAnswerMs)
    }
    return false
  }

  if (search(null, 0, 0)) return undefined
  return stuckAt ? `${shown(stuckAt)} fits no order of what was acknowledged` : 'no order explains what was acknowledged'
}

/** The register after the operation, or undefined if it cannot happen now with the outcome it had. */
function step(value: string | null, { do: what, value: wanted, expected, outcome, answeredMs }: Operation): string | null | undefined {
  if (what === 'get') return outcome === value ? value : undefined
  const fits = expected === undefined || expected === value
  const after = fits ? (what === 'put' ? wanted : null) : value
  if (answeredMs === Number.POSITIVE_INFINITY) return after
  return outcome === fits || (what === 'delete' && value === null && outcome === true) ? (outcome === fits ? after : value) : undefined
}

function hasAnswered(sorted: readonly Operation[], done: Uint8Array, first: number): boolean {
  for (let at = first; at < sorted.length; at++)
    if (done[at] === 0 && (sorted[at] as Operation).answeredMs !== Number.POSITIVE_INFINITY) return true
  return false
}

/** Which operations from `first` on are done, as far as any is. */
function doneBits(done: Uint8Array, first: number): string {
  let last = done.length
  while (last > first && done[last - 1] === 0) last--
  let text = ''
  for (let at = first; at < last; at++) text += done[at]
  return text
}

function shown({ client, do: what, value, expected, outcome, invokedMs, answeredMs }: Operation): string {
  const condition = expected === undefined ? '' : ` if ${JSON.stringify(expected)}`
  const asked = what === 'put' ? `put ${value}${condition}` : `${what}${condition}`
  return `${client}: ${asked} -> ${JSON.stringify(outcome)} (${invokedMs.toFixed(1)} to ${answeredMs.toFixed(1)} ms)`
}
