/** A time as Go's JSON has it: RFC 3339 in UTC without trailing zeros, `2026-11-23T06:39:40.5Z`. */
export function goTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.?0*Z$/, 'Z')
}
