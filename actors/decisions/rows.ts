import type { Refused, RefusedCause, RefusedRow } from './protocol.ts'

/** One row for each pair and cause, so that a flood of one kind pushes nothing else out. */
export const ROWS_MAX = 1_024
/** Of each row, so many are kept one by one. */
export const NEWEST_MAX = 8
const CAUSE_LENGTH_MAX = 500
const FIELD_LENGTH_MAX = 300

/** In the order in which they were last added to. */
export type Rows = { byKey: Map<string, RefusedRow>; index: number }

/** Counts a refusal. With too many rows, the one that nothing was added to for longest goes. */
export function add(rows: Rows, refusal: Refused): void {
  const { byKey } = rows
  const { atMs, uri, serial, from, count = 1 } = refusal
  const cause = causeOf(refusal)
  const key = JSON.stringify(cause)
  const row = byKey.get(key) ?? { ...cause, count: 0, firstMs: atMs, lastMs: atMs, newest: [], index: 0 }
  row.count += count
  row.lastMs = atMs
  row.index = ++rows.index
  row.newest.push({ atMs, uri: clipped(uri), serial: clipped(serial), from: clipped(from) })
  if (row.newest.length > NEWEST_MAX) row.newest.shift()
  byKey.delete(key)
  byKey.set(key, row)
  const [oldest] = byKey.keys()
  if (byKey.size > ROWS_MAX && oldest !== undefined) byKey.delete(oldest)
}

/**
 * Rows about a source and a destination, '' for any, the newest last. Somebody who was refused before it showed who it is may
 * have been any source.
 */
export function rowsAbout({ byKey }: Rows, source: string, destination: string): RefusedRow[] {
  return [...byKey.values()].filter(
    (row) => (source === '' || row.source === source || row.source === '') && (destination === '' || row.destination === destination),
  )
}

function causeOf({ side, source, destination, kind, cause }: Refused): RefusedCause {
  return { side, source: clipped(source), destination: clipped(destination), kind, cause: cause.slice(0, CAUSE_LENGTH_MAX) }
}

/** Others may have chosen these texts. */
function clipped(text: string): string {
  return text.slice(0, FIELD_LENGTH_MAX)
}
