import type { Narrowing } from '../../actors/catalog/queries.ts'
import { parseDuration } from '../config/durations.ts'
import { DEPTH_MAX, isTooDeep } from '../config/tree.ts'
import { isRefused, type Refusal, refuse } from '../kernel/refusal.ts'
import { jsonProblem } from './json-problem.ts'
import type { EdgeSettings } from './route.ts'

/** What a request narrows a list of nodes or instances down to. */
export function narrowingOf(query: URLSearchParams, { node }: EdgeSettings): Narrowing {
  if (query.size === 0) return {}
  const near = query.get('near') ?? ''
  return {
    tags: query.getAll('tag').filter((tag) => tag !== ''),
    nodeMeta: [...new Map(query.getAll('node-meta').map(metaPairOf))],
    near: near === '_agent' ? node : near,
  }
}

/** `key:value`; of one key the last value counts. */
function metaPairOf(written: string): [key: string, value: string] {
  const at = written.indexOf(':')
  return at < 0 ? [written, ''] : [written.slice(0, at), written.slice(at + 1)]
}

/** Whether `max_stale` lets an answer be older than now. */
export function isStaleAllowed(query: URLSearchParams): boolean {
  return maxStaleOf(query) > 0
}

/** How old `max_stale` lets an answer be, in ms; 0 if it says nothing. */
export function maxStaleOf(query: URLSearchParams): number {
  const written = query.get('max_stale')
  const ageMs = written ? parseDuration(written) : 0
  return isRefused(ageMs) ? 0 : ageMs
}

/** A switch as Go's `strconv.ParseBool` reads it; undefined for anything else. */
export function parseBool(text: string): boolean | undefined {
  if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true
  return /^(0|f|F|FALSE|false|False)$/.test(text) ? false : undefined
}

/**
 * A body of JSON; refused with the text that follows `Request decode failed: `, in Go's words. What is nested deeper than any
 * definition is refused too: it would have to be packed for another thread, and that takes stack.
 */
export function jsonOf(body: Buffer): { value: unknown } | Refusal {
  const text = body.toString('utf8')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return refuse('invalid', jsonProblem(body))
    throw error
  }
  return mayBeDeep(body) && isTooDeep(value) ? refuse('invalid', 'exceeded max depth') : { value }
}

/** Counts brackets, whatever they stand in: most bodies have too few of them to be worth a closer look. */
function mayBeDeep(body: Buffer): boolean {
  let opened = 0
  for (const byte of body) if ((byte === 0x5b || byte === 0x7b) && ++opened > DEPTH_MAX) return true
  return false
}
