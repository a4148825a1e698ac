import { defineActor } from '../src/kernel/actor.ts'
import type { ActorStats } from '../src/kernel/instance.ts'
import { type Call, refOf } from '../src/kernel/protocol.ts'
import type { Measured } from '../src/kernel/sample.ts'

/** What a thread tells of itself. One actor a thread, its key is the thread's number. */
export type ThreadProtocol = {
  stats: Call<null, ActorStats[]>
  counters: Call<null, [name: string, value: number][]>
  /** Its counters, and what was measured since the last time, for the one who puts them together. */
  measures: Call<null, ThreadMeasures>
}

export type ThreadMeasures = {
  counters: [name: string, total: number][]
  samples: [metric: string, measured: Measured][]
  /** What is so now; threads add up. */
  levels: [name: string, level: number][]
  /** Bytes of the heap in use. */
  heapBytes: number
  /** Since the thread began. */
  collections: number
  collectedMs: number
  actors: number
}

export function threadRef(thread: number) {
  return refOf<ThreadProtocol>('thread', String(thread))
}

/** What the host of a thread knows; it is handed to its actor when the thread is built. */
export type ThreadFacts = {
  stats: () => ActorStats[]
  counters: () => [string, number][]
  measures: () => ThreadMeasures
}

export function threadActor({ stats, counters, measures }: ThreadFacts) {
  return defineActor<ThreadProtocol, object, null>({
    name: 'thread',
    mailboxMax: 256,
    init: () => null,
    on: { stats: () => stats(), counters: () => counters(), measures: () => measures() },
  })
}
