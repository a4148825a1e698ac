import type { AnyActor } from './instance.ts'
import type { Ports } from './ports.ts'
import type { Peer, Ref } from './protocol.ts'
import type { Result } from './refusal.ts'

/** What a host is made of. */
export type HostOptions = {
  node: string
  thread: number
  ports: Ports
  /** Everything that can be started here, by name. */
  actors: readonly AnyActor[]
  /** The placement table: which thread an actor lives on, or which peer it is reached through where this agent has none. */
  place(actor: string, key: string, lane?: number): Peer
  /** Which peer an actor of another agent, or of another datacenter, is reached through. Default: the agent's name. */
  far?(to: Ref): string
  /** Opens a way to a peer on another agent; `disconnect` says when it is lost. Refused with `gone` if there is none. Default: there never is. */
  reach?(peer: string): Result<(batch: Uint8Array<ArrayBuffer>) => void>
  /** Whether a thread of this process is told of commits: only there may readers of the tables wait. Default: all are. */
  hears?(thread: number): boolean
  /** An actor is to run on a thread of this process that there is no link to; it is started there with the link. Default: no thread begins later. */
  begin?(thread: number): void
  /** Calls `work` soon, after what is at hand. */
  soon(work: () => void): void
  /** This thread cannot go on: an actor crashes again and again. */
  fatal(why: string): void
  /** Also sends messages on the same thread through the codec, as a link would. For simulations. */
  packLocally?: boolean
}
