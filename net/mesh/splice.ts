import type { Socket } from 'node:net'

/** One end of a proxied connection. `stream` carries the application's bytes, `tcp` is the socket under it: the same one unless TLS is in between. */
export type Leg = { readonly stream: Socket; readonly tcp: Socket }

/** Counters that a splice keeps up to date: bytes from and to the accepted end. */
export type Traffic = { receivedBytes: number; sentBytes: number }

/**
 * Joins two legs. Each direction has back-pressure of its own: a reader that does not keep up stops the other end from being
 * read. The end of one direction is passed on and leaves the other usable. Errors are left to whoever owns the legs.
 */
export function splice(accepted: Leg, dialled: Leg, traffic: Traffic): void {
  pump(accepted.stream, dialled.stream, (bytes) => {
    traffic.receivedBytes += bytes
  })
  pump(dialled.stream, accepted.stream, (bytes) => {
    traffic.sentBytes += bytes
  })
}

function pump(from: Socket, to: Socket, count: (bytes: number) => void): void {
  from.on('data', (chunk: Buffer) => {
    count(chunk.length)
    if (!to.write(chunk)) from.pause()
  })
  from.once('end', () => to.end())
  to.on('drain', () => from.resume())
  from.resume()
}

/** Ends a leg at once and lets its other end see a reset, so that a cut stream cannot be taken for a complete one. */
export function reset(leg: Leg): void {
  if (leg.tcp.destroyed) leg.stream.destroy()
  else leg.tcp.resetAndDestroy()
  leg.stream.destroy()
}
