import { defineActor, type Turn } from '../src/kernel/actor.ts'
import type { LogLevel, ProcessOutcome, ProcessRequest } from '../src/kernel/ports.ts'
import { type Answered, type Call, type Caller, type Cast, LATER, refOf } from '../src/kernel/protocol.ts'
import type { Result } from '../src/kernel/refusal.ts'
import { authorize, type Need, type Token } from './authorize.ts'

/** The life of the agent itself. Outcomes are those of the device `process`. */
export type AgentProtocol = {
  /** Reads the configuration again; `invalid` if it cannot be used, and the old one stays. */
  reload: Call<{ token: Token }, ProcessOutcome>
  /** Leaves the cluster and ends. */
  leave: Call<{ token: Token }, ProcessOutcome>
  /** Facts about the machine. */
  host: Call<{ token: Token }, ProcessOutcome>
  /** What was measured; `conflict` if Prometheus is asked for and was not configured. */
  metrics: Call<{ format: 'json' | 'prometheus'; token: Token }, ProcessOutcome>
  /** Lines of the log behind number `after`, or from now on. The answer comes once there are some, or without any after a while. */
  log: Call<{ after: number | undefined; level: LogLevel; json: boolean; token: Token }, ProcessOutcome>
}
type AgentOwn = { done: Cast<{ caller: Caller<ProcessOutcome>; result: Result<ProcessOutcome> }> }

export const agentRef = refOf<AgentProtocol>('agent')

export const agent = defineActor<AgentProtocol, AgentOwn, null>({
  name: 'agent',
  mailboxMax: 256,
  init: () => null,
  on: {
    reload: (_state, { token }, turn, caller) => perform(turn, caller, token, 'write', { do: 'reload' }),
    leave: (_state, { token }, turn, caller) => perform(turn, caller, token, 'write', { do: 'leave' }),
    host(_state, { token }, turn, caller) {
      const denied = authorize(turn.view, token, { resource: 'operator', name: '', access: 'read' })
      return denied ?? perform(turn, caller, token, 'read', { do: 'host' })
    },
    metrics: (_state, { token, format }, turn, caller) => perform(turn, caller, token, 'read', { do: 'metrics', format }),
    log: (_state, { token, ...wanted }, turn, caller) => perform(turn, caller, token, 'read', { do: 'log', ...wanted }),
    done(_state, { caller, result }, turn) {
      turn.answer(caller, result)
    },
  },
})

function perform(
  turn: Turn<AgentOwn>,
  caller: Caller<ProcessOutcome>,
  token: Token,
  access: Need['access'],
  request: ProcessRequest,
): Answered<ProcessOutcome> {
  const denied = authorize(turn.view, token, { resource: 'agent', name: turn.node, access })
  if (denied) return denied
  turn.act('process', request, { then: (result) => ({ name: 'done', request: { caller, result } }) })
  return LATER
}
