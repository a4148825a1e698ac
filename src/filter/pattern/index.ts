import { isRefused, type Result } from '../../kernel/refusal.ts'
import type { Work } from '../work.ts'
import { assemble } from './assemble.ts'
import { parsePattern } from './parse.ts'
import { run } from './run.ts'

/**
 * A regular expression of RE2's syntax, as Go reads it: whether it matches anywhere in a text. Time grows with the text and the
 * pattern and never faster, so no pattern can hold up a thread; all of it is taken from `work`. Refused with Go's text.
 */
export function compilePattern(pattern: string): Result<(text: string, work: Work) => boolean> {
  const parsed = parsePattern(pattern)
  if (isRefused(parsed)) return parsed
  const program = assemble(parsed)
  return isRefused(program) ? program : (text, work) => run(program, text, work)
}
