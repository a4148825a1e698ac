import { type Call, refOf } from '../../src/kernel/protocol.ts'
import type { Token } from '../authorize.ts'
import type { SessionCreate } from './commands.ts'
import type { Session } from './queries.ts'

/** Holders of locks, and how long they live. Reading needs no actor: see queries.ts. */
export type SessionsProtocol = {
  /** Refused with `conflict` and Consul's text if the session cannot be. */
  create: Call<Omit<SessionCreate, 'id'> & { token: Token }, { id: string }>
  /** Ends a session; the keys it holds cannot be taken for its lock delay. What is not there has ended already. */
  destroy: Call<{ id: string; token: Token }, null>
  /** Lets the session's time begin anew. Refused with `missing` if there is none. */
  renew: Call<{ id: string; token: Token }, Session>
}
/** The shortest time within which a session may have to be renewed, and how the range of such times is shown: `10s=24h0m0s`. */
export type SessionsArgs = { ttlMinMs: number; ttlRange: string }

/** The longest time within which a session may have to be renewed. */
export const TTL_MS_MAX = 86_400_000

export const sessionsRef = refOf<SessionsProtocol>('sessions')
