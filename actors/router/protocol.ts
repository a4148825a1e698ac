import { type Call, type Feed, refOf } from '../../src/kernel/protocol.ts'

/** With whom this agent has links and, on a client agent, which server it uses. */
export type RouterProtocol = {
  /** `used`: '' while there is none. `servers`: the names of all that may be used, in the order in which they would be tried. */
  show: Call<null, Routes>
  /** The same, each time another server is used. */
  used: Feed<null, Routes>
}
export type Routes = { used: string; servers: string[] }

export const routerRef = refOf<RouterProtocol>('router')

/** A server uses no other one. */
export type RouterArgs = { enabled: boolean; server: boolean; datacenter: string }
