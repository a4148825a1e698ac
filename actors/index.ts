import type { AnyActor } from '../src/kernel/instance.ts'
import { agent } from './agent.ts'
import { kv } from './kv/index.ts'
import { ledger } from './ledger.ts'

/** Everything that can be started, whatever its protocol. */
export const actors: readonly AnyActor[] = [agent, ledger, kv] as unknown as readonly AnyActor[]
