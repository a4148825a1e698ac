import { decisionsRef, type Occurrence, type RefusedRow } from '../../../actors/decisions/protocol.ts'
import { waitOf } from '../blocking.ts'
import { goTime } from '../go-time.ts'
import type { Route } from '../route.ts'

/** GET /v1/tribune/decisions?source=&destination=: who was refused on this agent and why, the newest last. Blocks like a read. */
export const decisionsRoute: Route = {
  method: 'GET',
  path: '/v1/tribune/decisions',
  async run({ query, token }, context) {
    const wait = waitOf(query, context.settings)
    if (!('waitMs' in wait)) return wait
    const about = { source: query.get('source') ?? '', destination: query.get('destination') ?? '', token }
    // An index of an earlier life of the agent is not waited for.
    const isWanted = (_rows: readonly RefusedRow[], index: number) => index !== wait.index
    const found = await context.awaited(decisionsRef, 'decisions', about, isWanted, wait.waitMs)
    if (!found) return { status: 503, text: 'the decisions of this agent cannot be had now' }
    return { headers: { 'X-Consul-Index': String(found.index) }, json: found.value.map(shownDecision) }
  },
}

export function shownDecision({ side, source, destination, kind, cause, count, firstMs, lastMs, newest, index }: RefusedRow): object {
  return {
    Side: side,
    Source: source,
    Destination: destination,
    Kind: kind,
    Cause: cause,
    Count: count,
    First: goTime(firstMs),
    Last: goTime(lastMs),
    Newest: newest.map(shownOccurrence),
    Index: index,
  }
}

function shownOccurrence({ atMs, uri, serial, from }: Occurrence): object {
  return { At: goTime(atMs), URI: uri, SerialNumber: serial, From: from }
}
