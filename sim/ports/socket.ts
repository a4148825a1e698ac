import { assert } from '../../src/kernel/refusal.ts'
import type { SimTarget } from './machine.ts'
import type { SimNetwork } from './network.ts'
import { nextRetransmitMs, RETRANSMIT_MS, type SimWay } from './way.ts'

export type SimAddress = { readonly node: string; readonly address: string; readonly port: number }

export type SimSocketEnds = Pick<SimSocket, 'side' | 'local' | 'remote' | 'target'>

/** `ended`: both directions came to their end. `reset`: the other end broke it off. `lost`: packets stopped getting through.
 * `closed`: this end broke it off. */
export type SimClosing = 'ended' | 'reset' | 'lost' | 'closed'

export type SimHandlers = {
  /** A flight of a handshake, in place of its bytes. */
  hello?(content: unknown): void
  data?(bytes: Uint8Array): void
  /** The other end sends no more; this end still may. */
  end?(): void
  /** The last thing that happens, once. */
  closed?(how: SimClosing): void
}

/**
 * One end of a simulated TCP connection. It starts paused: packets wait until `resume`. `closed` is called even while paused.
 * What one end writes before it ends or resets arrives in order; a reset overtakes nothing. While it is frozen, nothing arrives.
 */
export class SimSocket {
  readonly side: 'dialled' | 'accepted'
  readonly local: SimAddress
  readonly remote: SimAddress
  /** Where the dial that made it went. */
  readonly target: SimTarget
  handlers: SimHandlers = {}
  readonly #network: SimNetwork
  readonly #gone: () => void
  #outgoing: Lane | undefined
  #waiting: Packet[] = []
  #paused = true
  /** How many faults keep it frozen. */
  #freezes = 0
  #greeted = false
  #state: 'open' | 'closed' = 'open'
  #sentEnd = false
  #gotEnd = false

  constructor(network: SimNetwork, { side, local, remote, target }: SimSocketEnds, gone: () => void) {
    this.#network = network
    this.side = side
    this.local = local
    this.remote = remote
    this.target = target
    this.#gone = gone
  }

