import { type Result, refuse } from '../kernel/refusal.ts'

/**
 * Reads a duration as Go writes it, such as `1h30m`, `500ms`, `-1.5s` or `0`. The answer is in milliseconds, with a fraction
 * for anything shorter. Refuses with Go's own text: `time: invalid duration "x"`, `time: missing unit in duration "5"`,
 * `time: unknown unit "y" in duration "5y"`. Source: Go's `time.ParseDuration`.
 */
export function parseDuration(text: string): Result<number> {
  const invalid = refuse('invalid', `time: invalid duration ${JSON.stringify(text)}`)
  const negative = text.startsWith('-')
  let remaining = /^[+-]/.test(text) ? text.slice(1) : text
  if (remaining === '0') return 0
  if (remaining === '') return invalid
  let totalNanoseconds = 0n
  while (remaining !== '') {
    const number = /^(\d*)(?:\.(\d*))?/.exec(remaining)
    const whole = number?.[1] ?? ''
    const fraction = number?.[2] ?? ''
    if (whole === '' && fraction === '') return invalid
    remaining = remaining.slice(number?.[0].length ?? 0)
    const unit = /^[^.\d]*/.exec(remaining)?.[0] ?? ''
    if (unit === '') return refuse('invalid', `time: missing unit in duration ${JSON.stringify(text)}`)
    const unitNanoseconds = NANOSECONDS[unit]
    if (unitNanoseconds === undefined) {
      return refuse('invalid', `time: unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(text)}`)
    }
    remaining = remaining.slice(unit.length)
    // Fifteen digits after the point are more than an hour's nanoseconds can show.
    const shown = fraction.slice(0, FRACTION_DIGITS_MAX)
    totalNanoseconds += BigInt(whole || '0') * unitNanoseconds
    totalNanoseconds += (BigInt(shown || '0') * unitNanoseconds) / 10n ** BigInt(shown.length)
    if (totalNanoseconds > NANOSECONDS_MAX) return invalid
  }
  const ms = Number(totalNanoseconds / MILLISECOND) + Number(totalNanoseconds % MILLISECOND) / 1e6
  return negative && ms !== 0 ? -ms : ms
}

/** Writes milliseconds as Go does: `0s`, `1.5ms`, `1m0s`, `72h0m0s`. Source: Go's `time.Duration.String`. */
export function formatDuration(ms: number): string {
  const wholeMs = Math.trunc(Math.abs(ms))
  const nanoseconds = BigInt(wholeMs) * MILLISECOND + BigInt(Math.round((Math.abs(ms) - wholeMs) * 1e6))
  const sign = ms < 0 && nanoseconds > 0n ? '-' : ''
  if (nanoseconds === 0n) return '0s'
  if (nanoseconds < 1_000n) return `${sign}${nanoseconds}ns`
  if (nanoseconds < 1_000_000n) return `${sign}${decimal(nanoseconds, 3)}µs`
  if (nanoseconds < 1_000_000_000n) return `${sign}${decimal(nanoseconds, 6)}ms`
  const minutes = nanoseconds / MINUTE
  const seconds = `${decimal(nanoseconds % MINUTE, 9)}s`
  if (minutes === 0n) return sign + seconds
  if (minutes < 60n) return `${sign}${minutes}m${seconds}`
  return `${sign}${minutes / 60n}h${minutes % 60n}m${seconds}`
}

const MILLISECOND = 1_000_000n
const SECOND = 1_000_000_000n
const MINUTE = 60n * SECOND
const NANOSECONDS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n, // micro sign
  μs: 1_000n, // Greek letter mu
  ms: MILLISECOND,
  s: SECOND,
  m: MINUTE,
  h: 60n * MINUTE,
}
const NANOSECONDS_MAX = 2n ** 63n - 1n
const FRACTION_DIGITS_MAX = 15

/** `value` divided by 10^`places`, without trailing zeros. */
function decimal(value: bigint, places: number): string {
  const scale = 10n ** BigInt(places)
  const fraction = (value % scale).toString().padStart(places, '0').replace(/0+$/, '')
  return fraction === '' ? `${value / scale}` : `${value / scale}.${fraction}`
}
