import type { Caller, Subscriber } from '../../src/kernel/protocol.ts'
import type { MemberRecord, MembershipArgs, TraceEntry } from './protocol.ts'

/** What a recording is made of: docs/gossip.md. Every line is one object of JSON; the state and requests are `written`. */
export const FORMAT = 'tribune-gossip'
export const VERSION = 1

/** The first line. `args` without keys, `state` without `args`: what the actor knew when the recording began. */
export type RecordingHeader = {
  format: typeof FORMAT
  version: typeof VERSION
  node: string
  atMs: number
  forMs: number
  /** Of all chance from here on. */
  seed: number
  args: MembershipArgs
  state: unknown
}

/** One message that the actor got, a timer and an outcome too, by whom it was sent if somebody waits or follows, and what came of it. */
export type RecordedInput = {
  atMs: number
  name: string
  from?: Caller | Subscriber
  request: unknown
  did: unknown[]
  trace: TraceEntry[]
}

/** The last line. `full`: there was no more room. `members`: what the actor knew then. */
export type RecordingEnd = { ended: 'time' | 'full'; inputs: number; members: RecordedMember[] }
export type RecordedMember = Pick<MemberRecord, 'name' | 'status' | 'incarnation'>

/** What is nested deeper is left out. Nothing that members mean is. */
const DEPTH_MAX = 32

/** Something as JSON can hold it. What JSON has no word for becomes an object with one field whose name begins with `$`. */
export function written(value: unknown, depth = 0): unknown {
  if (value === undefined) return { $none: true }
  if (typeof value === 'bigint') return { $bigint: String(value) }
  if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))) {
    return { $number: Object.is(value, -0) ? '-0' : String(value) }
  }
  if (typeof value !== 'object' || value === null) return value
  if (depth >= DEPTH_MAX) return { $none: true }
  const inner = (one: unknown) => written(one, depth + 1)
  if (Array.isArray(value)) return value.map(inner)
  if (value instanceof Uint8Array) return { $bytes: [...value] }
  if (value instanceof Set) return { $set: [...value].map(inner) }
  if (value instanceof Map) return { $map: [...value].map(([key, one]) => [inner(key), inner(one)]) }
  const pairs = Object.entries(value).map(([name, one]): [string, unknown] => [name, inner(one)])
  if (pairs.some(([name]) => name.startsWith('$'))) return { $object: pairs }
  return Object.fromEntries(pairs)
}

/** The opposite of `written`. */
export function unwritten(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(unwritten)
  const { $none, $bigint, $number, $bytes, $set, $map, $object } = value as Record<string, unknown>
  if ($none !== undefined) return undefined
  if ($bigint !== undefined) return BigInt(String($bigint))
  if ($number !== undefined) return Number($number)
  if (Array.isArray($bytes)) return Uint8Array.from($bytes)
  if (Array.isArray($set)) return new Set($set.map(unwritten))
  if (Array.isArray($map)) return new Map($map.map(([key, one]: [unknown, unknown]) => [unwritten(key), unwritten(one)]))
  const pairs = Array.isArray($object) ? ($object as [string, unknown][]) : Object.entries(value)
  return Object.fromEntries(pairs.map(([name, one]) => [name, unwritten(one)]))
}

/** Keys of networks by what stands for them in a recording. */
export type StandIns = Map<string, string>

/** A line of JSON without the keys that it names or that others named before. */
export function lineOf(value: object, standIns: StandIns): string {
  for (const key of keysIn(value)) if (!standIns.has(key)) standIns.set(key, `key-${standIns.size + 1}`)
  let line = JSON.stringify(value)
  for (const [key, standIn] of standIns) line = line.replaceAll(JSON.stringify(key).slice(1, -1), standIn)
  return line
}

/** All that stands where keys stand: in lists of them, and in requests to change them. */
function* keysIn(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null) return
  for (const [name, one] of Object.entries(value)) {
    if (LISTS_OF_KEYS.has(name) && Array.isArray(one)) yield* one.filter(isKey)
    else if (name === 'key' && isKey(one) && CHANGES.has((value as Record<string, unknown>)['do'])) yield one
    else yield* keysIn(one)
  }
}

const LISTS_OF_KEYS: ReadonlySet<string> = new Set(['keys', 'before'])
const CHANGES: ReadonlySet<unknown> = new Set(['install', 'use', 'remove'])
/** Shorter texts are none, and would be found everywhere. */
const KEY_LENGTH_MIN = 16

function isKey(value: unknown): value is string {
  return typeof value === 'string' && value.length >= KEY_LENGTH_MIN
}
