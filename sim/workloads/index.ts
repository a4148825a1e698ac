import type { Kind } from '../kind.ts'
import { allow, deny, forgetRule } from './intentions.ts'
import { kvBurst, kvDelete, kvDeleteTree, kvGetOnce, kvPut } from './kv.ts'
import { lockLose, lockRelease, lockRenew, lockTake } from './locks.ts'
import { deregister, maintenance, register, tellCheck } from './registrations.ts'
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
]
