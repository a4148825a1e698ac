import { defineActor } from '../../src/kernel/actor.ts'
import { type Call, type Caller, type Cast, LATER, refOf } from '../../src/kernel/protocol.ts'
import type { Result } from '../../src/kernel/refusal.ts'
import { authorize, type Token } from '../authorize.ts'
import { commit } from '../ledger.ts'
import { AUTOPILOT_FIRST_INDEX, AUTOPILOT_KEY, type AutopilotRecord, type AutopilotSettings, autopilotTable } from './commands.ts'

/** How the servers of the cluster look after themselves. */
export type AutopilotProtocol = {
  get: Call<{ token: Token }, AutopilotRecord>
  /** Replaces all settings, if `cas` is absent or equals their modifyIndex. */
  set: Call<{ settings: AutopilotSettings; cas?: number; token: Token }, { applied: boolean }>
}
type AutopilotOwn = { settled: Cast<{ caller: Caller<{ applied: boolean }>; result: Result<{ applied: boolean }> }> }

export const autopilotRef = refOf<AutopilotProtocol>('autopilot')

/** Started with the settings that hold until somebody sets others. */
export const autopilot = defineActor<AutopilotProtocol, AutopilotOwn, AutopilotSettings, AutopilotSettings>({
  name: 'autopilot',
  mailboxMax: 256,
  remote: ['get', 'set'],
  init: (settings) => settings,
  on: {
    get(settings, { token }, turn) {
      const denied = authorize(turn.view, token, { resource: 'operator', name: '', access: 'read' })
      if (denied) return denied
      const first = { ...settings, createIndex: AUTOPILOT_FIRST_INDEX, modifyIndex: AUTOPILOT_FIRST_INDEX }
      return turn.view.get(autopilotTable, AUTOPILOT_KEY) ?? first
    },

    set(_settings, { token, ...request }, turn, caller) {
      const denied = authorize(turn.view, token, { resource: 'operator', name: '', access: 'write' })
      if (denied) return denied
      commit(turn, 'autopilot.set', request, (result) => ({ name: 'settled', request: { caller, result } }))
      return LATER
    },

    settled(_settings, { caller, result }, turn) {
      turn.answer(caller, result)
    },
  },
})
