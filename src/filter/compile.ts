import { isObject } from '../kernel/plain.ts'
import { isRefused, type Result, refuse } from '../kernel/refusal.ts'
import { compileRegexp } from '../kernel/regexp.ts'
import { type Field, type Fields, OPERATORS } from './fields.ts'
import type { Expression, Match } from './syntax.ts'
import type { Work } from './work.ts'

/** Whether a value, as it is shown as JSON, is what an expression asks for. Throws `OutOfWork`. */
export type Predicate = (value: unknown, work: Work) => boolean

/** Checks all selectors, operators and values; refused with Consul's text for the first that is wrong. */
export function compile(expression: Expression, fields: Fields): Result<Predicate> {
  if (expression.kind === 'match') return compileMatch(expression, fields)
  if (expression.kind === 'not') {
    const inner = compile(expression.of, fields)
    return isRefused(inner) ? inner : (value, work) => !inner(value, work)
  }
  const parts: Predicate[] = []
  for (const part of expression.of) {
    const compiled = compile(part, fields)
    if (isRefused(compiled)) return compiled
    parts.push(compiled)
  }
  return expression.kind === 'or'
    ? (value, work) => parts.some((part) => part(value, work))
    : (value, work) => parts.every((part) => part(value, work))
}

function compileMatch(match: Match, fields: Fields): Result<Predicate> {
  const steps: Step[] = []
  let field: Field = { kind: 'record', of: fields }
  for (const [at, name] of match.path.entries()) {
    const next = below(field, name)
    if (!next) return refuse('invalid', `Selector ${quoted(match.path.slice(0, at + 1))} is not valid`)
    steps.push({ into: field.kind, name })
    field = next
  }
  const { operator } = match
  if (!OPERATORS[field.kind].includes(operator)) {
    return refuse('invalid', `Invalid match operator ${JSON.stringify(operator)} for selector ${quoted(match.path)}`)
  }
  const test = testOf(match, field)
  return isRefused(test) ? test : walking(steps, 0, test, ANSWER_WITHOUT_KEY[operator])
}

/** A selector's name and what it is looked up in. */
type Step = { into: Field['kind']; name: string }

/** What a comparison with a key's value answers where a map has no such key. */
const ANSWER_WITHOUT_KEY: Readonly<Record<Match['operator'], boolean>> = {
  Equal: false,
  'Not Equal': true,
  In: false,
  'Not In': true,
  'Is Empty': true,
  'Is Not Empty': false,
  Matches: false,
  'Not Matches': true,
}

function below(field: Field, name: string): Field | undefined {
  if (field.kind === 'map') return field.of
  if (field.kind !== 'record' && field.kind !== 'records') return undefined
  return Object.hasOwn(field.of, name) ? field.of[name] : undefined
}

function walking(steps: readonly Step[], at: number, test: Predicate, withoutKey: boolean): Predicate {
  const step = steps[at]
  if (!step) return test
  const rest = walking(steps, at + 1, test, withoutKey)
  const { into, name } = step
  const inRecord: Predicate = (value, work) => rest(memberOf(value, name), work)
  if (into === 'map') return (value, work) => (isObject(value) && Object.hasOwn(value, name) ? inRecord(value, work) : withoutKey)
  return into === 'records' ? (value, work) => Array.isArray(value) && value.some((item) => inRecord(item, work)) : inRecord
}

function testOf({ operator, path, value = '' }: Match, field: Field): Result<Predicate> {
  const positive = positiveTestOf(operator.replace('Not ', ''), field, path, value)
  if (isRefused(positive) || !operator.includes('Not')) return positive
  return (shown, work) => !positive(shown, work)
}

function positiveTestOf(operator: string, field: Field, path: Match['path'], value: string): Result<Predicate> {
  if (operator === 'Is Empty') return (shown) => sizeOf(shown) === 0
  if (operator === 'Matches') {
    const pattern = compileRegexp(value)
    if (isRefused(pattern)) return refuse('invalid', `Failed to compile regular expression ${JSON.stringify(value)}: ${pattern.why}`)
    return (shown, work) => {
      const text = textOf(shown)
      work.spend((text.length + 1) * pattern.size)
      return pattern.matches(text)
    }
  }
  if (operator === 'In') return containing(field, value)
  if (field.kind === 'text') return (shown) => textOf(shown) === value
  const wanted = field.kind === 'number' ? wholeNumberOf(value) : booleanOf(value)
  if (isRefused(wanted))
    return refuse('invalid', `Failed to coerce value ${JSON.stringify(value)} for selector ${quoted(path)}: ${wanted.why}`)
  return typeof wanted === 'boolean'
    ? (shown) => (shown === true) === wanted
    : (shown) => BigInt(typeof shown === 'number' ? shown : 0) === wanted
}

function containing(field: Field, value: string): Predicate {
  if (field.kind === 'texts') return (shown) => Array.isArray(shown) && shown.includes(value)
  if (field.kind === 'map') return (shown) => isObject(shown) && Object.hasOwn(shown, value)
  return (shown, work) => {
    const text = textOf(shown)
    work.spend(text.length)
    return text.includes(value)
  }
}

function memberOf(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function sizeOf(value: unknown): number {
  if (Array.isArray(value)) return value.length
  return isObject(value) ? Object.keys(value).length : 0
}

/** As Go's `strconv.ParseInt` reads it, with any base's prefix, in 64 bits. */
function wholeNumberOf(text: string): Result<bigint> {
  const [, sign, prefix = '', digits] = /^([+-]?)(0[xX]_?|0[oO]_?|0[bB]_?|0_?(?=\d))?(\w+)$/.exec(text) ?? []
  const base = prefix === '' ? 10 : (BASES[prefix[1]?.toLowerCase() ?? ''] ?? 8)
  if (digits === undefined || !DIGITS[base]?.test(digits)) return notANumber(text, 'invalid syntax')
  const plain = digits.replaceAll('_', '')
  const size = BigInt(base === 10 ? plain : `0${base === 16 ? 'x' : base === 2 ? 'b' : 'o'}${plain}`)
  const value = sign === '-' ? -size : size
  return BigInt.asIntN(64, value) === value ? value : notANumber(text, 'value out of range')
}

const BASES: Readonly<Record<string, number>> = { x: 16, o: 8, b: 2 }
const DIGITS: Readonly<Record<number, RegExp>> = {
  2: /^[01]+(_[01]+)*$/,
  8: /^[0-7]+(_[0-7]+)*$/,
  10: /^\d+(_\d+)*$/,
  16: /^[\da-fA-F]+(_[\da-fA-F]+)*$/,
}

function notANumber(text: string, why: string): Result<never> {
  return refuse('invalid', `strconv.ParseInt: parsing ${JSON.stringify(text)}: ${why}`)
}

function booleanOf(text: string): Result<boolean> {
  if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true
  if (/^(0|f|F|FALSE|false|False)$/.test(text)) return false
  return refuse('invalid', `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`)
}

function quoted(path: readonly string[]): string {
  return JSON.stringify(path.join('.'))
}
