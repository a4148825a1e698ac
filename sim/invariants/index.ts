import { leavesAreFresh } from './certificates.ts'
import { clientsCarryOn } from './clients.ts'
import { deniedCarriesNothing, deniedIsDenied, identitiesAreTrue } from './connections.ts'
import { nearestComeFirst, queriesAreTrue } from './discovery.ts'
import { eventsAreTrue } from './events.ts'
import { kvIsLinearizable, queriesAreLinearizable, registrationsSurvive } from './histories.ts'
import type { Invariant } from './invariant.ts'
import { aLockHasOneHolder, sessionsHaveRoots } from './locks.ts'
import { indexNeverGoesBack, mailboxesAreBounded, nothingBreaks } from './machines.ts'
import { healthyMembersStay, incarnationsNeverGoBack, leftStaysLeft, membersAgree } from './members.ts'
import { proofsHold } from './proofs.ts'
import { readersMissNothing, watchesAreTrue, watchesMissNothing } from './readers.ts'
import { serversShowOneHistory } from './replicas.ts'
import { leavesAreTheirOwn, numbersAreUnique, oneRootSigns, rootsStayWhileNeeded, sidecarsAreBelieved } from './rotation.ts'
import { snapshotsAreWhole } from './snapshots.ts'
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
  sessionsHaveRoots,
  indexNeverGoesBack,
  mailboxesAreBounded,
  readersMissNothing,
  watchesAreTrue,
  watchesMissNothing,
  deniedIsDenied,
  deniedCarriesNothing,
  proofsHold,
  clientsCarryOn,
  leavesAreTheirOwn,
  identitiesAreTrue,
  leavesAreFresh,
  sidecarsAreBelieved,
  oneRootSigns,
  rootsStayWhileNeeded,
  numbersAreUnique,
  queriesAreTrue,
  queriesAreLinearizable,
  nearestComeFirst,
  eventsAreTrue,
  snapshotsAreWhole,
  healthyMembersStay,
  incarnationsNeverGoBack,
  leftStaysLeft,
  membersAgree,
]
