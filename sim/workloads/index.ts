import type { Kind } from '../kind.ts'
import { allow, deny, forgetRule } from './intentions.ts'
import { kvDelete, kvGetOnce, kvPut } from './kv.ts'
import { deregister, register } from './registrations.ts'
import { stranger } from './strangers.ts'
import { crowd, traffic } from './traffic.ts'

/** Everything that clients do. */
export const workloads: readonly Kind[] = [
  kvPut,
  kvGetOnce,
  kvDelete,
  register,
  deregister,
  traffic,
  crowd,
  stranger,
  deny,
  allow,
  forgetRule,
]
