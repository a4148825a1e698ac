import { type Result, refuse } from '../../kernel/refusal.ts'
import type { Assertion, CharacterTest, Pattern } from './syntax.ts'

/** Steps of a matcher. `next`, `either` and `or` are places in the program; the last one is the match. */
export type Instruction =
  | { do: 'take'; test: CharacterTest; next: number }
  | { do: 'check'; holds: Assertion; next: number }
  | { do: 'fork'; either: number; or: number }
  | { do: 'match' }
/** Begins at `start`. */
export type Program = { instructions: readonly Instruction[]; start: number }

const INSTRUCTIONS_MAX = 10_000

/** A pattern as a program for a machine that follows all ways at once (Thompson's construction), put together from its end. */
export function assemble(pattern: Pattern): Result<Program> {
  const instructions: Instruction[] = [{ do: 'match' }]
  const start = append(instructions, pattern, 0)
  return start === undefined ? refuse('invalid', 'error parsing regexp: expression too large') : { instructions, start }
}

/** Appends what leads through `pattern` to the place `next`; the answer is where it begins, undefined if there is no room. */
function append(instructions: Instruction[], pattern: Pattern, next: number): number | undefined {
  if (instructions.length >= INSTRUCTIONS_MAX) return undefined
  if (pattern.kind === 'character') return instructions.push({ do: 'take', test: pattern.test, next }) - 1
  if (pattern.kind === 'assertion') return instructions.push({ do: 'check', holds: pattern.holds, next }) - 1
  if (pattern.kind === 'repeat') return appendRepeat(instructions, pattern, next)
  if (pattern.kind === 'all') {
    let start: number | undefined = next
    for (const part of pattern.of.toReversed()) {
      if (start === undefined) return undefined
      start = append(instructions, part, start)
    }
    return start
  }
  let start: number | undefined
  for (const part of pattern.of.toReversed()) {
    const either = append(instructions, part, next)
    if (either === undefined) return undefined
    start = start === undefined ? either : instructions.push({ do: 'fork', either, or: start }) - 1
  }
  return start ?? next
}

function appendRepeat(instructions: Instruction[], { of, min, max }: Pattern & { kind: 'repeat' }, next: number): number | undefined {
  let start: number | undefined = next
  if (max === Number.POSITIVE_INFINITY) {
    const loop = instructions.push({ do: 'fork', either: next, or: next }) - 1
    const body = append(instructions, of, loop)
    if (body === undefined) return undefined
    instructions[loop] = { do: 'fork', either: body, or: next }
    start = loop
  } else {
    for (let times = min; times < max && start !== undefined; times++) {
      const body = append(instructions, of, start)
      start = body === undefined ? undefined : instructions.push({ do: 'fork', either: body, or: next }) - 1
    }
  }
  for (let times = 0; times < min && start !== undefined; times++) start = append(instructions, of, start)
  return start
}
