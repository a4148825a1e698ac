import { getHeapStatistics } from 'node:v8'
import { type ThreadMeasures, threadActor } from '../actors/thread.ts'
import type { Config } from './config/config.ts'
import { Host } from './kernel/host.ts'
import type { HostOptions } from './kernel/host-options.ts'
import type { AnyActor } from './kernel/instance.ts'
import type { Ports } from './kernel/ports.ts'
import { hearsOfCommits, type Layout, placeFar, placement, placer } from './placement.ts'

export type ThreadOptions = {
  config: Config
  layout: Layout
  thread: number
  ports: Ports
  soon(work: () => void): void
  fatal(why: string): void
  packLocally?: boolean
  /** Opens a way to another agent. Default: there is none. */
  reach?: HostOptions['reach']
  /** Another thread of this layout is needed that may not run yet. */
  begin?: NonNullable<HostOptions['begin']>
  /** What can be started. */
  definitions: readonly AnyActor[]
  /** What the garbage collector of this thread has done. Default: it is not told. */
  garbage?: () => Garbage
}

/** Since the thread began. */
type Garbage = Pick<ThreadMeasures, 'collections' | 'collectedMs'>

/** Makes one thread of a node, in a worker or in a simulation. Its actors begin with `startActors`, once its links are there. */
export function createThread({ config, layout, thread, definitions, garbage = untold, reach, ...options }: ThreadOptions): Host {
  const facts = { stats: () => host.stats(), counters: () => [...host.counters], measures: () => measuresOf(host, garbage()) }
  const own = threadActor(facts) as unknown as AnyActor
  const host: Host = new Host({
    ...options,
    node: config.node.name,
    thread,
    actors: [...definitions, own],
    place: placer(layout, config.server, thread),
    far: placeFar,
    ...(reach && { reach }),
    hears: hearsOfCommits(layout),
  })
  return host
}

/** Starts the actors whose place is this thread. `given`: by name, what some are started with in place of what the table says. */
export function startActors(host: Host, config: Config, layout: Layout, given: Readonly<Record<string, unknown>> = {}): void {
  const place = placer(layout, config.server, host.thread)
  for (const [actor, { args, started }] of Object.entries(placement)) {
    if (started !== false && place(actor, '') === host.thread) host.start(actor, '', given[actor] ?? args?.(config))
  }
  host.start('thread', String(host.thread), null)
}

function measuresOf(host: Host, garbage: Garbage): ThreadMeasures {
  return {
    counters: [...host.counters],
    samples: host.samples.take(),
    levels: [...host.levels],
    heapBytes: getHeapStatistics().used_heap_size,
    ...garbage,
    actors: host.stats().length,
  }
}

function untold(): Garbage {
  return { collections: 0, collectedMs: 0 }
}
