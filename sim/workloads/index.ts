import type { Kind } from '../kind.ts'
import { kvDelete, kvGetOnce, kvPut } from './kv.ts'
import { deregister, register } from './registrations.ts'
import { allow, deny, traffic } from './traffic.ts'

/** Everything that clients do. */
export const workloads: readonly Kind[] = [kvPut, kvGetOnce, kvDelete, register, deregister, traffic, deny, allow]
