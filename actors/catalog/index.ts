import { defineActor } from '../../src/kernel/actor.ts'
import { type Call, type Caller, type Cast, LATER, refOf } from '../../src/kernel/protocol.ts'
import type { Result } from '../../src/kernel/refusal.ts'
import { authorize, type Token } from '../authorize.ts'
import { commit } from '../ledger.ts'
import type { CatalogDeregister, CatalogRegister } from './commands.ts'

/** Changes of the catalog from outside. Reading needs no actor: see queries.ts. */
export type CatalogProtocol = {
  register: Call<CatalogRegister & { token: Token }, null>
  deregister: Call<CatalogDeregister & { token: Token }, null>
}
type CatalogOwn = { settled: Cast<{ caller: Caller<null>; result: Result<null> }> }

export const catalogRef = refOf<CatalogProtocol>('catalog')

export const catalog = defineActor<CatalogProtocol, CatalogOwn, null>({
  name: 'catalog',
  mailboxMax: 16_384,
  remote: ['register', 'deregister'],
  init: () => null,
  on: {
    register(_state, { token, ...registration }, turn, caller) {
      const denied =
        authorize(turn.view, token, { resource: 'node', name: registration.node, access: 'write' }) ??
        (registration.service && authorize(turn.view, token, { resource: 'service', name: registration.service.name, access: 'write' }))
      if (denied) return denied
      commit(turn, 'catalog.register', registration, (result) => ({ name: 'settled', request: { caller, result } }))
      return LATER
    },

    deregister(_state, { token, ...request }, turn, caller) {
      const denied = authorize(turn.view, token, { resource: 'node', name: request.node, access: 'write' })
      if (denied) return denied
      commit(turn, 'catalog.deregister', request, (result) => ({ name: 'settled', request: { caller, result } }))
      return LATER
    },

    settled(_state, { caller, result }, turn) {
      turn.answer(caller, result)
    },
  },
})
