import { answersKeptTooLong, watchHearsNothing, watchWakesForNothing } from './answers.ts'
import {
  appliesByName,
  blindCas,
  crashesNowAndThen,
  followerSkips,
  groupLosesLast,
  removalUnannounced,
  statusStays,
  treeKeepsFirst,
} from './changes.ts'
import { feedsNotKept, keptFeedsNeverReplaced, lostServerNotReplaced, writeAskedAgain } from './clients.ts'
import { executionsKept, nearIgnored, queryUpdateLost } from './discovery.ts'
import { answerBeforeDurable, indexStartsAnew, lateIsDone, noticeLost, noticeTooEarly, storeForgets } from './durability.ts'
import { eventsLost, eventsTwice, eventsUntold } from './events.ts'
import { mailboxTooSmall } from './kernel.ts'
import { lockDelayIgnored, renewalForgotten, sessionsOutliveTheirChecks, sessionsOutliveTheirTime } from './locks.ts'
import { accusesTheWell, believesTheOlder, leftComesBack, neverRefutes } from './members.ts'
import {
  deniedGetsIn,
  denyLeavesOpen,
  firstPeerForAll,
  leafNeverRenewed,
  leafRenewedLate,
  newDeniesUnheard,
  wildcardWins,
  wrongInstances,
} from './mesh.ts'
import type { Mutant } from './mutant.ts'
import { proofTooEarly, reportsEnd } from './proofs.ts'
import { bothRootsSign, leafOfAnother, nothingLeadsBack, numbersStartAnew, rootsLeaveAtOnce, spreadsNothing } from './rotation.ts'
import { restoreLeavesOut } from './snapshots.ts'
import { halfTransactions } from './transactions.ts'

export { type Mutant, type Mutations, SOUND } from './mutant.ts'

/** Every mutant. A campaign with one of them must fail within its `runsMax` runs. */
export const mutants: readonly Mutant[] = [
  answerBeforeDurable,
  storeForgets,
  lateIsDone,
  indexStartsAnew,
  noticeTooEarly,
  noticeLost,
  watchWakesForNothing,
  answersKeptTooLong,
  watchHearsNothing,
  blindCas,
  treeKeepsFirst,
  groupLosesLast,
  halfTransactions,
  appliesByName,
  followerSkips,
  removalUnannounced,
  statusStays,
  crashesNowAndThen,
  denyLeavesOpen,
  deniedGetsIn,
  wildcardWins,
  newDeniesUnheard,
  firstPeerForAll,
  wrongInstances,
  leafNeverRenewed,
  leafRenewedLate,
  proofTooEarly,
  reportsEnd,
  nothingLeadsBack,
  spreadsNothing,
  bothRootsSign,
  rootsLeaveAtOnce,
  numbersStartAnew,
  leafOfAnother,
  lockDelayIgnored,
  renewalForgotten,
  sessionsOutliveTheirTime,
  sessionsOutliveTheirChecks,
  eventsTwice,
  eventsLost,
  eventsUntold,
  restoreLeavesOut,
  mailboxTooSmall,
  executionsKept,
  queryUpdateLost,
  nearIgnored,
  neverRefutes,
  accusesTheWell,
  believesTheOlder,
  leftComesBack,
  lostServerNotReplaced,
  writeAskedAgain,
  keptFeedsNeverReplaced,
  feedsNotKept,
]
