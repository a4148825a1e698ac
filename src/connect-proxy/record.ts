import { decisionsRef, type RefusedRow } from '../../actors/decisions/protocol.ts'
import type { HttpClient } from '../cli/http.ts'
import { Telling, type TellingOptions } from '../client/connect/telling.ts'
import type { Host } from '../kernel/host.ts'
import { isRefused } from '../kernel/refusal.ts'

const EVERYTHING = { source: '', destination: '', token: '' }
/** Agents of Consul keep no record of refusals. */
const UNKNOWN_THERE = [404, 405]

/** Gives an agent's HTTP API what was refused. */
export function decisionsTo(http: HttpClient): TellingOptions['put'] {
  return async (decisions, signal) => {
    const reply = await http.request('PUT', '/v1/tribune/decisions', { body: decisions, signal, also: UNKNOWN_THERE })
    return isRefused(reply) ? reply.why : undefined
  }
}

/** Tells the agent what the actor `decisions` of this process is told. */
export function passOnDecisions(host: Host, options: TellingOptions): { end(): Promise<void> } {
  const telling = new Telling(options)
  let counts = new Map<string, number>()
  const unfollow = host.follow(decisionsRef, 'decisions', EVERYTHING, (value) => {
    const rows = value as readonly RefusedRow[]
    const before = counts
    counts = new Map(rows.map((row) => [keyOf(row), row.count]))
    for (const row of rows) {
      const { side, source, destination, kind, cause } = row
      const newest = row.newest.at(-1)
      // A row that went, to make room, and came again counts anew.
      const known = before.get(keyOf(row)) ?? 0
      const count = row.count >= known ? row.count - known : row.count
      if (count === 0 || side === 'authorize' || !newest) continue
      const { uri, serial, from } = newest
      telling.tell({ side, source, destination, kind, cause, count, uri, serial, from })
    }
  })
  return {
    end() {
      unfollow()
      return telling.end()
    },
  }
}

function keyOf({ side, source, destination, kind, cause }: RefusedRow): string {
  return JSON.stringify([side, source, destination, kind, cause])
}
