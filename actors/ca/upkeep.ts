import type { Handlers, Turn } from '../../src/kernel/actor.ts'
import type { PreparedAuthority } from '../../src/kernel/ports.ts'
import type { Message } from '../../src/kernel/protocol.ts'
import { recordReads } from '../../src/kernel/recording-view.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import type { View } from '../../src/kernel/tables.ts'
import type { CommandKind, CommandRequest } from '../commands.ts'
import { commit } from '../ledger.ts'
import { signerOf } from './new-root.ts'
import { behindActive, leavingRoots, rotationProgress, SPREAD_MS_USUAL } from './progress.ts'
import { rootAuthority } from './queries.ts'
import type { Authority, CaOwn, CaState } from './state.ts'
import { CONFIG_KEY, caAuthorityTable, caConfigTable } from './tables.ts'

/** Clocks are set and proposals get lost: what is due is looked at this often while something is. */
const TEND_MS_MAX = 60_000
/** A provider that is left has often gone itself: after so many tries what it has is left to people. */
const REMOVALS_MAX = 24
const REMOVE_AGAIN_MS = 3_600_000
const CHECK_MS = 3_600_000
const CHECK_MS_MIN = 1_000
const CHECK_AGAIN_MS = 60_000
/** Providers that sign here have nothing that ends. */
const CHECKED: readonly string[] = ['vault', 'aws-pca']

/**
 * Does what is due by itself: a root that all trust becomes active, one of which no leaf is left is taken out, what was made for it
 * is removed. Every server does it; what one proposed first counts.
 */
export function tend(state: CaState, turn: Turn<CaOwn>): void {
  const { view, reads } = recordReads(turn.view)
  const dueMs = [...spreading(state, view, turn), ...retiring(state, view, turn), ...removing(state, view, turn)]
  turn.wake('tend', reads, { name: 'tend', request: null })
  if (dueMs.length === 0) return turn.cancel('tend')
  turn.timer('tend', Math.min(TEND_MS_MAX, Math.max(0, Math.min(...dueMs) - turn.nowMs)), { name: 'tend', request: null })
}

/** Begins to look after the provider of the active root, if it is one that needs it. */
export function watchProvider(state: CaState, turn: Turn<CaOwn>): void {
  const rootId = state.authority && CHECKED.includes(state.authority.config.provider) ? state.authority.rootId : ''
  if (rootId === state.checking) return
  state.checking = rootId
  turn.cancel('check')
  if (rootId !== '') turn.timer('check', 0, { name: 'check', request: null })
}

export const upkeep: Pick<Handlers<object, CaOwn, CaState>, 'tend' | 'tended' | 'removed' | 'removeAgain' | 'check' | 'checked'> = {
  tend(state, _request, turn) {
    tend(state, turn)
  },

  tended(state, { what, result }, turn) {
    state.tending.delete(what)
    // What it changed wakes everybody who reads it; what it did not change is not worth another try at once.
    if (isRefused(result)) turn.timer('tend', TEND_MS_MAX, { name: 'tend', request: null })
  },

  removed(state, { rootId, outcome }, turn) {
    const what = `remove/${rootId}`
    const tries = (state.removals.get(rootId) ?? 0) + 1
    if (isRefused(outcome) && tries < REMOVALS_MAX) {
      state.removals.set(rootId, tries)
      turn.print('warn', 'could not remove what was made for a retired root', {
        root: rootId,
        error: outcome.why,
        againMs: REMOVE_AGAIN_MS,
      })
      return turn.timer(what, REMOVE_AGAIN_MS, { name: 'removeAgain', request: { what } })
    }
    state.removals.delete(rootId)
    const leftBehind = isRefused(outcome) ? outcome.why : outcome.warning
    if (leftBehind !== undefined) {
      turn.print('warn', 'what was made for a retired root was not removed', { root: rootId, why: leftBehind })
    }
    commit(turn, 'ca.forget', { rootId }, (result) => ({ name: 'tended', request: { what, result } }))
  },

  removeAgain(state, { what }, turn) {
    state.tending.delete(what)
    tend(state, turn)
  },

  check({ authority }, _request, turn) {
    if (!authority) return
    const { rootId, config, state } = authority
    turn.act(
      'authority',
      { do: 'check', authority: config, state, nowMs: turn.nowMs },
      { then: (outcome) => ({ name: 'checked', request: { rootId, outcome } }) },
    )
  },

  checked(state, { rootId, outcome }, turn) {
    const { authority } = state
    if (state.checking !== rootId || authority?.rootId !== rootId) return
    if (isRefused(outcome)) turn.print('warn', 'the CA provider does not answer as it should', { error: outcome.why })
    else {
      if (outcome.warning !== undefined) turn.print('warn', 'the CA provider needs somebody to look after it', { why: outcome.warning })
      if (outcome.prepared) renew(authority, outcome.prepared, turn)
    }
    const againMs = isRefused(outcome) ? CHECK_AGAIN_MS : Math.min(CHECK_MS, Math.max(CHECK_MS_MIN, outcome.againMs ?? CHECK_MS))
    turn.timer('check', againMs, { name: 'check', request: null })
  },
}

