import type { TraceEntry } from './protocol.ts'

/** The newest entries, the oldest first, and how many there ever were. */
export type Trace = { entries: TraceEntry[]; count: number }

const ENTRIES_MAX = 256

export function newTrace(): Trace {
  return { entries: [], count: 0 }
}

export function note(trace: Trace, entry: Omit<TraceEntry, 'number'>): void {
  trace.entries.push({ number: ++trace.count, ...entry })
  if (trace.entries.length > ENTRIES_MAX) trace.entries.shift()
}

/** About one member, or with '' about all. */
export function traceOf({ entries }: Trace, member: string): TraceEntry[] {
  return member === '' ? [...entries] : entries.filter((entry) => entry.member === member)
}
