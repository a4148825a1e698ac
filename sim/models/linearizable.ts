import { type Operation, operationText } from '../history.ts'
import { contradiction } from './zones.ts'

/** What a check of a history found. `gaveUp`: it was too tangled, which says nothing either way. */
export type Verdict = { fault: string | undefined; gaveUp: boolean; steps: number }

/** How many steps a search may take before it gives up. */
const STEPS_MAX = 200_000

/**
 * Whether the operations on one register can be put into an order in which each happens at one moment between its invocation
 * and its answer. Operations without an answer may happen at any time after their invocation, or never. `fault` says what could
 * not be explained.
 *
 * Wing and Gong's search with Lowe's memory of states already tried (Testing for linearizability, 2017). What keeps it short:
 * a read or a failed condition is taken as soon as it fits; a value that is still to be seen, and that nobody else
 * writes, is not overwritten; values that nobody sees are one value; and an operation without an answer is only taken right before
 * one that needs it.
 */
export function checkHistory(operations: readonly Operation[], stepsMax = STEPS_MAX): Verdict {
  const wrong = contradiction(operations)
  if (wrong) return { fault: faultText(wrong), gaveUp: false, steps: 0 }
  const search = new Search(operations, stepsMax)
  const explained = search.explains(search.start)
  if (search.gaveUp) return { fault: undefined, gaveUp: true, steps: search.steps }
  return { fault: explained ? undefined : search.fault(), gaveUp: false, steps: search.steps }
}

/** The fault alone; a history that is too tangled has none. */
export function linearizabilityFault(operations: readonly Operation[]): string | undefined {
  return checkHistory(operations).fault
}

/** A value that nobody ever saw or expected, whichever it is. */
const UNSEEN = Symbol('unseen')
type Value = string | null | typeof UNSEEN

/** An operation as the search looks at it. */
type Move = {
  operation: Operation
  invokedMs: number
  answeredMs: number
  /** What it writes; undefined: nothing. */
  writes: Value | undefined
  expected: Value | undefined
  isDone: boolean
  /** Of two operations that nobody heard of again and that do the same, only the earlier one need be tried. */
  sameAs: string
  /** When what it writes is first seen to have been there; writes that nobody sees come first. */
  seenMs: number
}

type State = {
  value: Value
  /** The first answered operation that may not be done yet. */
  first: number
  left: number
  /** The value before an operation without an answer that was taken last: what comes next must not have been possible then. */
  before: Value | undefined
}

class Search {
  readonly start: State
  gaveUp = false
  steps = 0
  readonly #stepsMax: number
  readonly #answered: Move[]
  readonly #unanswered: Move[]
  /** How many operations that are not done yet need to find a value, and how many could still write it. */
  readonly #toBeSeen = new Map<Value, number>()
  readonly #writers = new Map<Value, number>()
  readonly #tried = new Set<string>()
  #leftLeast = Number.POSITIVE_INFINITY
  #stuckAt: Operation | undefined

