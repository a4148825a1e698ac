import { type Result, refuse } from '../kernel/refusal.ts'
import type { HttpParams } from './http.ts'

/** What can be watched: where the API has it and what of the answer a handler gets. */
export type WatchKind = {
  readonly path: string
  readonly params: HttpParams
  /** The value for the handler. `body` is the answer, undefined if there is nothing there. `before` is the answer before this one. */
  value(body: unknown, before: unknown): unknown
  /** Whether the indexes of the answers grow. Those of events do not. */
  readonly grows: boolean
}

export type WatchParams = {
  readonly key?: string
  readonly name?: string
  readonly passingonly?: boolean
  readonly prefix?: string
  readonly service?: string
  readonly state?: string
  readonly tag?: readonly string[]
}

/** Refused with the reference's texts. */
export function watchKind(type: string, params: WatchParams): Result<WatchKind> {
  const kind = KINDS[type]
  if (kind === undefined) return refuse('invalid', `Unsupported watch type: ${type}`)
  const others = Object.entries(params)
    .filter(([name, value]) => isGiven(value) && !kind.takes.includes(name))
    .map(([name]) => name)
  const made = kind.make(params)
  if ('problem' in made) return refuse('invalid', made.problem)
  if (others.length > 0) return refuse('invalid', `Invalid parameters: [${others.sort().join(' ')}]`)
  return { params: {}, value: (body) => body ?? null, grows: true, ...made }
}

type Made = { path: string; params?: HttpParams; value?: WatchKind['value']; grows?: boolean } | { problem: string }
type Kind = { takes: readonly string[]; make(params: WatchParams): Made }

const KINDS: Readonly<Record<string, Kind>> = {
  key: {
    takes: ['key'],
    make: ({ key }) =>
      key
        ? { path: `/v1/kv/${key}`, value: (body) => listOf(body).map(entryOf)[0] ?? null }
        : { problem: 'Must specify a single key to watch' },
  },
  keyprefix: {
    takes: ['prefix'],
    make: ({ prefix }) =>
      prefix
        ? { path: `/v1/kv/${prefix}`, params: { recurse: '' }, value: (body) => (body === undefined ? null : listOf(body).map(entryOf)) }
        : { problem: 'Must specify a single prefix to watch' },
  },
  services: { takes: [], make: () => ({ path: '/v1/catalog/services' }) },
  nodes: { takes: [], make: () => ({ path: '/v1/catalog/nodes' }) },
  service: {
    takes: ['service', 'tag', 'passingonly'],
    make: ({ service, tag, passingonly }) =>
      service
        ? { path: `/v1/health/service/${service}`, params: { tag, passing: passingonly ? '1' : undefined } }
        : { problem: 'Must specify a single service to watch' },
  },
  checks: {
    takes: ['service', 'state'],
    make({ service, state }) {
      if (service && state) return { problem: 'Cannot specify service and state' }
      return { path: service ? `/v1/health/checks/${service}` : `/v1/health/state/${state || 'any'}` }
    },
  },
  event: {
    takes: ['name'],
    make: ({ name }) => ({ path: '/v1/event/list', params: { name: name || undefined }, value: newEvents, grows: false }),
  },
}

/** What can be watched from the command line. */
export const watchTypes: readonly string[] = Object.keys(KINDS)

/** An entry as the reference's clients show it: with an empty session where nobody holds it. */
function entryOf(entry: unknown): unknown {
  if (typeof entry !== 'object' || entry === null) return entry
  const { Key, CreateIndex, ModifyIndex, LockIndex, Flags, Value, Session = '', ...others } = entry as Record<string, unknown>
  return { Key, CreateIndex, ModifyIndex, LockIndex, Flags, Value, Session, ...others }
}

function isGiven(value: WatchParams[keyof WatchParams]): boolean {
  return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== '' && value !== false
}

/** The events after the last one that was there before. */
function newEvents(body: unknown, before: unknown): unknown {
  const last = listOf(before).at(-1)
  const events = listOf(body)
  return last === undefined ? events : events.slice(events.findIndex((event) => idOf(event) === idOf(last)) + 1)
}

function idOf(event: unknown): unknown {
  return typeof event === 'object' && event !== null && 'ID' in event ? event.ID : undefined
}

function listOf(body: unknown): readonly unknown[] {
  return Array.isArray(body) ? body : []
}
