import type { Socket } from 'node:net'
import type { Chunk, PooledReader } from './reader.ts'
import { type Leg, type Sink, WAITING_BYTES_MAX } from './splice.ts'

/**
 * A leg that has a connection for itself. `stream` carries the application's bytes, `tcp` is the socket under it: the same one
 * unless TLS is in between. With `reader`, that is where the bytes arrive. `isPath` marks a socket path, which knows no resets.
 */
export type SocketLegOptions = { readonly stream: Socket; readonly tcp: Socket; readonly reader?: PooledReader; readonly isPath?: boolean }

export class SocketLeg implements Leg {
  drained: () => void = () => undefined
  readonly #stream: Socket
  readonly #tcp: Socket
  readonly #reader: PooledReader | undefined
  readonly #isPath: boolean

  constructor({ stream, tcp, reader, isPath = false }: SocketLegOptions) {
    this.#stream = stream
    this.#tcp = tcp
    this.#reader = reader
    this.#isPath = isPath
  }

  watch(failed: (error: unknown) => void, closed: () => void): void {
    this.#stream.on('error', failed)
    if (this.#tcp !== this.#stream) this.#tcp.on('error', failed)
    this.#stream.once('close', closed)
  }

  flow(sink: Sink): void {
    const stream = this.#stream
    if (this.#reader === undefined) {
      stream.on('data', (bytes: Buffer) => {
        if (!sink.data({ bytes })) stream.pause()
      })
    } else this.#reader.sink = (chunk) => sink.data(chunk)
    stream.once('end', () => sink.end())
    stream.on('drain', () => this.drained())
    stream.resume()
  }

  resume(): void {
    this.#stream.resume()
  }

  write({ bytes, release }: Chunk): boolean {
    const stream = this.#stream
    // What arrives in TLS records leaves in one system call for each turn of the event loop.
    if (bytes.length >= GATHER_BYTES_MIN && stream === this.#tcp) hold(stream)
    return stream.write(bytes, release) || stream.writableLength < WAITING_BYTES_MAX
  }

  end(): void {
    this.#stream.end()
  }

  /** Only the lower socket is touched: TLS follows when that has closed, never in the middle of its own callbacks. */
  reset(): void {
    resetSocket(this.#stream, this.#tcp, this.#isPath)
  }
}

export function resetSocket(stream: Socket, tcp: Socket, isPath = false): void {
  if (tcp.destroyed) return
  // The system refuses to reset while a shutdown is on its way; all bytes have left then, and closing cuts nothing off.
  const isShuttingDown = stream.writableEnded && !stream.writableFinished && stream.writableLength === 0
  if (isShuttingDown || isPath) stream.destroy()
  else tcp.resetAndDestroy()
}

/** Shorter pieces are the end of a message, which ought to leave at once. */
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