  constructor(operations: readonly Operation[], stepsMax: number) {
    this.#stepsMax = stepsMax
    const seenMs = whenSeen(operations)
    const moves = operations.filter(mayMatter).map((operation) => moveOf(operation, seenMs))
    moves.sort((a, b) => a.invokedMs - b.invokedMs)
    this.#answered = moves.filter(({ answeredMs }) => answeredMs !== Number.POSITIVE_INFINITY)
    this.#unanswered = moves.filter(({ answeredMs }) => answeredMs === Number.POSITIVE_INFINITY)
    for (const move of moves) {
      if (needs(move) !== undefined) add(this.#toBeSeen, needs(move) as Value, 1)
      if (move.writes !== undefined) add(this.#writers, move.writes, 1)
    }
    this.start = { value: null, first: 0, left: this.#answered.length, before: undefined }
  }

  /** Whether everything that is left can follow from here. */
  explains({ value, first, left, before }: State): boolean {
    const taken: Move[] = []
    let at = first
    let earliestMs = 0
    for (;;) {
      while (at < this.#answered.length && (this.#answered[at] as Move).isDone) at++
      earliestMs = this.#earliestAnswerMs(at)
      const free = this.#findFree(at, earliestMs, value)
      if (!free) break
      this.#take(free)
      taken.push(free)
    }
    const leftNow = left - taken.length
    const state: State = { value, first: at, left: leftNow, before: taken.length > 0 ? undefined : before }
    if (leftNow === 0 || this.#branches(state, earliestMs)) return true
    if (this.gaveUp) return false
    for (const move of taken) this.#untake(move)
    return false
  }

  fault(): string {
    return this.#stuckAt ? faultText(this.#stuckAt) : 'no order explains what was acknowledged'
  }

  #branches(state: State, earliestMs: number): boolean {
    const { value, first, left, before } = state
    if (++this.steps > this.#stepsMax) {
      this.gaveUp = true
      return false
    }
    const memory = this.#memory(state)
    if (this.#tried.has(memory)) return false
    this.#tried.add(memory)
    for (const move of this.#candidates(first, earliestMs)) {
      const after = step(value, move)
      if (after === undefined || (before !== undefined && !wasNeeded(before, value, move)) || this.#isNeededStill(value, after, move))
        continue
      this.#take(move)
      if (this.explains({ value: after, first, left: left - 1, before: undefined })) return true
      if (this.gaveUp) return false
      this.#untake(move)
    }
    if (this.#unansweredHelps(state, earliestMs)) return true
    if (left < this.#leftLeast && !this.gaveUp) {
      this.#leftLeast = left
      const undone = this.#answered.filter(({ isDone }) => !isDone)
      const stuck = undone.find((move) => needs(move) === value) ?? undone.find(({ answeredMs }) => answeredMs === earliestMs)
      this.#stuckAt = stuck?.operation
    }
    return false
  }

  /** Tries what nobody heard of again: it happened now, right before something that needs it. */
  #unansweredHelps({ value, first, left, before }: State, earliestMs: number): boolean {
    const tried = new Set<string>()
    for (const move of this.#unanswered) {
      if (move.invokedMs > earliestMs) break
      if (move.isDone || tried.has(move.sameAs)) continue
      tried.add(move.sameAs)
      const after = step(value, move)
      if (after === undefined || after === value || this.#isNeededStill(value, after, move)) continue
      if (before !== undefined && !wasNeeded(before, value, move)) continue
      this.#take(move)
      if (this.explains({ value: after, first, left, before: value })) return true
      if (this.gaveUp) return false
      this.#untake(move)
    }
    return false
  }

  /** An operation that fits and never changes anything: whatever comes later, it may as well have come now. */
  #findFree(first: number, earliestMs: number, value: Value): Move | undefined {
    for (let at = first; at < this.#answered.length; at++) {
      const move = this.#answered[at] as Move
      if (move.invokedMs > earliestMs) return undefined
      if (!move.isDone && changesNothing(move) && step(value, move) === value) return move
    }
    return undefined
  }

  #candidates(first: number, earliestMs: number): Move[] {
    const found: Move[] = []
    for (let at = first; at < this.#answered.length; at++) {
      const move = this.#answered[at] as Move
      if (move.invokedMs > earliestMs) break
      if (!move.isDone && move.operation.do !== 'get') found.push(move)
    }
    return found.length > 1 ? found.sort((a, b) => a.seenMs - b.seenMs || a.answeredMs - b.answeredMs) : found
  }

  #earliestAnswerMs(first: number): number {
    let earliestMs = Number.POSITIVE_INFINITY
    for (let at = first; at < this.#answered.length; at++) {
      const { isDone, invokedMs, answeredMs } = this.#answered[at] as Move
      if (invokedMs > earliestMs) break
      if (!isDone && answeredMs < earliestMs) earliestMs = answeredMs
    }
    return earliestMs
  }

  /** Whether somebody has still to see a value that would be gone for good. */
  #isNeededStill(value: Value, after: Value, move: Move): boolean {
    if (after === value || (this.#writers.get(value) ?? 0) > 0) return false
    return (this.#toBeSeen.get(value) ?? 0) > (needs(move) === value ? 1 : 0)
  }

  #take(move: Move): void {
    move.isDone = true
    this.#count(move, -1)
  }

  #untake(move: Move): void {
    move.isDone = false
    this.#count(move, 1)
  }

  #count(move: Move, by: number): void {
    const needed = needs(move)
    if (needed !== undefined) add(this.#toBeSeen, needed, by)
    if (move.writes !== undefined) add(this.#writers, move.writes, by)
  }

  /** The state as a text: what is done, and the value. */
  #memory({ value, first, before }: State): string {
    let text = `${valueText(value)}|${before === undefined ? '' : valueText(before)}|${first}|`
    let last = this.#answered.length
    while (last > first && !(this.#answered[last - 1] as Move).isDone) last--
    let bits = 1
    for (let at = first; at < last; at++) {
      bits = (bits << 1) | ((this.#answered[at] as Move).isDone ? 1 : 0)
      if (bits >= 1 << 15) {
        text += String.fromCharCode(bits)
        bits = 1
      }
    }
    text += `${bits}|`
    for (const [at, { isDone }] of this.#unanswered.entries()) if (isDone) text += `${at},`
    return text
  }
}

/** A read that nobody heard of again says nothing. */
function mayMatter({ do: what, answeredMs }: Operation): boolean {
  return what !== 'get' || answeredMs !== Number.POSITIVE_INFINITY
}

/** A read, or a write whose condition did not hold. */
function changesNothing({ operation: { do: what, outcome } }: Move): boolean {
  return what === 'get' || outcome === false
}

/** When each value was first seen or expected by somebody. */
function whenSeen(operations: readonly Operation[]): Map<string | null, number> {
  const seen = new Map<string | null, number>()
  for (const { do: what, outcome, expected, answeredMs } of operations) {
    const value = what === 'get' ? (outcome as string | null) : expected
    if (value !== undefined) seen.set(value, Math.min(answeredMs, seen.get(value) ?? Number.POSITIVE_INFINITY))
  }
  return seen
}

function moveOf(operation: Operation, seenMs: Map<string | null, number>): Move {
  const { do: what, value, expected, invokedMs, answeredMs } = operation
  const known = (text: string | null): Value => (text === null || seenMs.has(text) ? text : UNSEEN)
  const writes = what === 'get' ? undefined : what === 'put' ? known(value) : null
  return {
    operation,
    invokedMs,
    answeredMs,
    writes,
    expected,
    isDone: false,
    sameAs: `${writes === undefined ? '' : valueText(writes)}|${expected === undefined ? '' : valueText(expected)}`,
    seenMs: writes === undefined || writes === UNSEEN ? 0 : (seenMs.get(writes) ?? 0),
  }
}

/** The value that an answered operation must have found. */
function needs({ operation: { do: what, outcome }, expected, answeredMs }: Move): Value | undefined {
  if (answeredMs === Number.POSITIVE_INFINITY) return undefined
  if (what === 'get') return outcome as string | null
  // Deleting what is not there succeeds whatever the condition.
  return outcome === true && what === 'put' ? expected : undefined
}

/** The register after the operation, or undefined if it cannot happen now with the outcome it had. */
function step(value: Value, { operation: { do: what, outcome }, writes, expected, answeredMs }: Move): Value | undefined {
  if (what === 'get') return outcome === value ? value : undefined
  const fits = expected === undefined || expected === value || (what === 'delete' && value === null)
  if (answeredMs !== Number.POSITIVE_INFINITY && outcome !== fits) return undefined
  return fits ? (writes as Value) : value
}

/** Whether the operation without an answer that made `value` out of `before` matters to the one that follows it. */
function wasNeeded(before: Value, value: Value, move: Move): boolean {
  const otherwise = step(before, move)
  const now = step(value, move)
  if (otherwise === undefined) return true
  return (otherwise === before) !== (now === value) || (now !== value && now !== otherwise)
}

function add(counts: Map<Value, number>, value: Value, by: number): void {
  counts.set(value, (counts.get(value) ?? 0) + by)
}

function valueText(value: Value): string {
  return value === UNSEEN ? '?' : value === null ? '-' : `=${value}`
}

function faultText(operation: Operation): string {
  return `${operationText(operation)} fits no order of what was acknowledged`
}