  /** Makes two sockets each other's other end. This one dialled; what the other sends arrives no sooner than `answeredAtMs`. */
  join(other: SimSocket, there: SimWay, back: SimWay, answeredAtMs: number): void {
    this.#outgoing = new Lane(this.#network, there, this, other, 0)
    other.#outgoing = new Lane(this.#network, back, other, this, answeredAtMs)
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** Whether the other end knows nothing of this connection. */
  get isHalfOpen(): boolean {
    return this.isOpen && this.#outgoing?.to.isOpen === false
  }

  hello(content: unknown): void {
    const isFirst = this.side === 'dialled' && !this.#greeted
    this.#greeted = true
    if (!isFirst && this.#outgoing !== undefined) this.#network.stallHandshake(this, this.#outgoing)
    this.#send({ kind: 'hello', content })
  }

  write(bytes: Uint8Array): void {
    this.#send({ kind: 'data', bytes })
  }

  /** No more will be written. */
  end(): void {
    if (this.#state === 'closed' || this.#sentEnd) return
    this.#sentEnd = true
    this.#outgoing?.send({ kind: 'end' })
    this.#closeIfEnded()
  }

  /** Breaks off at once. The other end hears of it after what is under way. */
  reset(): void {
    if (this.#state === 'closed') return
    this.#outgoing?.send({ kind: 'reset' })
    this.close('closed')
  }

  resume(): void {
    this.#paused = false
    this.#takeWaiting()
  }

  pause(): void {
    this.#paused = true
  }

  /** What arrives waits until as many `thaw` have followed. */
  freeze(): void {
    this.#freezes += 1
  }

  thaw(): void {
    this.#freezes -= 1
    this.#takeWaiting()
    if (this.#freezes === 0 && this.#waiting.some(({ kind }) => kind === 'reset')) this.close('reset')
  }

  /** Ends without telling whoever uses this end. */
  vanish(): void {
    this.handlers = {}
    this.reset()
  }

  /** Ends without telling anybody, the other end neither. */
  unplug(): void {
    this.handlers = {}
    this.#outgoing?.abandon()
    this.close('lost')
  }

  /** Nothing got through for too long: both ends notice for themselves. */
  giveUp(): void {
    this.#outgoing?.giveUp()
  }

  /** Both ends hear of a reset at once. */
  breakOff(): void {
    this.close('reset')
    this.#outgoing?.to.close('reset')
  }

  /** What the network delivers. */
  arrive(packet: Packet): void {
    if (this.#state === 'closed') {
      if (packet.kind !== 'reset') this.#outgoing?.send({ kind: 'reset' })
      return
    }
    if (this.#freezes > 0) this.#waiting.push(packet)
    else if (packet.kind === 'reset') this.close('reset')
    else if (this.#paused || this.#waiting.length > 0) this.#waiting.push(packet)
    else this.#take(packet)
  }

  close(how: SimClosing): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#waiting = []
    this.#gone()
    this.#network.after(0, () => this.handlers.closed?.(how))
  }

  #send(packet: Packet): void {
    assert(!this.#sentEnd, 'nothing is written after the end')
    if (this.#state === 'open') this.#outgoing?.send(packet)
  }

  #takeWaiting(): void {
    while (!this.#paused && this.#freezes === 0 && this.#waiting.length > 0 && this.isOpen) this.#take(this.#waiting.shift()!)
  }

  #take(packet: Packet): void {
    if (packet.kind === 'reset') return this.close('reset')
    if (packet.kind === 'hello') this.handlers.hello?.(packet.content)
    if (packet.kind === 'data') this.handlers.data?.(packet.bytes)
    if (packet.kind !== 'end') return
    this.#gotEnd = true
    this.handlers.end?.()
    this.#closeIfEnded()
  }

  #closeIfEnded(): void {
    if (this.#sentEnd && this.#gotEnd) this.close('ended')
  }
}

export type Packet =
  | { readonly kind: 'hello'; readonly content: unknown }
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'end' }
  | { readonly kind: 'reset' }

/** One direction of a connection. Packets arrive in order, each after its own delay; what does not get through is sent again. */
export class Lane {
  readonly to: SimSocket
  readonly #network: SimNetwork
  readonly #way: SimWay
  readonly #from: SimSocket
  readonly #arrive = () => this.#deliver()
  #queue: Packet[] = []
  /** What whoever sends it does not let go, as long as it is set. */
  #stalled: Packet[] | undefined
  /** When the last of the packets that are under way arrives. */
  #lastAtMs: number
  /** Set while a packet does not get through: all behind it wait. */
  #heldSinceMs: number | undefined
  #holds = 0
  /** How many packets were sent again together, and get through now. */
  #repeated = 0
  /** Arrivals that are still to come, and how many of them, the next ones, no longer count. */
  #arrivals = 0
  #stale = 0

  constructor(network: SimNetwork, way: SimWay, from: SimSocket, to: SimSocket, firstAtMs: number) {
    this.#network = network
    this.#way = way
    this.#from = from
    this.to = to
    this.#lastAtMs = firstAtMs
  }

  send(packet: Packet): void {
    if (packet.kind === 'reset') this.#stalled = undefined
    if (this.#stalled !== undefined) {
      this.#stalled.push(packet)
      return
    }
    this.#queue.push(packet)
    if (this.#heldSinceMs === undefined) this.#schedule()
  }

  /** Keeps what is sent from now on until `proceed`. A reset ends it too, and what was kept is never sent. */
  stall(): void {
    this.#stalled ??= []
  }

  proceed(): void {
    const stalled = this.#stalled ?? []
    this.#stalled = undefined
    for (const packet of stalled) this.send(packet)
  }

  /** The way is free: sends on what was held back, once it would be sent again. */
  flush(): void {
    if (this.#heldSinceMs !== undefined) this.#release(nextRetransmitMs(this.#network.nowMs() - this.#heldSinceMs))
  }

  /** Nothing got through for too long: both ends notice for themselves. */
  giveUp(): void {
    this.#forget()
    this.#from.close('lost')
    this.to.close('lost')
  }

  /** Nobody is left to send again what does not get through. */
  abandon(): void {
    if (this.#heldSinceMs !== undefined) this.#forget()
    this.#stalled = undefined
  }

  /** One arrival for one packet, never before the one ahead of it. */
  #schedule(): void {
    const nowMs = this.#network.nowMs()
    const atMs = Math.max(nowMs + this.#way.transitMs(), this.#lastAtMs)
    this.#lastAtMs = atMs
    this.#arrivals += 1
    this.#network.after(atMs - nowMs, this.#arrive)
  }

  #deliver(): void {
    this.#arrivals -= 1
    if (this.#stale > 0) {
      this.#stale -= 1
      return
    }
    if (this.#heldSinceMs !== undefined || this.#queue.length === 0) return
    if (this.#way.isBlocked || (this.#repeated === 0 && this.#way.drops())) {
      this.#heldSinceMs = this.#network.nowMs()
      this.#holds += 1
      this.#repeated = 0
      this.#sendAgain(RETRANSMIT_MS)
      return
    }
    if (this.#repeated > 0) this.#repeated -= 1
    this.to.arrive(this.#queue.shift()!)
  }

  /** Tries after a while, doubled each time, as long as packets get lost. Across a blocked way there is nothing to try. */
  #sendAgain(timeoutMs: number): void {
    if (this.#way.isBlocked) return this.#way.hold(this)
    const hold = this.#holds
    const leftMs = this.#network.giveUpMs - (this.#network.nowMs() - (this.#heldSinceMs ?? 0))
    this.#network.after(Math.min(timeoutMs, leftMs), () => {
      if (this.#heldSinceMs === undefined || this.#holds !== hold) return
      if (timeoutMs >= leftMs) this.giveUp()
      else if (this.#way.isBlocked || this.#way.drops()) this.#sendAgain(timeoutMs * 2)
      else this.#release(0)
    })
  }

  #release(waitMs: number): void {
    this.#lastAtMs = Math.max(this.#lastAtMs, this.#network.nowMs() + waitMs)
    this.#heldSinceMs = undefined
    this.#stale = this.#arrivals
    this.#repeated = this.#queue.length
    for (let count = this.#queue.length; count > 0; count -= 1) this.#schedule()
  }

  #forget(): void {
    this.#queue = []
    this.#stalled = undefined
    this.#heldSinceMs = undefined
    this.#stale = this.#arrivals
  }
}
