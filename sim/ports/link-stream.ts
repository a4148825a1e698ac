import { type Result, refuse } from '../../src/kernel/refusal.ts'
import { BATCH_BYTES_MAX, type Frame, type FrameEvents, type FrameStream, type LinkStream, tooLarge } from '../../src/links.ts'
import type { SimSocket } from './socket.ts'

export type LinkTiming = {
  /** Calls `work` once on the thread of the device, `ms` from now. The answer cancels it. */
  after(ms: number, work: () => void): () => void
  monotonicMs(): number
  pingMs?: number
  silenceMsMax?: number
}

type Said = { is: 'identity'; peer: string } | { is: 'ping' } | { is: 'pong' } | Frame

const PING_MS = 10_000
const SILENCE_MS_MAX = 25_000
const BYE_MS_MAX = 2_000

/** What two agents say over one simulated connection. What comes before it is taken into use waits. */
export class SimLinkStream implements LinkStream, FrameStream {
  readonly #socket: SimSocket
  readonly #timing: LinkTiming
  readonly #met: (other: Result<{ peer: string }>) => void
  #events: FrameEvents | undefined
  #waiting: Frame[] = []
  #isMet = false
  #isOver = false
  #heardAtMs: number
  #stopPings: () => void = () => undefined

  /** `met` is told once who the other end is, or why it cannot be known. */
  constructor(socket: SimSocket, timing: LinkTiming, met: (other: Result<{ peer: string }>) => void) {
    this.#socket = socket
    this.#timing = timing
    this.#met = met
    this.#heardAtMs = timing.monotonicMs()
    // In a turn of the thread, which may be held up.
    const later = (work: () => void) => timing.after(0, work)
    socket.handlers = {
      hello: (content) => later(() => this.#take(content as Said)),
      end: () => later(() => this.#cut('the connection ended')),
      closed: (how) => later(() => this.#cut(`the connection ended: ${how}`)),
    }
  }

  identify(peer: string): void {
    this.#socket.resume()
    this.#say({ is: 'identity', peer })
  }

  begin(events: FrameEvents): FrameStream {
    this.#events = events
    this.#ping()
    this.#timing.after(0, () => {
      for (let frame = this.#waiting.shift(); frame; frame = this.#waiting.shift()) this.#hear(frame)
      if (!this.#socket.isOpen) this.#cut('the connection ended')
    })
    return this
  }

  abort(_why: string): void {
    this.#isOver = true
    this.#socket.reset()
  }

  send(frame: Frame): void {
    if (this.#isOver) return
    if (frame.is === 'batch' && frame.batch.byteLength > BATCH_BYTES_MAX) return this.bye(tooLarge(frame.batch))
    this.#say(frame)
  }

  bye(why: string, here = why): void {
    if (this.#isOver) return
    this.#say({ is: 'bye', why })
    if (this.#socket.isOpen) this.#socket.end()
    this.#timing.after(BYE_MS_MAX, () => this.#socket.reset())
    this.#end(here)
  }

  #say(said: Said): void {
    if (this.#socket.isOpen) this.#socket.hello(said)
  }

  #take(said: Said): void {
    this.#heardAtMs = this.#timing.monotonicMs()
    if (this.#isOver) return
    switch (said.is) {
      case 'identity':
        if (this.#isMet) return this.#cut('it says twice who it is')
        this.#isMet = true
        return this.#met({ peer: said.peer })
      case 'ping':
        return this.#say({ is: 'pong' })
      case 'pong':
        return
      default:
        if (this.#events && this.#waiting.length === 0) this.#hear(said)
        else this.#waiting.push(said)
    }
  }

  #hear(frame: Frame): void {
    if (this.#isOver) return
    this.#events?.frame(frame)
    if (frame.is === 'bye') this.#cut(frame.why)
  }

  #ping(): void {
    const { after, monotonicMs, pingMs = PING_MS, silenceMsMax = SILENCE_MS_MAX } = this.#timing
    this.#stopPings = after(pingMs, () => {
      const silentMs = monotonicMs() - this.#heardAtMs
      if (silentMs > silenceMsMax) return this.#cut(`it has said nothing for ${Math.round(silentMs / 1_000)} s`)
      this.#say({ is: 'ping' })
      this.#ping()
    })
  }

  /** Without another word. */
  #cut(why: string): void {
    this.#socket.reset()
    this.#end(why)
  }

  #end(why: string): void {
    if (!this.#isMet) {
      this.#isMet = true
      this.#isOver = true
      return this.#met(refuse('gone', why))
    }
    // Whoever takes it into use later hears of it then.
    if (this.#isOver || !this.#events) return
    this.#isOver = true
    this.#stopPings()
    this.#events.ended(why)
  }
}
