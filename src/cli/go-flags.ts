import { parseDuration } from '../config/durations.ts'
import { isRefused } from '../kernel/refusal.ts'

/**
 * What a flag takes.
 *
 * - `string`; `int` and `uint` are whole numbers (decimal, `0x…`, `0o…`, `0b…`), `uint64` one of up to 64 bits; `duration` is Go's
 *   (`1m30s`)
 * - `boolean`: `-x`, `-x=true`, `-x=false`; never takes the next argument
 * - `limit`: a duration above 0, as in `-x=10s`; `-x` is five seconds, and never takes the next argument
 * - `strings`: may be repeated, every use adds one
 * - `pairs`: `key=value`, may be repeated, every use adds one key
 */
export type FlagKind = 'string' | 'boolean' | 'limit' | 'int' | 'uint' | 'uint64' | 'duration' | 'strings' | 'pairs'
export type FlagSpec = Readonly<Record<string, FlagKind>>

type ValueOf<Kind extends FlagKind> = Kind extends 'string'
  ? string
  : Kind extends 'boolean'
    ? boolean
    : Kind extends 'strings'
      ? string[]
      : Kind extends 'pairs'
        ? Record<string, string>
        : Kind extends 'uint64'
          ? bigint
          : number

/** Only flags that were given are present. Durations are in milliseconds. */
export type FlagValues<Spec extends FlagSpec> = { -readonly [Name in keyof Spec]?: ValueOf<Spec[Name]> }

/** `rest` are the arguments from the first one that is not a flag. Tell the two apart with `'error' in parsed`. */
export type ParsedFlags<Spec extends FlagSpec> = { flags: FlagValues<Spec>; rest: string[] } | { error: string }

/** The error for `-h` and `-help` where the spec has no such flag. */
export const HELP_REQUESTED = 'flag: help requested'

/**
 * Reads flags as Go's `flag` package does: `-x v`, `-x=v`, `--x v`, up to the first argument that is not a flag, or `--`. The
 * last use of a flag that is not repeatable wins. Errors have Go's texts: `flag provided but not defined: -zz`,
 * `invalid value "x" for flag -n: parse error`, `flag needs an argument: -n`. `aliases` are other names for flags of the spec.
 */
export function goFlags<const Spec extends FlagSpec>(
  args: readonly string[],
  spec: Spec,
  aliases: Readonly<Record<string, string>> = {},
): ParsedFlags<Spec> {
  const values = new Map<string, FlagValue>()
  let next = 0
  while (next < args.length) {
    const arg = args[next] ?? ''
    if (arg.length < 2 || !arg.startsWith('-')) break
    next += 1
    if (arg === '--') break
    const text = arg.slice(arg.startsWith('--') ? 2 : 1)
    if (/^[-=]/.test(text)) return { error: `bad flag syntax: ${arg}` }
    const equals = text.indexOf('=')
    const name = equals < 0 ? text : text.slice(0, equals)
    const own = Object.hasOwn(aliases, name) ? (aliases[name] ?? name) : name
    const kind = Object.hasOwn(spec, own) ? spec[own] : undefined
    if (kind === undefined) {
      return { error: name === 'help' || name === 'h' ? HELP_REQUESTED : `flag provided but not defined: -${name}` }
    }
    let given = equals < 0 ? undefined : text.slice(equals + 1)
    if (given === undefined && kind === 'boolean') given = 'true'
    if (given === undefined && kind === 'limit') given = LIMIT
    if (given === undefined) {
      given = args[next]
      next += 1
    }
    if (given === undefined) return { error: `flag needs an argument: -${name}` }
    const read = readers[kind](given, values.get(own))
    if ('problem' in read) {
      const what = kind === 'boolean' ? `invalid boolean value ${quoted(given)} for` : `invalid value ${quoted(given)} for flag`
      return { error: `${what} -${name}: ${read.problem}` }
    }
    values.set(own, read.value)
  }
  // Every value was made by the reader of its kind in `spec`.
  return { flags: Object.fromEntries(values) as FlagValues<Spec>, rest: args.slice(next) }
}

type FlagValue = string | boolean | number | bigint | string[] | Record<string, string>
type Read = { value: FlagValue } | { problem: string }

/** Of a limit that is not given. */
const LIMIT = '5s'
const PARSE_ERROR = 'parse error'
const OUT_OF_RANGE = 'value out of range'
const UINT64_MAX = 2n ** 64n - 1n

const readers: Record<FlagKind, (given: string, before: FlagValue | undefined) => Read> = {
  string: (given) => ({ value: given }),
  boolean: (given) => {
    if (/^(1|t|T|true|TRUE|True)$/.test(given)) return { value: true }
    if (/^(0|f|F|false|FALSE|False)$/.test(given)) return { value: false }
    return { problem: PARSE_ERROR }
  },
  int: (given) => safeNumber(given, /^[+-]?/),
  uint: (given) => safeNumber(given, /^/),
  uint64: (given) => {
    const value = wholeNumber(given, /^/)
    if (value === undefined) return { problem: PARSE_ERROR }
    return value > UINT64_MAX ? { problem: OUT_OF_RANGE } : { value }
  },
  duration: (given) => {
    const ms = parseDuration(given)
    return isRefused(ms) ? { problem: PARSE_ERROR } : { value: ms }
  },
  limit: (given) => {
    const ms = parseDuration(given)
    if (isRefused(ms)) return { problem: PARSE_ERROR }
    return ms > 0 ? { value: ms } : { problem: OUT_OF_RANGE }
  },
  strings: (given, before) => ({ value: [...(Array.isArray(before) ? before : []), given] }),
  pairs: (given, before) => {
    const equals = given.indexOf('=')
    if (equals < 0) return { problem: `Missing "=" value in argument: ${given}` }
    const pairs = new Map(typeof before === 'object' && !Array.isArray(before) ? Object.entries(before) : [])
    pairs.set(given.slice(0, equals), given.slice(equals + 1))
    return { value: Object.fromEntries(pairs) }
  },
}

/** Beyond what a double counts exactly is out of range. */
function safeNumber(given: string, signs: RegExp): Read {
  const value = wholeNumber(given, signs)
  if (value === undefined) return { problem: PARSE_ERROR }
  return Number.isSafeInteger(Number(value)) ? { value: Number(value) } : { problem: OUT_OF_RANGE }
}

/** A whole number in one of Go's notations. */
function wholeNumber(given: string, signs: RegExp): bigint | undefined {
  const sign = signs.exec(given)?.[0] ?? ''
  const digits = given.slice(sign.length)
  if (!/^(0[xX]_?[\da-fA-F]+|0[bB]_?[01]+|0[oO]?[0-7]*|[1-9](_?\d)*)$/.test(digits) || /^0[oO]$/.test(digits)) return undefined
  const plain = digits.replaceAll('_', '').toLowerCase()
  const value = BigInt(/^0[0-7]+$/.test(plain) ? `0o${plain.slice(1)}` : plain)
  return sign === '-' ? -value : value
}

function quoted(text: string): string {
  return JSON.stringify(text)
}
