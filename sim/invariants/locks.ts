import { lockersOf } from '../locks.ts'
import { lockFault } from '../models/lock.ts'
import type { Invariant } from './invariant.ts'

export const aLockHasOneHolder: Invariant = {
  name: 'a-lock-has-one-holder',
  sentence: 'a lock has one holder, and is not taken too soon after its holder was lost',
  when: 'rest',
  broken: (run) => lockFault(lockersOf(run).history),
}
