import { assert } from '../../src/kernel/refusal.ts'
import type { SimNetwork } from './network.ts'

export type SimAddress = { readonly node: string; readonly address: string; readonly port: number }

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
 * What one end writes before it ends or resets arrives in order; a reset overtakes nothing.
 */
export class SimSocket {
  readonly local: SimAddress
  readonly remote: SimAddress
  handlers: SimHandlers = {}
  readonly #network: SimNetwork
  readonly #gone: () => void
  #outgoing: Lane | undefined
  #waiting: Packet[] = []
  #paused = true
  #state: 'open' | 'closed' = 'open'
  #sentEnd = false
  #gotEnd = false

  constructor(network: SimNetwork, local: SimAddress, remote: SimAddress, gone: () => void) {
    this.#network = network
    this.local = local
    this.remote = remote
    this.#gone = gone
  }

  /** Makes two sockets each other's other end. */
  join(other: SimSocket): void {
    this.#outgoing = new Lane(this.#network, this, other)
    other.#outgoing = new Lane(this.#network, other, this)
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  hello(content: unknown): void {
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
    while (!this.#paused && this.#waiting.length > 0 && this.#state === 'open') this.#take(this.#waiting.shift()!)
  }

  pause(): void {
    this.#paused = true
  }

  /** Ends without telling whoever uses this end. */
  vanish(): void {
    this.handlers = {}
    this.reset()
  }

  /** What the network delivers. */
  arrive(packet: Packet): void {
    if (this.#state === 'closed') {
      if (packet.kind === 'data' || packet.kind === 'hello') this.#outgoing?.send({ kind: 'reset' })
      return
    }
    if (packet.kind === 'reset') this.close('reset')
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

  #take(packet: Packet): void {
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

/** One direction of a connection. Packets arrive in order, each after its own delay. */
export class Lane {
  readonly #network: SimNetwork
  readonly #from: SimSocket
  readonly #to: SimSocket
  #queue: Packet[] = []
  #lastAtMs = 0
  #held = false

  constructor(network: SimNetwork, from: SimSocket, to: SimSocket) {
    this.#network = network
    this.#from = from
    this.#to = to
  }

  send(packet: Packet): void {
    this.#queue.push(packet)
    if (!this.#held) this.#schedule()
  }

  /** Sends on what was held back. */
  flush(): void {
    this.#held = false
    for (let count = this.#queue.length; count > 0; count -= 1) this.#schedule()
  }

  /** Nothing got through for too long: both ends notice for themselves. */
  giveUp(): void {
    this.#queue = []
    this.#from.close('lost')
    this.#to.close('lost')
  }

  /** One arrival for one packet, never before the one ahead of it. */
  #schedule(): void {
    const nowMs = this.#network.nowMs()
    const atMs = Math.max(nowMs + this.#network.delayMs(this.#from.local.node, this.#to.local.node), this.#lastAtMs)
    this.#lastAtMs = atMs
    this.#network.after(atMs - nowMs, () => this.#deliver())
  }

  #deliver(): void {
    if (this.#held || this.#queue.length === 0) return
    const { node: from } = this.#from.local
    const { node: to } = this.#to.local
    if (this.#network.isCut(from, to)) {
      this.#held = true
      this.#network.hold(this, from, to)
      return
    }
    this.#to.arrive(this.#queue.shift()!)
  }
}
