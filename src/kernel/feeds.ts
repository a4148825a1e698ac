import type { Instance } from './instance.ts'
import { addressOf, type Peer, type Ref, type Subscriber } from './protocol.ts'
import { EMIT, type Item, SUBSCRIBE, TAKEN, UNSUBSCRIBE } from './wire.ts'

type Take = (value: unknown, index: number, taken: () => void, source: { peer: Peer; feed: number } | undefined) => void

/** A feed taken by somebody on this host. Kept until it is unfollowed, whatever happens to the other side. */
type Followed = { to: Ref; feed: string; request: unknown; peer: Peer; take: Take }

/** A feed given to somebody: at most one value is under way, and only the newest waits behind it. */
type Given = {
  subscriber: Subscriber
  address: string
  name: string
  request: unknown
  instance: Instance | undefined
  underWay: boolean
  next: { index: number; value: unknown } | undefined
}

export type FeedsHost = {
  here: number
  peerOf(to: Ref): Peer
  /** Whether a link is there. If not it is opened, if it can be had; `connected` is called then. */
  isLinked(peer: Peer): boolean
  push(peer: Peer, item: Item): void
  /** Tells the producing actor of a subscriber; undefined if there is no such actor yet. */
  produce(address: string, name: string, request: unknown, subscriber: Subscriber): Instance | undefined
  left(instance: Instance, subscriber: Subscriber): void
  soon(): void
}

/** Both ends of all feeds of one host. Feeds are level-triggered: a slow reader costs one value of memory. */
export class Feeds {
  readonly #host: FeedsHost
  readonly #followed = new Map<number, Followed>()
  readonly #given = new Map<string, Given>()
  #last = 0

  constructor(host: FeedsHost) {
    this.#host = host
  }

  // ---------------------------------------------------------------- taking

  follow(to: Ref, feed: string, request: unknown, take: Take): number {
    const id = ++this.#last
    const followed = { to, feed, request, peer: this.#host.peerOf(to), take }
    this.#followed.set(id, followed)
    if (this.#host.isLinked(followed.peer)) this.#ask(id, followed)
    return id
  }

  /** Whether anything is taken from there. */
  follows(peer: Peer): boolean {
    for (const followed of this.#followed.values()) if (followed.peer === peer) return true
    return false
  }

  unfollow(id: number): void {
    const followed = this.#followed.get(id)
    if (!followed) return
    this.#followed.delete(id)
    if (followed.peer === this.#host.here) this.unsubscribed({ peer: followed.peer, feed: id })
    else this.#host.push(followed.peer, [UNSUBSCRIBE, id])
  }

  /** A value came. Whoever takes it says when it was handled. One from somebody who was not asked for it is dropped. */
  arrived(id: number, index: number, value: unknown, peer: Peer): void {
    const followed = this.#followed.get(id)
    if (!followed || followed.peer !== peer) return
    followed.take(value, index, () => this.sendTaken(peer, id), { peer, feed: id })
  }

  sendTaken(peer: Peer, feed: number): void {
    if (peer === this.#host.here) this.taken({ peer, feed })
    else this.#host.push(peer, [TAKEN, feed])
  }

  /** A link came up: asks again for everything that the other side gives. */
  connected(peer: Peer): void {
    for (const [id, followed] of this.#followed) if (followed.peer === peer) this.#ask(id, followed)
  }

  #ask(id: number, { to, feed, request, peer }: Followed): void {
    if (peer === this.#host.here) this.subscribed({ peer, feed: id }, addressOf(to), feed, request)
    else this.#host.push(peer, [SUBSCRIBE, addressOf(to), feed, request, id])
  }

  // ---------------------------------------------------------------- giving

  subscribed(subscriber: Subscriber, address: string, name: string, request: unknown): void {
    this.unsubscribed(subscriber)
    const given: Given = { subscriber, address, name, request, instance: undefined, underWay: false, next: undefined }
    this.#given.set(keyOf(subscriber), given)
    given.instance = this.#host.produce(address, name, request, subscriber)
  }

  unsubscribed(subscriber: Subscriber): void {
    const given = this.#given.get(keyOf(subscriber))
    if (!given) return
    this.#given.delete(keyOf(subscriber))
    if (given.instance && !given.instance.ended) this.#host.left(given.instance, given.subscriber)
  }

  /**
   * Whether this very subscriber is given to. One that has left may have been followed by another with the same number, after a restart of
   * its thread: that one must not get what is meant for the first.
   */
  holds(subscriber: Subscriber): boolean {
    return this.#given.get(keyOf(subscriber))?.subscriber === subscriber
  }

  emit(subscriber: Subscriber, index: number, value: unknown): void {
    const given = this.#given.get(keyOf(subscriber))
    if (given?.subscriber !== subscriber) return
    if (given.underWay) {
      given.next = { index, value }
      return
    }
    given.underWay = true
    this.#send(subscriber, index, value)
  }

  taken(subscriber: Subscriber): void {
    const given = this.#given.get(keyOf(subscriber))
    if (!given) return
    const next = given.next
    given.next = undefined
    given.underWay = next !== undefined
    if (next) this.#send(subscriber, next.index, next.value)
  }

  /** An actor was started: those who asked for its feeds before are told to it now. */
  started(address: string): void {
    for (const given of this.#given.values()) {
      if (given.address !== address) continue
      given.underWay = false
      given.next = undefined
      this.#askAgain(given)
    }
  }

  /** An actor lost its memory: its subscribers are told to it again. */
  rebuilt(instance: Instance): void {
    for (const given of this.#given.values()) {
      if (given.instance === instance) this.#askAgain(given)
    }
  }

  /** What was asked before and still waits is not asked twice. */
  #askAgain(given: Given): void {
    given.subscriber = { ...given.subscriber }
    given.instance = this.#host.produce(given.address, given.name, given.request, given.subscriber)
  }

  disconnected(peer: Peer): void {
    for (const given of [...this.#given.values()]) if (given.subscriber.peer === peer) this.unsubscribed(given.subscriber)
  }

  #send(subscriber: Subscriber, index: number, value: unknown): void {
    if (subscriber.peer === this.#host.here) this.arrived(subscriber.feed, index, value, subscriber.peer)
    else this.#host.push(subscriber.peer, [EMIT, subscriber.feed, index, value])
    this.#host.soon()
  }
}

function keyOf(subscriber: Subscriber): string {
  return `${subscriber.peer}:${subscriber.feed}`
}
