import { defineActor } from '../../src/kernel/actor.ts'
import type { SnapshotOutcome } from '../../src/kernel/ports.ts'
import { type Call, type Caller, type Cast, LATER, refOf } from '../../src/kernel/protocol.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { authorize, type Token } from '../authorize.ts'
import { commit } from '../ledger.ts'

/** Puts snapshots in the place of everything. Saving one needs no actor. */
export type SnapshotsProtocol = {
  /**
   * Replaces all tables by those in a file, in one step that is durable when it is answered; until then, and if it is refused,
   * everything is as before. The file is removed. One at a time.
   */
  restore: Call<{ path: string; token: Token }, { index: number }>
}
type SnapshotsOwn = {
  loaded: Cast<{ result: Result<SnapshotOutcome> }>
  taken: Cast<{ loaded: SnapshotOutcome; result: Result<null> }>
  cleared: Cast<{ result: Result<SnapshotOutcome> }>
  removed: Cast<{ result: Result<SnapshotOutcome> }>
}
type SnapshotsState = { caller: Caller<{ index: number }> | undefined }

export const snapshotsRef = refOf<SnapshotsProtocol>('snapshots')

export const snapshots = defineActor<SnapshotsProtocol, SnapshotsOwn, SnapshotsState>({
  name: 'snapshots',
  mailboxMax: 64,
  init: () => ({ caller: undefined }),
  on: {
    restore(state, { path, token }, turn, caller) {
      const denied = authorize(turn.view, token, { resource: 'operator', name: '', access: 'write' })
      const no = denied ?? (state.caller && refuse('busy', 'another snapshot is being restored'))
      if (no) {
        turn.act('snapshots', { do: 'remove', path }, { then: (result) => ({ name: 'removed', request: { result } }) })
        return no
      }
      state.caller = caller
      turn.act('snapshots', { do: 'load', path }, { then: (result) => ({ name: 'loaded', request: { result } }) })
      return LATER
    },

    loaded(state, { result }, turn) {
      if (!isRefused(result)) {
        return commit(turn, 'snapshots.take', { id: result.id }, (taken) => ({ name: 'taken', request: { loaded: result, result: taken } }))
      }
      if (state.caller) turn.answer(state.caller, result)
      state.caller = undefined
    },

    taken(state, { loaded, result }, turn) {
      if (state.caller) turn.answer(state.caller, isRefused(result) ? result : { index: loaded.index })
      state.caller = undefined
      if (!isRefused(result)) turn.print('info', 'A snapshot was restored', { index: loaded.index, sha256: loaded.id })
      turn.act('snapshots', { do: 'clear' }, { then: (cleared) => ({ name: 'cleared', request: { result: cleared } }) })
    },

    removed(_state, { result }, turn) {
      if (isRefused(result)) turn.print('warn', 'a snapshot that was not restored still takes room on the disk', { error: result.why })
    },

    cleared(_state, { result }, turn) {
      if (isRefused(result)) turn.print('warn', 'what the snapshot replaced still takes room on the disk', { error: result.why })
    },
  },
})
