import type { Socket } from 'node:net'
import { type Carriage, Carried } from './carried.ts'
import { type FrameHandler, FrameReader, HEADER_BYTES, KIND, REFUSED, VALUE_MAX, writeHeader } from './frames.ts'
import { type Chunk, largePage, type Page, type PooledReader } from './reader.ts'
import { failureOf, handshakeReason } from './reasons.ts'
import { WAITING_BYTES_MAX } from './splice.ts'
import type { PeerCertificate } from './tls.ts'

export type CarrierOptions = {
  readonly stream: Socket
  /** The socket under it, where it is another one. */
  readonly tcp?: Socket
  readonly peer: PeerCertificate
  /** Where bytes arrive, if the socket was made with it. */
  readonly reader?: PooledReader
  /** It ends when no stream has been on it for so long. */
  readonly idleMs: number
  /** For the side that was dialled: takes the other side's streams. */
  readonly host?: CarrierHost
  /** It ends or has ended: nothing new will be on it. */
  readonly ended: () => void
}

export type CarrierHost = {
  /** Why no other stream is wanted now, of `REFUSED`; undefined if one is. */
  refusal(): number | undefined
  arrived(stream: Carried): void
}

/** `full`: the other side takes no more. `again`: another TLS connection may do; `why` this one did not. */
export type Opening = { readonly carried: Carried } | { readonly full: true } | { readonly again: boolean; readonly why: string }

/** A verified TLS connection between two sidecars that many connections share (see frames.ts). */
export class Carrier implements Carriage, FrameHandler {
  readonly peer: PeerCertificate
  isFull = false
  isClosed = false
  roundTripMs = 0
  readonly #options: CarrierOptions
  readonly #stream: Socket
  readonly #frames = new FrameReader()
  readonly #streams = new Map<number, Carried>()
  readonly #openings = new Map<number, (opening: Opening) => void>()
  readonly #startedMs = performance.now()
  #usedMs = performance.now()
  #idle: NodeJS.Timeout
  #isRetired = false
  /** The other side has let this one in. */
  #isProven = false
  #lastStream = 0
  /** Streams that have more to send, in the order of their turns. */
  readonly #waiting = new Set<Carried>()
  /** Small frames of one turn of the event loop leave together. */
  #batch: Page | undefined
  #batchBytes = 0
  #grownBytes = 0
  /** What is being read, if it is to be handed back. */
  #shared: Shared | undefined

