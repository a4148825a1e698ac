import { defineActor } from '../src/kernel/actor.ts'
import type { ActorStats } from '../src/kernel/instance.ts'
import { type Call, refOf } from '../src/kernel/protocol.ts'

/** What a thread tells of itself. One actor a thread, its key is the thread's number. */
export type ThreadProtocol = {
  stats: Call<null, ActorStats[]>
  counters: Call<null, [name: string, value: number][]>
}

export function threadRef(thread: number) {
  return refOf<ThreadProtocol>('thread', String(thread))
}

/** What the host of a thread knows; it is handed to its actor when the thread is built. */
export type ThreadFacts = { stats: () => ActorStats[]; counters: () => [string, number][] }

export function threadActor({ stats, counters }: ThreadFacts) {
  return defineActor<ThreadProtocol, object, null>({
    name: 'thread',
    mailboxMax: 256,
    init: () => null,
    on: { stats: () => stats(), counters: () => counters() },
  })
}
