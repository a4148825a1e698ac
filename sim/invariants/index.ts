import { leavesAreFresh } from './certificates.ts'
import { deniedCarriesNothing, deniedIsDenied, identitiesAreTrue } from './connections.ts'
import { kvIsLinearizable, registrationsSurvive } from './histories.ts'
import type { Invariant } from './invariant.ts'
import { aLockHasOneHolder } from './locks.ts'
import { indexNeverGoesBack, mailboxesAreBounded, nothingBreaks } from './machines.ts'
import { readersMissNothing, watchesAreTrue, watchesMissNothing } from './readers.ts'
import { serversShowOneHistory } from './replicas.ts'
import { transactionsAreWhole } from './transfers.ts'

export type { Invariant } from './invariant.ts'

/** Everything that must hold. */
export const invariants: readonly Invariant[] = [
  nothingBreaks,
  serversShowOneHistory,
  kvIsLinearizable,
  registrationsSurvive,
  transactionsAreWhole,
  aLockHasOneHolder,
  indexNeverGoesBack,
  mailboxesAreBounded,
  readersMissNothing,
  watchesAreTrue,
  watchesMissNothing,
  deniedIsDenied,
  deniedCarriesNothing,
  identitiesAreTrue,
  leavesAreFresh,
]
