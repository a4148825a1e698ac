import { RE2JS, RE2JSException } from 're2js'
import { type Result, refuse } from './refusal.ts'

/** A compiled regular expression. Matching takes time proportional to the length of the text, whatever the expression. */
export type Regexp = {
  /** Whether it matches anywhere in the text. */
  matches(text: string): boolean
  /** The leftmost match and then its groups, '' for those that took no part; undefined if there is none. */
  groups(text: string): string[] | undefined
  /** How large its program is: what a match costs for each character, at most. */
  size: number
}

/**
 * Compiles an expression in Go's syntax (RE2: no look-around, no references back). Refused with `invalid` in Go's words:
 * `error parsing regexp: …`.
 */
export function compileRegexp(source: string): Result<Regexp> {
  if (source.length * repetitionsOf(source) > SIZE_MAX) return refuse('invalid', 'error parsing regexp: expression too large')
  let program: RE2JS
  try {
    program = RE2JS.compile(source)
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error
    return refuse('invalid', error.message.replace(/(trailing backslash at end of expression)$/, '$1: ``'))
  }
  return {
    size: program.programSize(),
    matches: (text) => program.matcher(text).find(),
    groups(text) {
      const matcher = program.matcher(text)
      if (!matcher.find()) return undefined
      return Array.from({ length: matcher.groupCount() + 1 }, (_, group) => matcher.group(group) ?? '')
    },
  }
}

/** What an expression could become, in characters, once its repetitions are written out: compiling that takes tenths of a second. */
const SIZE_MAX = 100_000
/** Nested repetitions beyond this are refused by the syntax. */
const REPETITIONS_MAX = 1_000

/** How often a part of the expression is there at most. */
function repetitionsOf(source: string): number {
  let count = 1
  for (const [, least = '1', most] of source.matchAll(/\{(\d{1,4})(?:,(\d{0,4}))?\}/g)) {
    count = Math.min(REPETITIONS_MAX, count * Math.max(1, Number(least), Number(most ?? 0)))
  }
  return count
}
