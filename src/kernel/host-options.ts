import type { AnyActor } from './instance.ts'
import type { Ports } from './ports.ts'

/** What a host is made of. */
export type HostOptions = {
  node: string
  thread: number
  ports: Ports
  /** Everything that can be started here, by name. */
  actors: readonly AnyActor[]
  /** The placement table: which thread an actor lives on. */
  place(actor: string, key: string, lane?: number): number
  /** Whether a thread of this process is told of commits: only there may readers of the tables wait. Default: all are. */
  hears?(thread: number): boolean
  /** Calls `work` soon, after what is at hand. */
  soon(work: () => void): void
  /** This thread cannot go on: an actor crashes again and again. */
  fatal(why: string): void
  /** Also sends messages on the same thread through the codec, as a link would. For simulations. */
  packLocally?: boolean
}