  constructor(options: CarrierOptions) {
    const { stream, tcp, peer, reader, idleMs } = options
    this.#options = options
    this.#stream = stream
    this.peer = peer
    if (reader === undefined) stream.on('data', (bytes: Buffer) => this.#read({ bytes }))
    else {
      reader.sink = (chunk) => {
        this.#read(chunk)
        return true
      }
    }
    stream.on('error', (error) => this.#lost(handshakeReason(failureOf(error))))
    tcp?.on('error', (error) => this.#lost(handshakeReason(failureOf(error))))
    stream.once('end', () => this.#lost(CLOSED))
    stream.once('close', () => this.#lost(CLOSED))
    stream.on('drain', () => this.#drained())
    stream.resume()
    this.#idle = setTimeout(() => this.#endIfIdle(), idleMs).unref()
    this.send(0, KIND.ping, 0)
  }

  /** How many streams are on it or asked for. */
  get size(): number {
    return this.#streams.size + this.#openings.size
  }

  /** Whether it may take another stream. Its peer's certificate counts for each anew. */
  takesMore(): boolean {
    const isOld = performance.now() - this.#startedMs > LIFE_MS_MAX || this.#lastStream >= STREAM_MAX
    if (isOld || this.peer.expiresMs <= Date.now()) this.retire()
    return !this.#isRetired && !this.isClosed
  }

  /** Opens a stream. `settled` is called once, later; the answer gives up. */
  open(settled: (opening: Opening) => void): () => void {
    const number = ++this.#lastStream
    this.#openings.set(number, settled)
    this.send(number, KIND.open, 0)
    return () => {
      if (!this.#openings.delete(number)) return
      this.send(number, KIND.reset, 0)
      this.#endIfDone()
    }
  }

  /** Takes no new streams from now on. It ends with the last one. */
  retire(): void {
    if (this.#isRetired || this.isClosed) return
    this.#isRetired = true
    this.send(0, KIND.retire, 0)
    this.#endIfDone()
  }

  send(stream: number, kind: number, value: number): void {
    if (this.isClosed) return
    const page = this.#pageFor(HEADER_BYTES)
    writeHeader(page.roomy, this.#batchBytes, stream, kind, Math.min(value, VALUE_MAX))
    this.#batchBytes += HEADER_BYTES
  }

  sendData(stream: number, { bytes, release, roomy }: Chunk): void {
    if (this.isClosed) return release?.()
    if (bytes.length < COPIED_BYTES_MAX) {
      const page = this.#pageFor(HEADER_BYTES + bytes.length)
      writeHeader(page.roomy, this.#batchBytes, stream, KIND.data, bytes.length)
      bytes.copy(page.roomy, this.#batchBytes + HEADER_BYTES)
      this.#batchBytes += HEADER_BYTES + bytes.length
      return release?.()
    }
    if (roomy !== undefined) {
      this.#flush()
      writeHeader(roomy, 0, stream, KIND.data, bytes.length)
      return this.#write(roomy, release)
    }
    this.send(stream, KIND.data, bytes.length)
    this.#stream.cork()
    this.#flush()
    this.#write(bytes, release)
    this.#stream.uncork()
  }

  wait(stream: Carried): void {
    this.#waiting.add(stream)
  }

  grow(bytes: number): boolean {
    if (this.#grownBytes + bytes > GROWN_BYTES_MAX) return false
    this.#grownBytes += bytes
    return true
  }

  over(stream: Carried, grownBytes: number): void {
    this.#grownBytes -= grownBytes
    this.#streams.delete(stream.number)
    this.#waiting.delete(stream)
    this.#usedMs = performance.now()
    this.#endIfDone()
  }

  frame(number: number, kind: number, value: number): void {
    this.#isProven = true
    switch (kind) {
      case KIND.open:
        return this.#opened(number)
      case KIND.accepted:
        return this.#accepted(number)
      case KIND.refused:
        if (value === REFUSED.retired) this.#isRetired = true
        this.#opening(number)?.(value === REFUSED.retired ? { again: true, why: CLOSED } : { full: true })
        return this.#endIfDone()
      case KIND.end:
        return this.#streams.get(number)?.ended()
      case KIND.reset:
        return this.#streams.get(number)?.cutOff()
      case KIND.grant:
        return this.#streams.get(number)?.granted(value)
      case KIND.retire:
        this.#isRetired = true
        return this.#endIfDone()
      case KIND.ping:
        return this.send(0, KIND.pong, 0)
      case KIND.pong:
        this.roundTripMs = performance.now() - this.#startedMs
    }
  }

  piece(number: number, bytes: Buffer): void {
    const stream = this.#streams.get(number)
    if (stream === undefined) return
    const shared = this.#shared
    let chunk: Chunk = { bytes }
    if (shared !== undefined && bytes.length < COPIED_BYTES_MAX) chunk = { bytes: Buffer.from(bytes) }
    else if (shared !== undefined) {
      shared.readers += 1
      chunk = { bytes, release: () => letGo(shared) }
    }
    if (!stream.arrived(chunk)) this.#lost('more arrived than was granted')
  }

  #opened(number: number): void {
    const { host } = this.#options
    if (host === undefined || number <= this.#lastStream) return this.#lost('a stream was opened that must not be')
    this.#lastStream = number
    if (!this.takesMore()) return this.send(number, KIND.refused, REFUSED.retired)
    const refusal = this.#streams.size >= STREAMS_MAX ? REFUSED.limit : host.refusal()
    if (refusal !== undefined) return this.send(number, KIND.refused, refusal)
    const stream = new Carried(number, this)
    this.#streams.set(number, stream)
    this.send(number, KIND.accepted, 0)
    host.arrived(stream)
  }

  #accepted(number: number): void {
    const settled = this.#opening(number)
    if (settled === undefined) return
    const carried = new Carried(number, this)
    this.#streams.set(number, carried)
    settled({ carried })
  }

  #opening(number: number): ((opening: Opening) => void) | undefined {
    const settled = this.#openings.get(number)
    this.#openings.delete(number)
    return settled
  }

  #read({ bytes, release }: Chunk): void {
    const shared = release === undefined ? undefined : { release, readers: 1 }
    this.#shared = shared
    const fault = this.#frames.read(bytes, this)
    this.#shared = undefined
    if (shared !== undefined) letGo(shared)
    if (fault !== undefined) this.#lost(fault)
  }

  /** A page with room for so many bytes more, at `#batchBytes`. */
  #pageFor(bytes: number): Page {
    if (this.#batch !== undefined && this.#batchBytes + bytes > this.#batch.roomy.length) this.#flush()
    if (this.#batch !== undefined) return this.#batch
    setImmediate(() => this.#flush())
    this.#batch = largePage()
    return this.#batch
  }

  #flush(): void {
    const page = this.#batch
    if (page === undefined) return
    this.#batch = undefined
    this.#write(page.roomy.subarray(0, this.#batchBytes), page.release)
    this.#batchBytes = 0
  }

  #write(bytes: Buffer, release: (() => void) | undefined): void {
    if (this.#stream.destroyed || this.#stream.writableEnded) return release?.()
    this.#stream.write(bytes, release)
    if (this.#stream.writableLength >= WAITING_BYTES_MAX) this.isFull = true
    // Data waits for room; only answers to the other side's frames come so far.
    if (this.#stream.writableLength >= UNREAD_BYTES_MAX) this.#lost('the other side asks and does not read')
  }

  #drained(): void {
    this.isFull = false
    for (const stream of [...this.#waiting]) {
      if (this.isFull) return
      this.#waiting.delete(stream)
      stream.roomAgain()
    }
  }

  #endIfIdle(): void {
    const { idleMs } = this.#options
    const leftMs = this.size > 0 ? idleMs : this.#usedMs + idleMs - performance.now()
    if (leftMs <= 0) this.retire()
    else this.#idle = setTimeout(() => this.#endIfIdle(), leftMs).unref()
  }

  /** Says goodbye: all that was sent arrives, what is still asked for on it is asked for elsewhere. */
  #endIfDone(): void {
    if (!this.#isRetired || this.isClosed || this.size > 0) return
    this.#flush()
    this.#close()
    this.#stream.end()
    setTimeout(() => this.#stream.destroy(), GOODBYE_MS).unref()
  }

  #lost(why: string): void {
    this.#stream.destroy()
    if (this.isClosed) return
    this.#close()
    for (const stream of [...this.#streams.values()]) stream.cutOff()
    for (const settled of [...this.#openings.values()]) settled({ again: this.#isProven, why })
    this.#openings.clear()
  }

  #close(): void {
    this.isClosed = true
    clearTimeout(this.#idle)
    this.#batch?.release()
    this.#batch = undefined
    this.#options.ended()
  }
}

/** A page of bytes that several streams send on, each its own part. */
type Shared = { readonly release: () => void; readers: number }

function letGo(shared: Shared): void {
  shared.readers -= 1
  if (shared.readers === 0) shared.release()
}

const CLOSED = 'the connection was closed during the TLS handshake'
/** Payloads up to this are copied, so that the frames of one turn are one write. */
const COPIED_BYTES_MAX = 4_096
/** A TLS connection takes new streams for so long. Then another handshake proves both ends anew. */
const LIFE_MS_MAX = 3_600_000
const STREAM_MAX = 0xffff_fff0
/** What a side that does not read may make this one keep for it. */
const UNREAD_BYTES_MAX = 4_194_304
/** What one side takes of the other at a time. */
const STREAMS_MAX = 4_096
/** All larger windows of one TLS connection together. */
const GROWN_BYTES_MAX = 33_554_432
/** How long the other side may take to say goodbye too. */
const GOODBYE_MS = 5_000
