import type { Stream } from '@libp2p/interface'
import { BATCH_BYTES_MAX, type FrameEvents, type FrameStream, tooLarge } from '../../src/links.ts'

/** What waits for a slow agent at the most; then it counts as lost. */
const QUEUE_BYTES_MAX = 2 * BATCH_BYTES_MAX
/** Large batches go in pieces, so that a stream can pause between them. */
const PIECE_BYTES_MAX = 65_536
const PING_MS = 10_000
/** An agent that says nothing for so long, although it is asked, counts as lost. */
const SILENCE_MS_MAX = 25_000
/** Length of what follows, kind, channel. */
const HEAD_BYTES = 9
const LENGTH_BYTES = 4

export type FrameOptions = { pingMs?: number; silenceMsMax?: number }

const BYE_MS_MAX = 2_000
const OPEN = 1
const BATCH = 2
const PIECE = 3
const CLOSE = 4
const PING = 5
const PONG = 6
const BYE = 7
const BY_OPENER = 0x80

/**
 * What two agents say to each other over one stream: a length of 4 bytes, one byte for the kind, 4 for the channel, then what is said. A batch
 * goes in pieces, of which the last has a kind of its own; nothing else comes between them. Who writes garbage, too much or nothing is cut off.
 */
export function frameStream(stream: Stream, events: FrameEvents, options: FrameOptions = {}): FrameStream {
  const { pingMs = PING_MS, silenceMsMax = SILENCE_MS_MAX } = options
  const waiting: Buffer[] = []
  let waitingBytes = 0
  let isOver = false
  let heardAtMs = performance.now()
  let held: Buffer = Buffer.alloc(0)
  let pieces: { key: number; parts: Buffer[]; bytes: number } | undefined

  const ping = setInterval(() => {
    const silentMs = performance.now() - heardAtMs
    if (silentMs > silenceMsMax) cut(`it has said nothing for ${Math.round(silentMs / 1_000)} s`)
    else write(PING, 0, [])
  }, pingMs)
  ping.unref()

  function end(why: string): void {
    if (isOver) return
    isOver = true
    clearInterval(ping)
    waiting.length = 0
    held = Buffer.alloc(0)
    pieces = undefined
    events.ended(why)
  }

  /** Without another word. */
  function cut(why: string): void {
    if (stream.status === 'open' || stream.status === 'closing') stream.abort(new Error(why))
    end(why)
  }

  function write(kind: number, channel: number, parts: readonly Uint8Array[]): void {
    if (isOver) return
    const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0)
    const head = Buffer.allocUnsafe(HEAD_BYTES)
    head.writeUInt32BE(HEAD_BYTES - LENGTH_BYTES + bytes)
    head.writeUInt8(kind, LENGTH_BYTES)
    head.writeUInt32BE(channel, LENGTH_BYTES + 1)
    const frame = Buffer.concat([head, ...parts])
    waitingBytes += frame.length
    waiting.push(frame)
    if (waitingBytes > QUEUE_BYTES_MAX) return cut(`it is too slow: ${waitingBytes} bytes wait for it`)
    flush()
  }

  function flush(): void {
    try {
      while (waiting.length > 0 && !isOver && stream.writeStatus === 'writable' && !stream.writableNeedsDrain) {
        const frame = waiting.shift() as Buffer
        waitingBytes -= frame.length
        stream.send(frame)
      }
    } catch (error) {
      cut(error instanceof Error ? error.message : String(error))
    }
  }

  function take({ data }: { data: Uint8Array | { subarray(): Uint8Array } }): void {
    heardAtMs = performance.now()
    const bytes = data.subarray()
    held = held.length === 0 ? Buffer.from(bytes) : Buffer.concat([held, bytes])
    let at = 0
    while (!isOver && held.length - at >= HEAD_BYTES) {
      const length = held.readUInt32BE(at)
      if (length < HEAD_BYTES - LENGTH_BYTES || length > HEAD_BYTES - LENGTH_BYTES + PIECE_BYTES_MAX)
        return bye(`a frame of ${length} bytes`)
      if (held.length - at < LENGTH_BYTES + length) break
      const fault = read(
        held.readUInt8(at + LENGTH_BYTES),
        held.readUInt32BE(at + LENGTH_BYTES + 1),
        held.subarray(at + HEAD_BYTES, at + LENGTH_BYTES + length),
      )
      if (fault !== undefined) return bye(fault)
      at += LENGTH_BYTES + length
    }
    held = held.subarray(at)
  }

  /** Says what is wrong with it. */
  function read(flagged: number, channel: number, body: Buffer): string | undefined {
    const byOpener = (flagged & BY_OPENER) !== 0
    const kind = flagged & ~BY_OPENER
    if (pieces !== undefined && kind !== BATCH && kind !== PIECE) return 'a batch is interrupted'
    switch (kind) {
      case PING:
        write(PONG, 0, [])
        return undefined
      case PONG:
        return undefined
      case OPEN: {
        const [, thread, role] = /^(\d{1,4}) ([a-z]{1,16})$/.exec(body.toString('latin1')) ?? []
        if (thread === undefined || role === undefined) return 'a channel that is opened for nobody'
        events.frame({ is: 'open', channel, thread: Number(thread), role })
        return undefined
      }
      case CLOSE:
        events.frame({ is: 'close', channel, byOpener, why: body.toString('utf8') })
        return undefined
      case BYE: {
        const why = body.toString('utf8')
        events.frame({ is: 'bye', why })
        cut(why)
        return undefined
      }
      case PIECE:
      case BATCH:
        return assemble(channel * 2 + (byOpener ? 1 : 0), kind === BATCH, body, (batch) =>
          events.frame({ is: 'batch', channel, byOpener, batch }),
        )
      default:
        return `a frame of kind ${kind}`
    }
  }

  function assemble(key: number, isLast: boolean, body: Buffer, done: (batch: Uint8Array) => void): string | undefined {
    pieces ??= { key, parts: [], bytes: 0 }
    if (pieces.key !== key) return 'the pieces of two batches are mixed'
    pieces.bytes += body.length
    if (pieces.bytes > BATCH_BYTES_MAX) return `a batch of more than ${BATCH_BYTES_MAX} bytes`
    pieces.parts.push(isLast ? body : Buffer.from(body))
    if (!isLast) return undefined
    // Of its exact size: it goes on to another thread, which would be given the whole pool of a view.
    const batch = new Uint8Array(pieces.bytes)
    let at = 0
    for (const part of pieces.parts) {
      batch.set(part, at)
      at += part.length
    }
    pieces = undefined
    done(batch)
    return undefined
  }

  function bye(why: string, here = why): void {
    if (isOver) return
    write(BYE, 0, [Buffer.from(why).subarray(0, PIECE_BYTES_MAX)])
    end(here)
    stream.close({ signal: AbortSignal.timeout(BYE_MS_MAX) }).catch((error: unknown) => {
      if (stream.status === 'open' || stream.status === 'closing') stream.abort(error instanceof Error ? error : new Error(String(error)))
    })
  }

  stream.addEventListener('message', take)
  stream.addEventListener('drain', flush)
  // Later: what was said before may not be read yet, such as why it ends.
  stream.addEventListener('close', () => setImmediate(end, 'the connection ended'))
  stream.addEventListener('remoteCloseWrite', () => setImmediate(cut, 'the connection ended'))

  return {
    send(frame) {
      switch (frame.is) {
        case 'open':
          return write(OPEN | BY_OPENER, frame.channel, [Buffer.from(`${frame.thread} ${frame.role}`)])
        case 'close':
          return write(CLOSE | sideOf(frame), frame.channel, [Buffer.from(frame.why).subarray(0, PIECE_BYTES_MAX)])
        case 'bye':
          return bye(frame.why)
        case 'batch': {
          const { batch, channel } = frame
          if (batch.byteLength > BATCH_BYTES_MAX) return bye(tooLarge(batch))
          let at = 0
          for (; batch.byteLength - at > PIECE_BYTES_MAX; at += PIECE_BYTES_MAX)
            write(PIECE | sideOf(frame), channel, [batch.subarray(at, at + PIECE_BYTES_MAX)])
          return write(BATCH | sideOf(frame), channel, [batch.subarray(at)])
        }
      }
    },
    bye,
  }
}

function sideOf({ byOpener }: { byOpener: boolean }): number {
  return byOpener ? BY_OPENER : 0
}
