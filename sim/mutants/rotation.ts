import { caRoots } from '../../actors/ca/queries.ts'
import type { CaOwn } from '../../actors/ca/state.ts'
import { caRootTable } from '../../actors/ca/tables.ts'
import { commit } from '../../actors/ledger.ts'
import type { Turn } from '../../src/kernel/actor.ts'
import type { Devices } from '../../src/kernel/ports.ts'
import { type AnyCommand, type Mutant, mutant, wrapApply, wrapHandler } from './mutant.ts'

export const nothingLeadsBack: Mutant = mutant({
  name: 'nothing-leads-back',
  about: 'leaves of a new root come without the certificates that lead to older ones',
  caughtBy: 'sidecars-are-believed',
  scenario: 'network',
  nodes: 3,
  runsMax: 40,
  mutations: ordered(({ kind, request, ...rest }) => {
    const root = request['root'] as { intermediatesPem: string[] }
    return kind === 'ca.rotate' ? { ...rest, kind, request: { ...request, root: { ...root, intermediatesPem: [] } } } : undefined
  }),
})

export const spreadsNothing: Mutant = mutant({
  name: 'spreads-nothing',
  about: 'a root to which nothing leads signs at once',
  caughtBy: 'sidecars-are-believed',
  scenario: 'network',
  nodes: 3,
  mutations: ordered((command) =>
    command.kind === 'ca.rotate' ? { ...command, request: { ...command.request, spreads: false } } : undefined,
  ),
})

export const bothRootsSign: Mutant = mutant({
  name: 'both-roots-sign',
  about: 'the old root stays active beside the new one',
  caughtBy: 'one-root-signs',
  nodes: 1,
  runsMax: 20,
  mutations: wrapApply((apply) => (tx, commands) => {
    const before = caRoots(tx)?.activeRootId ?? ''
    const applied = apply(tx, commands)
    const root = tx.get(caRootTable, before)
    if (root && !root.active) tx.put(caRootTable, before, { ...root, active: true })
    return applied
  }),
})

export const rootsLeaveAtOnce: Mutant = mutant({
  name: 'roots-leave-at-once',
  about: 'a root goes as soon as another one signs, whoever needs it still',
  caughtBy: 'roots-stay-while-needed',
  nodes: 1,
  runsMax: 20,
  mutations: {
    ...ordered((command) => (command.kind === 'ca.retire' ? { ...command, atMs: Number.MAX_SAFE_INTEGER } : undefined)),
    ...wrapHandler('ca', 'tend', (handler) => (state, request, turn, from) => {
      const answer = handler(state, request, turn, from)
      const own = turn as Turn<CaOwn>
      const { roots = [], activeRootId = '' } = caRoots(own.view) ?? {}
      for (const { id: rootId } of roots.filter(({ active }) => !active)) {
        commit(own, 'ca.retire', { rootId, activeRootId }, (result) => ({ name: 'tended', request: { what: '', result } }))
      }
      return answer
    }),
  },
})

export const numbersStartAnew: Mutant = mutant({
  name: 'numbers-start-anew',
  about: 'every server counts the certificates that it signs for itself',
  caughtBy: 'numbers-are-unique',
  nodes: 3,
  runsMax: 5,
  mutations: wrapHandler('ca', 'reserved', (handler) => (state, request, turn, from) => {
    const result = request as object
    return handler(state, 'from' in result ? { from: FIRST_NUMBER } : result, turn, from)
  }),
})

export const leafOfAnother: Mutant = mutant({
  name: 'leaf-of-another',
  about: 'a sidecar is given the certificate of another service',
  caughtBy: 'leaves-are-their-own',
  runsMax: 5,
  mutations: wrapHandler('leaf', 'leaf', (handler) => (state, request, turn, from) => {
    const { service, ...rest } = request as { service: string }
    return handler(state, { ...rest, service: service === 'web' ? 'db' : service }, turn, from)
  }),
})

const FIRST_NUMBER = 100

/** Puts something else in order than was proposed. */
function ordered(change: (command: AnyCommand) => AnyCommand | undefined): { wrapLog(log: Devices['log']): Devices['log'] } {
  return {
    wrapLog: (log) => ({
      perform: ({ commands }, done, event) =>
        log.perform({ commands: (commands as AnyCommand[]).map((command) => change(command) ?? command) }, done, event),
    }),
  }
}
