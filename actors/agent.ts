import { defineActor } from '../src/kernel/actor.ts'
import type { ProcessOutcome } from '../src/kernel/ports.ts'
import { type Call, type Caller, type Cast, LATER, refOf } from '../src/kernel/protocol.ts'
import type { Result } from '../src/kernel/refusal.ts'
import { authorize, type Token } from './authorize.ts'

/** The life of the agent itself. */
export type AgentProtocol = {
  /** Reads the configuration again; `invalid` if it cannot be used, and the old one stays. */
  reload: Call<{ token: Token }, ProcessOutcome>
  /** Leaves the cluster and ends. */
  leave: Call<{ token: Token }, ProcessOutcome>
}
type AgentOwn = { done: Cast<{ caller: Caller<ProcessOutcome>; result: Result<ProcessOutcome> }> }

export const agentRef = refOf<AgentProtocol>('agent')

export const agent = defineActor<AgentProtocol, AgentOwn, null>({
  name: 'agent',
  mailboxMax: 64,
  init: () => null,
  on: {
    reload(_state, { token }, turn, caller) {
      const denied = authorize(turn.view, token, { resource: 'agent', name: turn.node, access: 'write' })
      if (denied) return denied
      turn.act('process', { do: 'reload' }, { then: (result) => ({ name: 'done', request: { caller, result } }) })
      return LATER
    },
    leave(_state, { token }, turn, caller) {
      const denied = authorize(turn.view, token, { resource: 'agent', name: turn.node, access: 'write' })
      if (denied) return denied
      turn.act('process', { do: 'leave' }, { then: (result) => ({ name: 'done', request: { caller, result } }) })
      return LATER
    },
    done(_state, { caller, result }, turn) {
      turn.answer(caller, result)
    },
  },
})
