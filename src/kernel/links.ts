import { isFromAbroad, NO_PATH } from './far.ts'
import type { HostOptions } from './host-options.ts'
import { Link } from './link.ts'
import type { Peer } from './protocol.ts'
import { isRefused, type Refusal, type Result, refuse } from './refusal.ts'
import { gone, type Item, START } from './wire.ts'

/** Another agent that cannot be reached is tried again after this. */
const AGAIN_MS = 1_000

export type LinksHost = {
  options: Pick<HostOptions, 'reach' | 'ports' | 'begin'>
  /** Opens a link that was not there. */
  connect(peer: Peer, send: (batch: Uint8Array<ArrayBuffer>) => void): void
  /** Whether a link is wanted before anything more is sent over it. */
  isWanted(peer: Peer): boolean
}

/** The links of one host, by their other end. */
export class Links {
  readonly #host: LinksHost
  readonly #links = new Map<Peer, Link>()
  readonly #waiting = new Map<string, () => void>()

  constructor(host: LinksHost) {
    this.#host = host
  }

  add(peer: Peer, send: (batch: Uint8Array<ArrayBuffer>) => void): void {
    this.#links.set(peer, new Link(peer, send))
  }

  /** One to another agent is opened again, as long as it is wanted. */
  remove(peer: Peer): void {
    this.#links.delete(peer)
    if (typeof peer === 'string') this.#openLater(peer)
  }

  get(peer: Peer): Link | undefined {
    return this.#links.get(peer)
  }

  /** The link to a peer; one to another agent is opened when it is needed. */
  to(peer: Peer): Result<Link> {
    const found = this.#links.get(peer)
    if (found) return found
    if (typeof peer === 'number') return gone(`no link to thread ${peer}`)
    const send = this.#host.options.reach?.(peer) ?? gone(isFromAbroad(peer) ? NO_PATH : `no link to ${peer}`)
    if (!isRefused(send)) {
      this.#host.connect(peer, send)
      return this.#links.get(peer) ?? gone(`no link to ${peer}`)
    }
    this.#openLater(peer)
    return send
  }

  /** Whether the link is there. If not it is opened, if it can be had. */
  wasThere(peer: Peer): boolean {
    if (this.#links.has(peer)) return true
    this.to(peer)
    return false
  }

  /** Sends new work. Says why it cannot. */
  send(peer: Peer, item: Item): Refusal | undefined {
    const link = this.to(peer)
    if (isRefused(link)) return link
    if (link.full) return refuse('busy', `the link to ${peer} is full`)
    link.push(item)
    return undefined
  }

  /** Sends what earlier work has bounded. What is for a peer that is not there is lost; an actor for a thread that is not there calls for it. */
  push(peer: Peer, item: Item): void {
    const link = this.#links.get(peer)
    if (link) link.push(item)
    else if (typeof peer === 'number' && item[0] === START) this.#host.options.begin?.(peer)
  }

  /** The numbers of the threads that there are links to. */
  threads(): number[] {
    return [...this.#links.keys()].filter((peer) => typeof peer === 'number')
  }

  flush(): void {
    for (const link of this.#links.values()) link.flush()
  }

  close(): void {
    for (const cancel of this.#waiting.values()) cancel()
  }

  #openLater(peer: string): void {
    if (this.#waiting.has(peer) || !this.#host.isWanted(peer)) return
    const cancel = this.#host.options.ports.clock.after(AGAIN_MS, () => {
      this.#waiting.delete(peer)
      if (this.#host.isWanted(peer)) this.to(peer)
    })
    this.#waiting.set(peer, cancel)
  }
}
