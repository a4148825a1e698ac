import type { Kind } from '../kind.ts'
import { coordinateUpdate, nearestAsk } from './coordinates.ts'
import { eventBurst, eventFire, eventFollow, eventList } from './events.ts'
import { allow, deny, forgetRule } from './intentions.ts'
import { kvBurst, kvDelete, kvDeleteTree, kvGetOnce, kvPut } from './kv.ts'
import { lockFail, lockLose, lockRelease, lockRenew, lockTake, nodeRemove } from './locks.ts'
import {
  memberCrash,
  memberLeaves,
  memberStalls,
  membersFound,
  membersJoin,
  membersLosePackets,
  membersSplit,
  memberTells,
} from './members.ts'
import { prove } from './proofs.ts'
import { queryChange, queryCreate, queryExecute } from './queries.ts'
import { deregister, maintenance, register, tellCheck } from './registrations.ts'
import { abort, changeLeafLife, rehearse, rotate } from './rotation.ts'
import { snapshotRestore, snapshotSave } from './snapshots.ts'
import { stranger } from './strangers.ts'
import { crowd, traffic } from './traffic.ts'
import { transfer } from './transfers.ts'
import { watch } from './watches.ts'

/** Everything that clients do. */
export const workloads: readonly Kind[] = [
  kvPut,
  kvGetOnce,
  kvDelete,
  kvDeleteTree,
  kvBurst,
  transfer,
  lockTake,
  lockRelease,
  lockRenew,
  lockLose,
  lockFail,
  nodeRemove,
  watch,
  register,
  deregister,
  tellCheck,
  maintenance,
  traffic,
  crowd,
  stranger,
  deny,
  allow,
  forgetRule,
  prove,
  rotate,
  rehearse,
  abort,
  changeLeafLife,
  queryCreate,
  queryChange,
  queryExecute,
  coordinateUpdate,
  nearestAsk,
  eventFire,
  eventBurst,
  eventList,
  eventFollow,
  snapshotSave,
  snapshotRestore,
  membersFound,
  memberCrash,
  memberStalls,
  memberLeaves,
  membersJoin,
  memberTells,
  membersSplit,
  membersLosePackets,
]
