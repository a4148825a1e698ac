import { KIND, OVERDRAFT_BYTES, WINDOW_BYTES } from './frames.ts'
import type { Chunk } from './reader.ts'
import type { Leg, Sink } from './splice.ts'

/** What a stream needs of the TLS connection it is on. */
export interface Carriage {
  /** Too much waits to be sent. */
  readonly isFull: boolean
  /** How long a frame takes there and back. */
  readonly roundTripMs: number
  send(stream: number, kind: number, value: number): void
  sendData(stream: number, chunk: Chunk): void
  /** Has `roomAgain` called once it is no longer full, each stream in its turn. */
  wait(stream: Carried): void
  /** Takes more memory for a stream's window, if there is any left. */
  grow(bytes: number): boolean
  /** The stream is over. Frames for it are ignored from now on. */
  over(stream: Carried, grownBytes: number): void
}

/** One connection of an application on a TLS connection that it shares. */
export class Carried implements Leg {
  readonly number: number
  drained: () => void = () => undefined
  readonly #carriage: Carriage
  #failed: (error: unknown) => void = () => undefined
  #closed: () => void = () => undefined
  #sink: Sink | undefined
  /** What arrived before anybody read. */
  #early: Buffer[] = []
  #isSinkFull = false
  /** What the other side still takes. */
  #credit = WINDOW_BYTES
  /** What the other side may still send, and what it has not been granted anew although there is room. */
  #allowance = WINDOW_BYTES
  #owed = 0
  #window = WINDOW_BYTES
  #grantedMs = 0
  #waiting: Chunk[] = []
  /** Somebody was told that there is no room. */
  #isHeldUp = false
  #wantsEnd = false
  #sentEnd = false
  #gotEnd = false
  #isOver = false

  constructor(number: number, carriage: Carriage) {
    this.number = number
    this.#carriage = carriage
  }

  watch(failed: (error: unknown) => void, closed: () => void): void {
    this.#failed = failed
    this.#closed = closed
  }

  flow(sink: Sink): void {
    this.#sink = sink
    for (const bytes of this.#early.splice(0)) this.#deliver({ bytes })
    if (!this.#gotEnd) return
    sink.end()
    this.#finishIfDone()
  }

  resume(): void {
    this.#isSinkFull = false
    this.#grant()
  }

  write(chunk: Chunk): boolean {
    if (this.#isOver || this.#wantsEnd) {
      chunk.release?.()
      return true
    }
    this.#waiting.push(chunk)
    this.#isHeldUp = !this.#flush()
    return !this.#isHeldUp
  }

  end(): void {
    if (this.#wantsEnd || this.#isOver) return
    this.#wantsEnd = true
    this.#isHeldUp = !this.#flush()
  }

  reset(): void {
    if (this.#isOver) return
    this.#carriage.send(this.number, KIND.reset, 0)
    this.#finish()
  }

  /** Bytes from the other side. False: it sent more than it may. */
  arrived(chunk: Chunk): boolean {
    const { bytes, release } = chunk
    this.#allowance -= bytes.length
    if (this.#gotEnd || this.#allowance < -OVERDRAFT_BYTES) {
      release?.()
      return false
    }
    if (this.#sink !== undefined) this.#deliver(chunk)
    else {
      this.#early.push(Buffer.from(bytes))
      release?.()
    }
    return true
  }

  ended(): void {
    if (this.#gotEnd || this.#isOver) return
    this.#gotEnd = true
    this.#sink?.end()
    this.#finishIfDone()
  }

  granted(bytes: number): void {
    this.#credit += bytes
    this.roomAgain()
  }

  roomAgain(): void {
    if (!this.#isHeldUp || this.#isOver || !this.#flush()) return
    this.#isHeldUp = false
    if (!this.#wantsEnd) this.drained()
  }

  /** The other side, or the TLS connection, has cut it off. */
  cutOff(): void {
    if (this.#isOver) return
    this.#failed(CUT_OFF)
    this.#finish()
  }

  #deliver(chunk: Chunk): void {
    if (this.#sink === undefined) return
    this.#owed += chunk.bytes.length
    if (this.#sink.data(chunk)) this.#grant()
    else this.#isSinkFull = true
  }

  /** Grants what has been taken off, half a window at a time. What keeps up with its window gets a larger one, the larger the farther away. */
  #grant(): void {
    if (this.#isSinkFull || this.#isOver || this.#gotEnd || this.#owed * 2 < this.#window) return
    const nowMs = performance.now()
    const { roundTripMs } = this.#carriage
    const isNear = roundTripMs <= NEAR_MS
    const isHeldUp = nowMs - this.#grantedMs < 2 * (isNear ? NEAR_MS : roundTripMs)
    if (isHeldUp && this.#window < (isNear ? NEAR_BYTES_MAX : WINDOW_BYTES_MAX) && this.#carriage.grow(this.#window)) {
      this.#owed += this.#window
      this.#window *= 2
    }
    this.#grantedMs = nowMs
    this.#allowance += this.#owed
    this.#carriage.send(this.number, KIND.grant, this.#owed)
    this.#owed = 0
  }

  #flush(): boolean {
    while (this.#waiting.length > 0 && this.#credit > 0 && !this.#carriage.isFull) {
      const chunk = this.#waiting.shift()
      if (chunk === undefined) break
      this.#credit -= chunk.bytes.length
      this.#carriage.sendData(this.number, chunk)
    }
    if (this.#carriage.isFull) this.#carriage.wait(this)
    if (this.#waiting.length > 0) return false
    if (this.#wantsEnd && !this.#sentEnd) {
      this.#sentEnd = true
      this.#carriage.send(this.number, KIND.end, 0)
      this.#finishIfDone()
    }
    return this.#credit > 0 && !this.#carriage.isFull
  }

  #finishIfDone(): void {
    if (this.#sentEnd && this.#gotEnd && this.#sink !== undefined) this.#finish()
  }

  #finish(): void {
    this.#isOver = true
    for (const { release } of this.#waiting.splice(0)) release?.()
    this.#early = []
    this.#carriage.over(this, this.#window - WINDOW_BYTES)
    setImmediate(() => this.#closed())
  }
}

const CUT_OFF: Error & { code?: string } = Object.assign(new Error('the connection was cut off'), { code: 'ECONNRESET' })

/** Below this, a larger window saves waiting for the other thread, not for the way. */
const NEAR_MS = 2
const NEAR_BYTES_MAX = 1_048_576
const WINDOW_BYTES_MAX = 4_194_304
