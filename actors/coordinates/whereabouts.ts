import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import type { Cast } from '../../src/kernel/protocol.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import { same } from '../catalog/same.ts'
import { membershipRef } from '../membership/protocol.ts'
import { coordinatesRef } from './index.ts'
import type { Coordinate } from './tables.ts'

type WhereaboutsOwn = {
  look: Cast<null>
  found: Cast<{ result: Result<{ coordinate: Coordinate; members: number }> }>
  announced: Cast<{ coordinate: Coordinate; result: Result<{ isKnown: boolean }> }>
}
type WhereaboutsState = {
  enabled: boolean
  intervalMs: number
  /** What the servers know, and how often it was the same since they were told. */
  told: Coordinate | undefined
  unchanged: number
}
type WhereaboutsTurn = Turn<WhereaboutsOwn>
/** `enabled`: whether this agent tells where it is. */
export type WhereaboutsArgs = { enabled: boolean }

/** An agent says where it is after so long, and up to as much again; all together say it so many times a second. */
const INTERVAL_MS_MIN = 15_000
const ANNOUNCED_PER_SECOND_MAX = 64
/** While the catalog does not know the node yet, or no server is there. */
const RETRY_MS = 1_000
/** One that has not moved says it again after so many looks, because it may have been lost. */
const UNCHANGED_MAX = 10
const ASK_WITHIN_MS = 5_000

/** Tells the servers where this agent is in the network. */
export const whereabouts = defineActor<object, WhereaboutsOwn, WhereaboutsState, WhereaboutsArgs>({
  name: 'whereabouts',
  mailboxMax: 64,
  init({ enabled }, turn) {
    if (enabled) turn.again({ name: 'look', request: null })
    return { enabled, intervalMs: INTERVAL_MS_MIN, told: undefined, unchanged: 0 }
  },
  on: {
    look(_state, _request, turn) {
      const then = (result: Result<{ coordinate: Coordinate; members: number }>) => ({ name: 'found' as const, request: { result } })
      turn.call(membershipRef, 'whereabouts', null, { withinMs: ASK_WITHIN_MS, then })
    },

    found(state, { result }, turn) {
      if (isRefused(result)) return lookAgain(state, turn)
      const { coordinate, members } = result
      state.intervalMs = Math.max(INTERVAL_MS_MIN, (members / ANNOUNCED_PER_SECOND_MAX) * 1_000)
      if (same(coordinate, state.told) && ++state.unchanged < UNCHANGED_MAX) return lookAgain(state, turn)
      const record = { node: turn.node, segment: '', coordinate, token: '' }
      const then = (result: Result<{ isKnown: boolean }>) => ({ name: 'announced' as const, request: { coordinate, result } })
      turn.call(coordinatesRef, 'update', record, { withinMs: ASK_WITHIN_MS, then })
    },

    announced(state, { coordinate, result }, turn) {
      state.unchanged = 0
      const isTaken = !isRefused(result) && result.isKnown
      state.told = isTaken ? coordinate : undefined
      if (isTaken) return lookAgain(state, turn)
      if (isRefused(result) && result.refused !== 'gone') turn.print('warn', 'Coordinate update error', { error: result.why })
      turn.timer('look', RETRY_MS + turn.random.int(0, RETRY_MS), { name: 'look', request: null })
    },
  },
})

function lookAgain({ intervalMs }: WhereaboutsState, turn: WhereaboutsTurn): void {
  turn.timer('look', intervalMs + turn.random.int(0, Math.floor(intervalMs)), { name: 'look', request: null })
}
