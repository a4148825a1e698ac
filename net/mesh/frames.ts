/**
 * `tribune/1`: connections of applications, called streams here, side by side over one mutual TLS connection of two sidecars.
 * It is negotiated by ALPN, and the side that dialled opens all streams. A frame is a header of 8 bytes, big-endian: the
 * stream's number (32 bits), the kind (8), a value (24). `data` is followed by as many bytes as its value says, nothing else is
 * followed by anything. Frames about a stream that is gone are no error: both sides may end it at once.
 */
export const PROTOCOL = 'tribune/1'
export const HEADER_BYTES = 8
export const VALUE_MAX = 0xffffff

export const KIND = {
  /** A new stream. Answered by `accepted` or by `refused`, whose value is one of `REFUSED`. */
  open: 1,
  accepted: 2,
  refused: 3,
  /** Bytes. No more than the receiver has granted, but for the end of what was read at once. */
  data: 4,
  /** No more bytes in this direction. */
  end: 5,
  /** The stream was cut off. So it is too when the TLS connection is lost. */
  reset: 6,
  /** The receiver takes so many bytes more. */
  grant: 7,
  /** Stream 0: no new streams on this connection; those that are open stay. */
  retire: 8,
  /** Stream 0: answered by `pong` at once, which tells how far the other side is. */
  ping: 9,
  pong: 10,
} as const
const KIND_MAX = KIND.pong

/** Why a stream was not taken. `retired`: another TLS connection would do. */
export const REFUSED = { retired: 1, limit: 2 } as const

/** What each side may send on a new stream before it is granted more. */
export const WINDOW_BYTES = 262_144
/** What may be sent beyond the grant: one read of a socket. */
export const OVERDRAFT_BYTES = 65_536

export interface FrameHandler {
  /** Nothing is handed over any more once this is so. */
  readonly isClosed: boolean
  frame(stream: number, kind: number, value: number): void
  /** Bytes of a stream, in as many pieces as they arrived in. */
  piece(stream: number, bytes: Buffer): void
}

export function writeHeader(at: Buffer, offset: number, stream: number, kind: number, value: number): void {
  at.writeUInt32BE(stream, offset)
  at.writeUInt32BE(((kind << 24) | value) >>> 0, offset + 4)
}

/** Finds the frames in what arrives, wherever it was cut apart. */
export class FrameReader {
  readonly #head = Buffer.alloc(HEADER_BYTES)
  #headBytes = 0
  #stream = 0
  #left = 0

  /** The answer says what is wrong with the bytes; undefined if nothing is. */
  read(chunk: Buffer, handler: FrameHandler): string | undefined {
    let at = 0
    while (at < chunk.length && !handler.isClosed) {
      if (this.#left > 0) {
        const end = Math.min(chunk.length, at + this.#left)
        this.#left -= end - at
        handler.piece(this.#stream, chunk.subarray(at, end))
        at = end
        continue
      }
      let head = chunk
      let headAt = at
      if (this.#headBytes > 0 || chunk.length - at < HEADER_BYTES) {
        const copied = chunk.copy(this.#head, this.#headBytes, at, at + HEADER_BYTES - this.#headBytes)
        this.#headBytes += copied
        at += copied
        if (this.#headBytes < HEADER_BYTES) return undefined
        this.#headBytes = 0
        head = this.#head
        headAt = 0
      } else at += HEADER_BYTES
      const kind = head.readUInt8(headAt + 4)
      const value = head.readUIntBE(headAt + 5, 3)
      this.#stream = head.readUInt32BE(headAt)
      if (kind === 0 || kind > KIND_MAX) return `a frame of an unknown kind ${kind}`
      if (kind === KIND.data) this.#left = value
      else handler.frame(this.#stream, kind, value)
    }
    return undefined
  }
}
