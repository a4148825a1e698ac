import type { Chunk } from './reader.ts'

/** Takes what one end of a connection sends. `data` answers false: no more until `resume`. */
export type Sink = { data(chunk: Chunk): boolean; end(): void }

/** One end of a proxied connection. Nobody reads from it before `flow`. */
export interface Leg {
  /** Calls `failed` with whatever breaks it, and `closed` once, later, when it is gone. */
  watch(failed: (error: unknown) => void, closed: () => void): void
  /** Begins to hand over what arrives; once. */
  flow(sink: Sink): void
  resume(): void
  /** Sends. False: enough is waiting, `drained` is called when there is room. Takes it all the same. */
  write(chunk: Chunk): boolean
  drained: () => void
  /** Nothing more is sent; what arrives still does. */
  end(): void
  /** Ends it at once and lets the other end see a reset, so that a cut stream cannot be taken for a complete one. */
  reset(): void
}

/** Counters that a splice keeps up to date: bytes from and to the accepted end. */
export type Traffic = { receivedBytes: number; sentBytes: number }

/** What may wait in one direction for a slow reader, beyond the system's own buffers. */
export const WAITING_BYTES_MAX = 262_144

/**
 * Joins two legs. Each direction has back-pressure of its own: a reader that does not keep up stops the other end from being
 * read. The end of one direction is passed on and leaves the other usable. Errors are left to whoever owns the legs.
 */
export function splice(accepted: Leg, dialled: Leg, traffic: Traffic): void {
  accepted.drained = () => dialled.resume()
  dialled.drained = () => accepted.resume()
  accepted.flow({
    data(chunk) {
      traffic.receivedBytes += chunk.bytes.length
      return dialled.write(chunk)
    },
    end: () => dialled.end(),
  })
  dialled.flow({
    data(chunk) {
      traffic.sentBytes += chunk.bytes.length
      return accepted.write(chunk)
    },
    end: () => accepted.end(),
  })
}
