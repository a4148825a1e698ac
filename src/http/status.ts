import { NO_SERVERS } from '../kernel/far.ts'
import type { Refusal, RefusalCode } from '../kernel/refusal.ts'
import type { HttpReply } from './route.ts'

/** What a refusal is in HTTP where an endpoint does not say otherwise. */
const STATUS: Record<RefusalCode, number> = { invalid: 400, missing: 404, conflict: 500, forbidden: 403, busy: 429, late: 503, gone: 503 }

/** What the log says when nobody leads, and links when there is no server; errors of the server in Consul. */
const NO_LEADER = 'No cluster leader'

export function refusalReply({ refused, why }: Refusal, statusOf: Partial<Record<RefusalCode, number>> = {}): HttpReply {
  if (why === NO_LEADER || why === NO_SERVERS) return { status: 500, text: why }
  return { status: statusOf[refused] ?? STATUS[refused], text: why }
}
