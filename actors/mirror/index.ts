import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import type { LogOutcome } from '../../src/kernel/ports.ts'
import type { Cast } from '../../src/kernel/protocol.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import { feedsRef } from '../feeds/protocol.ts'
import { localRef } from '../local/protocol.ts'
import type { MirroredRow } from './rows.ts'

export type MirrorArgs = { enabled: boolean }
type MirrorOwn = {
  rows: Cast<readonly MirroredRow[]>
  written: Cast<{ outcome: Result<LogOutcome> }>
  again: Cast<null>
}
/** `newest`: what is still to be written. */
type MirrorState = { underWay: readonly MirroredRow[] | undefined; newest: readonly MirroredRow[] | undefined }

const AGAIN_MS = 5_000

/**
 * On an agent that is no server: keeps in its tables what the cluster has of it and of what its sidecars need. They outlive the loss of
 * every server, and restarts.
 */
export const mirror = defineActor<object, MirrorOwn, MirrorState, MirrorArgs>({
  name: 'mirror',
  mailboxMax: 64,
  init({ enabled }, turn) {
    if (enabled) turn.subscribe('rows', feedsRef, 'mirror', { node: turn.node }, (rows) => ({ name: 'rows', request: rows }))
    return { underWay: undefined, newest: undefined }
  },
  on: {
    rows(state, rows, turn) {
      state.newest = rows
      write(state, turn)
    },

    written(state, { outcome }, turn) {
      const { underWay } = state
      state.underWay = undefined
      if (isRefused(outcome)) {
        state.newest ??= underWay
        turn.print('warn', 'what the cluster has of this agent cannot be kept', { error: outcome.why, retryMs: AGAIN_MS })
        return turn.timer('again', AGAIN_MS, { name: 'again', request: null })
      }
      turn.cast(localRef, 'compare', null)
      write(state, turn)
    },

    again: (state, _request, turn) => write(state, turn),
  },
})

/** One change is under way at most; a refused one is made again unless there are newer rows. */
function write(state: MirrorState, turn: Turn<MirrorOwn>): void {
  const { newest: rows } = state
  if (state.underWay || !rows) return
  state.underWay = rows
  state.newest = undefined
  turn.act('log', { commands: [{ rows }] }, { then: (outcome) => ({ name: 'written', request: { outcome } }) })
}
