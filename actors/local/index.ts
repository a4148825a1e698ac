import { defineActor } from '../../src/kernel/actor.ts'
import { type CallsOf, LATER } from '../../src/kernel/protocol.ts'
import { recordReads } from '../../src/kernel/recording-view.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { indexOf } from '../command.ts'
import { DEFAULTS_INDEX } from '../config-entries/tables.ts'
import { announced, compareSoon, operation, settle, syncAll } from './announce.ts'
import { calls } from './calls.ts'
import { markService, subscribe, subscribeService, tell, tellAll, unsubscribe } from './feeds.ts'
import { loadRecords, readRecords } from './keep.ts'
import { takeOver } from './load.ts'
import type { LocalProtocol } from './protocol.ts'
import { tablesReplaced, watchTables } from './replaced.ts'
import { emptyState, type LocalArgs, type LocalOwn, type LocalState, type LocalTurn } from './state.ts'
import { criticalForTooLong, outputDue, refreshAlias, setStatus, ttlExpired } from './statuses.ts'
import { reapService, take } from './steps.ts'

const LOAD_AGAIN_MS = 1_000

/** The agent's own registrations: kept on this machine, announced to the catalog, and compared with it again and again. */
export const local = defineActor<LocalProtocol, LocalOwn, LocalState, LocalArgs>({
  name: 'local',
  mailboxMax: 32_768,
  init(args, turn) {
    loadRecords(turn)
    return emptyState(args)
  },
  on: {
    registerService: onceLoaded('registerService'),
    deregisterService: onceLoaded('deregisterService'),
    registerCheck: onceLoaded('registerCheck'),
    deregisterCheck: onceLoaded('deregisterCheck'),
    ttlUpdate: onceLoaded('ttlUpdate'),
    serviceMaintenance: onceLoaded('serviceMaintenance'),
    nodeMaintenance: onceLoaded('nodeMaintenance'),
    list: onceLoaded('list'),
    service: onceLoaded('service'),
    facts: calls.facts,
    reload: onceLoaded('reload'),
    proxyListening: onceLoaded('proxyListening'),

    checked(state, { checkId, status, output }, turn) {
      const entry = state.checks.get(checkId)
      if (entry) setStatus(state, turn, entry, status, output)
    },

    compare: (state, _request, turn) => compareSoon(state, turn),

    compareNow(state, _request, turn) {
      state.isCompareDue = false
      syncAll(state, turn)
    },

    counted(state, { members }, turn) {
      state.members = members
      turn.unsubscribe('members')
    },

    services: (state, _request, turn, subscriber) => subscribe(state, turn, 'services', subscriber),
    checks: (state, _request, turn, subscriber) => subscribe(state, turn, 'checks', subscriber),
    serviceChanges: (state, { serviceId }, turn, subscriber) => subscribeService(state, turn, serviceId, subscriber),

    loaded(state, { result }, turn) {
      if (isRefused(result)) {
        turn.print('error', 'cannot load the registrations of this machine', { error: result.why })
        return turn.timer('load', LOAD_AGAIN_MS, { name: 'load', request: null })
      }
      takeOver(state, turn, readRecords(result))
      state.loaded = true
      syncAll(state, turn)
      turn.timer('reap', state.args.reapIntervalMs, { name: 'reap', request: null })
      tellAll(state, turn)
      watchDefaults(turn)
      watchTables(state, turn)
      for (const { name, request, caller } of state.early.splice(0)) {
        const handler = calls[name as keyof typeof calls] as (...of: unknown[]) => unknown
        const answer = handler(state, request, turn, caller)
        if (answer !== LATER) turn.answer(caller, answer)
      }
    },
    defaultsChanged(state, _request, turn) {
      watchDefaults(turn)
      syncAll(state, turn)
      for (const serviceId of state.feeds.byService.keys()) markService(state, turn, serviceId)
    },
    load: (_state, _request, turn) => loadRecords(turn),

    kept(state, { step, caller, result }, turn) {
      if (isRefused(result)) return turn.answer(caller, result)
      const of = operation(state, caller)
      const refused = take(state, turn, step, of)
      settle(state, turn, of, refused ?? null)
    },

    announced: (state, { operation: of, what, result }, turn) => announced(state, turn, of, what, result),
    sync: (state, _request, turn) => syncAll(state, turn),
    replaced: (state, _request, turn) => tablesReplaced(state, turn),
    tell: (state, { feed }, turn) => tell(state, turn, feed),
    ttlExpired: (state, { checkId }, turn) => ttlExpired(state, turn, checkId),
    outputDue: (state, { checkId }, turn) => outputDue(state, turn, checkId),
    aliasDue: (state, { checkId }, turn) => refreshAlias(state, turn, checkId),

    reap(state, _request, turn) {
      for (const { serviceId, checkId } of criticalForTooLong(state, turn)) {
        turn.print('info', 'Check for service has been critical for too long; deregistered service', { service: serviceId, check: checkId })
        const of = operation(state, undefined)
        reapService(state, turn, serviceId, of)
        settle(state, turn, of, null)
      }
      turn.timer('reap', state.args.reapIntervalMs, { name: 'reap', request: null })
    },
  },
  left: (state, subscriber) => unsubscribe(state, subscriber),
})

/** Proxies of this agent are announced with what the central settings say. */
function watchDefaults(turn: LocalTurn): void {
  const { view, reads } = recordReads(turn.view)
  indexOf(view, DEFAULTS_INDEX)
  turn.wake('defaults', reads, { name: 'defaultsChanged', request: null })
}

/** What comes before everything was loaded waits for that. */
function onceLoaded<N extends CallsOf<LocalProtocol>>(name: N): (typeof calls)[N] {
  const handler = calls[name] as (...of: unknown[]) => unknown
  const waiting = (state: LocalState, request: unknown, turn: unknown, caller: never) => {
    if (state.loaded) return handler(state, request, turn, caller)
    state.early.push({ name, request, caller })
    return LATER
  }
  return waiting as (typeof calls)[N]
}
