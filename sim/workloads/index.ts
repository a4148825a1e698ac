import type { Kind } from '../plan.ts'
import type { Run } from '../run.ts'
import { kvDelete, kvGetOnce, kvPut } from './kv.ts'
import { deregister, register } from './registrations.ts'
import { allow, deny, traffic } from './traffic.ts'

/** Everything that clients do. */
export const workloads: readonly Kind<Run>[] = [kvPut, kvGetOnce, kvDelete, register, deregister, traffic, deny, allow]