function spreading(state: CaState, view: View, turn: Turn<CaOwn>): number[] {
  const progress = rotationProgress(view)
  if (progress?.phase !== 'spreading') return []
  const { rotation, waitingFor, notBeforeMs } = progress
  if (waitingFor.length === 0 && turn.nowMs >= notBeforeMs) {
    propose(state, turn, `activate/${rotation.id}`, 'ca.activate', { id: rotation.id })
    return [turn.nowMs + TEND_MS_MAX]
  }
  const sayAtMs = rotation.startedMs + SPREAD_MS_USUAL
  if (waitingFor.length > 0 && turn.nowMs >= sayAtMs && state.saidWaiting !== rotation.id) {
    state.saidWaiting = rotation.id
    turn.print('warn', 'the new root waits to be trusted by every proxy', { root: rotation.toRootId, waitingFor: waitingFor.join(' ') })
  }
  return [turn.nowMs < notBeforeMs ? notBeforeMs : turn.nowMs < sayAtMs ? sayAtMs : turn.nowMs + TEND_MS_MAX]
}

function retiring(state: CaState, view: View, turn: Turn<CaOwn>): number[] {
  const { authority } = state
  const leaving = leavingRoots(view)
  if (!authority || leaving.length === 0) return []
  const due = leaving.filter(({ notBeforeMs }) => notBeforeMs <= turn.nowMs)
  // Whoever is behind is looked up only once it matters: it touches every sidecar.
  if (due.length > 0 && behindActive(view).length === 0) {
    for (const { root } of due) propose(state, turn, `retire/${root.id}`, 'ca.retire', { rootId: root.id, activeRootId: authority.rootId })
  }
  return leaving.map(({ notBeforeMs }) => Math.max(notBeforeMs, turn.nowMs + (notBeforeMs <= turn.nowMs ? TEND_MS_MAX : 0)))
}

function removing({ args, tending }: CaState, view: View, turn: Turn<CaOwn>): number[] {
  const rows = [...view.range(caAuthorityTable)]
  const retired = rows.filter(([, { retired }]) => retired)
  if (retired.length === 0) return []
  const staying = rows.flatMap(([id, row]) => (row.retired ? [] : (rootAuthority(view, id, args.datacenter) ?? [])))
  for (const [rootId] of retired) {
    const owner = rootAuthority(view, rootId, args.datacenter)
    const what = `remove/${rootId}`
    if (!owner || tending.has(what)) continue
    tending.add(what)
    const kept = staying.map(({ authority, state }) => ({ authority, state }))
    turn.act(
      'authority',
      { do: 'retire', authority: owner.authority, state: owner.state, staying: kept },
      { then: (outcome) => ({ name: 'removed', request: { rootId, outcome } }) },
    )
  }
  return [turn.nowMs + TEND_MS_MAX]
}

function propose<Kind extends CommandKind>(
  { tending }: CaState,
  turn: Turn<CaOwn>,
  what: string,
  kind: Kind,
  request: CommandRequest<Kind>,
): void {
  if (tending.has(what)) return
  tending.add(what)
  commit(turn, kind, request, (result): Message<CaOwn> => ({ name: 'tended', request: { what, result } }))
}

/** What the provider has renewed below the root is in force from now on. */
function renew({ rootId, config }: Authority, prepared: PreparedAuthority, turn: Turn<CaOwn>): void {
  const record = turn.view.get(caConfigTable, CONFIG_KEY)
  const owner = turn.view.get(caAuthorityTable, rootId)
  if (!record || !owner || record.provider !== config.provider) return
  const { crossPem, settings } = owner
  const request = {
    seen: { configIndex: record.modifyIndex, activeRootId: rootId },
    settings,
    config: owner.config,
    crossSigns: prepared.crossSigns,
    crossPem,
    state: prepared.state,
    signer: signerOf(prepared, crossPem),
  }
  commit(turn, 'ca.set-config', request, (result) => ({ name: 'tended', request: { what: 'renew', result } }))
}
