import { carryingOnOf } from '../carrying-on.ts'
import type { Invariant } from './invariant.ts'

export const clientsCarryOn: Invariant = {
  name: 'clients-carry-on',
  sentence:
    'while every server is away, services of client agents reach each other as before, also when their agent is started again meanwhile',
  when: 'always',
  broken: (run) => carryingOnOf(run).wrong,
}
