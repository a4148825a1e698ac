import { isRefused, type Result, refuse } from '../kernel/refusal.ts'
import { compile, type Predicate } from './compile.ts'
import type { Fields } from './fields.ts'
import { parseFilter } from './parse.ts'
import { OutOfWork, Work } from './work.ts'

/** Those of the items, in the form in which they are shown as JSON, for which the expression holds; refused if that needs too much work. */
export type Filter = <T>(items: readonly T[]) => Result<T[]>

/** Filters of one kind of item; the ones that were used last are kept. */
export type FilterCompiler = (expression: string) => Result<Filter>

const KEPT_MAX = 64
/** Longer expressions are compiled each time. */
const KEPT_LENGTH_MAX = 2_048
/** In characters. */
const LENGTH_MAX = 65_536
/** About half a second. */
const STEPS_MAX = 20_000_000

/** Compiles filter expressions for items that have these fields. Refused with Consul's text. Source: http-api §0.3. */
export function filterCompiler(fields: Fields): FilterCompiler {
  const kept = new Map<string, Filter>()
  return (expression) => {
    const known = kept.get(expression)
    if (known) {
      kept.delete(expression)
      kept.set(expression, known)
      return known
    }
    const filter = compiled(expression, fields)
    if (isRefused(filter)) return filter
    if (expression.length <= KEPT_LENGTH_MAX) kept.set(expression, filter)
    if (kept.size > KEPT_MAX) kept.delete(kept.keys().next().value ?? '')
    return filter
  }
}

function compiled(text: string, fields: Fields): Result<Filter> {
  const expression = text.length > LENGTH_MAX ? refuse('invalid', `expression is longer than ${LENGTH_MAX} characters`) : parseFilter(text)
  const predicate = isRefused(expression) ? expression : compile(expression, fields)
  if (isRefused(predicate)) return refuse('invalid', `Failed to create boolean expression evaluator: ${predicate.why}`)
  return (items) => kept(items, predicate)
}

function kept<T>(items: readonly T[], predicate: Predicate): Result<T[]> {
  const work = new Work(STEPS_MAX)
  try {
    return items.filter((item) => predicate(item, work))
  } catch (error) {
    if (error instanceof OutOfWork)
      return refuse('busy', `Filter expression needs more than ${STEPS_MAX} steps; narrow the list or the expression`)
    throw error
  }
}
