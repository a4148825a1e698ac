import type { Turn } from '../../src/kernel/actor.ts'
import type { Cast } from '../../src/kernel/protocol.ts'
import { type Mutant, mutant, wrapHandler } from './mutant.ts'

export const proofTooEarly: Mutant = mutant({
  name: 'proof-too-early',
  about: 'a sidecar says that it has new intentions in force before it goes by them',
  caughtBy: 'proofs-hold',
  runsMax: 40,
  mutations: wrapHandler('proxy', 'intentions', (handler) => (state, request, turn, from) => {
    const told = request as Told
    if (told.isLate) return handler(state, request, turn, from)
    const { enforced } = state as { enforced: { intentionIndex: number } }
    enforced.intentionIndex = told.index
    const later = turn as Turn<Retold>
    later.again({ name: 'tell', request: null })
    later.timer('late', LATE_MS, { name: 'intentions', request: { ...told, isLate: true } })
    return undefined
  }),
})

export const reportsEnd: Mutant = mutant({
  name: 'reports-end',
  about: 'an agent tells the cluster once of its sidecars, and no more',
  caughtBy: 'reports-are-true',
  runsMax: 5,
  mutations: wrapHandler('proxies', 'reported', () => () => undefined),
})

type Told = { index: number; isLate?: true }
type Retold = { tell: Cast<null>; intentions: Cast<Told> }

/** Sooner than anybody may complain who has no proof. */
const LATE_MS = 500
