import { proofsOf } from '../proofs.ts'
import type { Invariant } from './invariant.ts'

export const proofsHold: Invariant = {
  name: 'proofs-hold',
  sentence:
    'when an agent answers that a deny is in force on every sidecar of a service, none of them has a connection open that it forbids',
  when: 'always',
  marks: [{ name: 'proof looked at', kind: 'intention.prove', events: 6 }],
  broken: (run) => proofsOf(run).wrong,
}
