import { isRefused, type Result } from './refusal.ts'
import { type Assertion, type CodeTest, parseRegexp, type RegexpNode } from './regexp-syntax.ts'

/** A compiled regular expression. Matching takes time proportional to the length of the text, whatever the expression. */
export type Regexp = {
  /** Whether it matches anywhere in the text. */
  matches(text: string): boolean
  /** The leftmost match and then its groups, '' for those that took no part; undefined if there is none. */
  groups(text: string): string[] | undefined
}

/**
 * Compiles an expression in Go's syntax (RE2: no look-around, no references back). Refused with `invalid` in Go's words:
 * `error parsing regexp: …`. Source of the method: R. Cox, "Regular Expression Matching: the Virtual Machine Approach".
 */
export function compileRegexp(source: string): Result<Regexp> {
  const parsed = parseRegexp(source)
  if (isRefused(parsed)) return parsed
  const program: Step[] = []
  emit(program, { kind: 'group', number: 0, inner: parsed.node })
  program.push({ do: 'match' })
  const slotCount = 2 * (parsed.groupCount + 1)
  return {
    matches: (text) => search(program, codesOf(text), 0) !== undefined,
    groups(text) {
      const codes = codesOf(text)
      const found = search(program, codes, slotCount)
      if (found === undefined) return undefined
      const groups: string[] = []
      for (let slot = 0; slot < slotCount; slot += 2) {
        const from = found[slot]!
        groups.push(from < 0 ? '' : String.fromCodePoint(...codes.slice(from, found[slot + 1])))
      }
      return groups
    },
  }
}

type Step =
  | { do: 'take'; test: CodeTest }
  /** Goes on at `first`, and at `second` if that leads nowhere. */
  | { do: 'split'; first: number; second: number }
  | { do: 'jump'; to: number }
  | { do: 'save'; slot: number }
  | { do: 'assert'; what: Assertion }
  | { do: 'match' }

function emit(program: Step[], node: RegexpNode): void {
  switch (node.kind) {
    case 'empty':
      return
    case 'take':
      program.push({ do: 'take', test: node.test })
      return
    case 'assert':
      program.push({ do: 'assert', what: node.what })
      return
    case 'group':
      program.push({ do: 'save', slot: 2 * node.number })
      emit(program, node.inner)
      program.push({ do: 'save', slot: 2 * node.number + 1 })
      return
    case 'sequence':
      for (const part of node.parts) emit(program, part)
      return
    case 'choice':
      emitChoice(program, node.options)
      return
    case 'repeat':
      emitRepeat(program, node)
  }
}

function emitChoice(program: Step[], options: readonly RegexpNode[]): void {
  const ends: number[] = []
  options.forEach((option, position) => {
    if (position === options.length - 1) {
      emit(program, option)
      return
    }
    const split = program.push({ do: 'jump', to: 0 }) - 1
    emit(program, option)
    ends.push(program.push({ do: 'jump', to: 0 }) - 1)
    program[split] = { do: 'split', first: split + 1, second: program.length }
  })
  for (const end of ends) program[end] = { do: 'jump', to: program.length }
}

function emitRepeat(program: Step[], { inner, min, max, greedy }: Extract<RegexpNode, { kind: 'repeat' }>): void {
  for (let count = 0; count < min; count++) emit(program, inner)
  const split = (at: number, on: number, past: number): void => {
    program[at] = greedy ? { do: 'split', first: on, second: past } : { do: 'split', first: past, second: on }
  }
  if (max === Number.POSITIVE_INFINITY) {
    const at = program.push({ do: 'jump', to: 0 }) - 1
    emit(program, inner)
    program.push({ do: 'jump', to: at })
    split(at, at + 1, program.length)
    return
  }
  const splits: number[] = []
  for (let count = min; count < max; count++) {
    splits.push(program.push({ do: 'jump', to: 0 }) - 1)
    emit(program, inner)
  }
  for (const at of splits) split(at, at + 1, program.length)
}

/** The positions where groups begin and end in the first match of the leftmost ones, -1 where a group took no part. */
function search(program: readonly Step[], codes: readonly number[], slotCount: number): number[] | undefined {
  let now = new Threads(program.length)
  let next = new Threads(program.length)
  let found: number[] | undefined
  for (let at = 0; at <= codes.length; at++) {
    if (found === undefined) follow(program, codes, now, 0, at, new Array<number>(slotCount).fill(-1))
    if (now.size === 0 && found !== undefined) break
    next.clear()
    for (let order = 0; order < now.size; order++) {
      const position = now.positions[order]!
      const slots = now.slots[order]!
      const step = program[position]!
      if (step.do === 'match') {
        if (slotCount === 0) return slots
        found = slots
        break
      }
      if (step.do === 'take' && at < codes.length && step.test(codes[at]!)) follow(program, codes, next, position + 1, at + 1, slots)
    }
    const done = now
    now = next
    next = done
  }
  return found
}

/** Steps that wait for a character, in the order in which they count. */
class Threads {
  readonly positions: number[]
  readonly slots: number[][] = []
  readonly #marks: Uint32Array
  #round = 1
  size = 0

  constructor(steps: number) {
    this.positions = []
    this.#marks = new Uint32Array(steps)
  }

  clear(): void {
    this.size = 0
    this.#round += 1
  }

  /** Whether this is the first visit to a step since the last `clear`. */
  visit(position: number): boolean {
    if (this.#marks[position] === this.#round) return false
    this.#marks[position] = this.#round
    return true
  }

  add(position: number, slots: number[]): void {
    this.positions[this.size] = position
    this.slots[this.size] = slots
    this.size += 1
  }
}

/** Adds every step that waits for a character and can be reached from `start` without one. */
function follow(program: readonly Step[], codes: readonly number[], threads: Threads, start: number, at: number, from: number[]): void {
  const pending: { position: number; slots: number[] }[] = [{ position: start, slots: from }]
  for (let top = pending.pop(); top !== undefined; top = pending.pop()) {
    const { position, slots } = top
    if (!threads.visit(position)) continue
    const step = program[position]!
    switch (step.do) {
      case 'jump':
        pending.push({ position: step.to, slots })
        break
      case 'split':
        pending.push({ position: step.second, slots }, { position: step.first, slots })
        break
      case 'save':
        pending.push({ position: position + 1, slots: step.slot < slots.length ? slots.with(step.slot, at) : slots })
        break
      case 'assert':
        if (holds(step.what, codes, at)) pending.push({ position: position + 1, slots })
        break
      default:
        threads.add(position, slots)
    }
  }
}

function holds(what: Assertion, codes: readonly number[], at: number): boolean {
  switch (what) {
    case 'text-begin':
      return at === 0
    case 'text-end':
      return at === codes.length
    case 'line-begin':
      return at === 0 || codes[at - 1] === NEWLINE
    case 'line-end':
      return at === codes.length || codes[at] === NEWLINE
    case 'word-edge':
      return isWord(codes[at - 1]) !== isWord(codes[at])
    case 'no-word-edge':
      return isWord(codes[at - 1]) === isWord(codes[at])
  }
}

const NEWLINE = 10

function isWord(code: number | undefined): boolean {
  return code !== undefined && code < 128 && /\w/.test(String.fromCharCode(code))
}

function codesOf(text: string): number[] {
  return Array.from(text, (character) => character.codePointAt(0) ?? 0)
}
