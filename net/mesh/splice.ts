import type { Socket } from 'node:net'
import type { PooledReader } from './reader.ts'

/**
 * One end of a proxied connection. `stream` carries the application's bytes, `tcp` is the socket under it: the same one unless
 * TLS is in between. With `reader`, that is where the bytes arrive. `isPath` marks a socket path, which knows no resets.
 */
export type Leg = { readonly stream: Socket; readonly tcp: Socket; readonly reader?: PooledReader; readonly isPath?: boolean }

/** Counters that a splice keeps up to date: bytes from and to the accepted end. */
export type Traffic = { receivedBytes: number; sentBytes: number }

/**
 * Joins two legs. Each direction has back-pressure of its own: a reader that does not keep up stops the other end from being
 * read. The end of one direction is passed on and leaves the other usable. Errors are left to whoever owns the legs.
 */
export function splice(accepted: Leg, dialled: Leg, traffic: Traffic): void {
  pump(accepted, dialled, (bytes) => {
    traffic.receivedBytes += bytes
  })
  pump(dialled, accepted, (bytes) => {
    traffic.sentBytes += bytes
  })
}

/** What may wait in one direction for a slow reader, beyond the system's own buffers. */
const WAITING_BYTES_MAX = 262_144

function pump(source: Leg, sink: Leg, count: (bytes: number) => void): void {
  const from = source.stream
  const to = sink.stream
  if (source.reader === undefined) {
    // TLS arrives in records. Those of one turn of the event loop leave in one system call.
    const gather = from !== source.tcp && to === sink.tcp
    from.on('data', (chunk: Buffer) => {
      count(chunk.length)
      if (gather && chunk.length >= GATHER_BYTES_MIN) hold(to)
      if (!to.write(chunk) && to.writableLength >= WAITING_BYTES_MAX) from.pause()
    })
  } else {
    source.reader.sink = (chunk, release) => {
      count(chunk.length)
      return to.write(chunk, release) || to.writableLength < WAITING_BYTES_MAX
    }
  }
  to.on('drain', () => from.resume())
  from.once('end', () => to.end())
  from.resume()
}

/** Shorter records are the end of a message, which ought to leave at once. */
const GATHER_BYTES_MIN = 8_192

const held: Socket[] = []

/** Gathers what is written until the end of this turn of the event loop. */
function hold(socket: Socket): void {
  if (socket.writableCorked > 0) return
  socket.cork()
  if (held.push(socket) === 1) setImmediate(letGo)
}

function letGo(): void {
  for (const socket of held.splice(0)) socket.uncork()
}

/**
 * Ends a leg at once and lets its other end see a reset, so that a cut stream cannot be taken for a complete one. Only the lower
 * socket is touched: TLS follows when that has closed, never in the middle of its own callbacks.
 */
export function reset({ stream, tcp, isPath }: Leg): void {
  if (tcp.destroyed) return
  // The system refuses to reset while a shutdown is on its way; all bytes have left then, and closing cuts nothing off.
  const isShuttingDown = stream.writableEnded && !stream.writableFinished && stream.writableLength === 0
  if (isShuttingDown || isPath) stream.destroy()
  else tcp.resetAndDestroy()
}
