import type { Turn } from '../../src/kernel/actor.ts'
import type { Caller } from '../../src/kernel/protocol.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import { shut } from './doors.ts'
import { type ProxyOwn, type ProxyState, PUBLIC } from './state.ts'

/** Takes no connections any more and ends with the last one, or when their time is over. */
export function drain(state: ProxyState, caller: Caller<null>, turn: Turn<ProxyOwn>): void {
  if (state.draining) {
    state.draining.push(caller)
    return
  }
  state.draining = [caller]
  const { drainMs = 0 } = state.args
  if (drainMs === 0 || isEmpty(state)) return end(state, turn)
  shut(state.door, PUBLIC, turn)
  for (const { id, door } of state.upstreams) shut(door, id, turn)
  turn.print('info', 'Waits for its connections to end', { open: state.inbound.size + state.outbound.size, drain_ms: drainMs })
  turn.timer('drained', drainMs, { name: 'drained', request: null })
}

/** Its last connection may have ended. */
export function endIfDrained(state: ProxyState, turn: Turn<ProxyOwn>): void {
  if (state.draining && !state.ending && isEmpty(state)) end(state, turn)
}

/** Gives up its sockets. */
export function end(state: ProxyState, turn: Turn<ProxyOwn>): void {
  if (state.ending) return
  state.ending = true
  turn.cancel('drained')
  turn.act('mesh', { do: 'forget', owner: turn.self.key }, { then: () => ({ name: 'forgotten', request: null }) })
}

/** It is wanted again. */
export function goOn(state: ProxyState, turn: Turn<ProxyOwn>): void {
  turn.cancel('drained')
  for (const caller of state.draining ?? []) turn.answer(caller, refuse('conflict', 'it was started again'))
  state.draining = undefined
}

/** These connections end by themselves, or when their time is over. */
export function leaveBehind(state: ProxyState, connections: number[], why: string, turn: Turn<ProxyOwn>): void {
  if (connections.length === 0) return
  const { drainMs = 0 } = state.args
  if (drainMs === 0) closeAll(state, connections, why, turn)
  // A name of its own for each: numbers of connections do not come again.
  else turn.timer(`overdue/${connections[0]}`, drainMs, { name: 'overdue', request: { connections, why } })
}

export function closeAll({ inbound, outbound }: ProxyState, connections: readonly number[], why: string, turn: Turn<ProxyOwn>): void {
  for (const connection of connections) {
    const out = outbound.get(connection)
    if (out) out.dialling = true
    if (out || inbound.has(connection)) turn.act('mesh', { do: 'close', connection, why })
  }
}

function isEmpty({ inbound, outbound }: ProxyState): boolean {
  return inbound.size === 0 && outbound.size === 0
}
