import type { Peer } from './protocol.ts'
import { CREDIT, type Item, packItems } from './wire.ts'

/** Items that may be under way and not yet handled by the other side. */
const ITEMS_MAX = 65_536

/** The sending half of a link to another thread or node: items gather until the end of a run and leave as one batch. */
export class Link {
  readonly peer: Peer
  readonly #send: (batch: Uint8Array<ArrayBuffer>) => void
  #out: Item[] = []
  #underWay = 0
  #toCredit = 0

  constructor(peer: Peer, send: (batch: Uint8Array<ArrayBuffer>) => void) {
    this.peer = peer
    this.#send = send
  }

  /** Whether new work may be sent. Answers and feed values are bounded by earlier work and always may. */
  get full(): boolean {
    return this.#underWay >= ITEMS_MAX
  }

  push(item: Item): void {
    this.#out.push(item)
    this.#underWay++
  }

  /** The other side has handled so many items. */
  credited(items: number): void {
    this.#underWay = Math.max(0, this.#underWay - items)
  }

  /** This side has handled so many items of the other. */
  handled(items: number): void {
    this.#toCredit += items
  }

  flush(): void {
    if (this.#out.length === 0 && this.#toCredit < 1_024) return
    if (this.#toCredit > 0) {
      this.push([CREDIT, this.#toCredit])
      this.#toCredit = 0
    }
    const items = this.#out
    this.#out = []
    this.#send(packItems(items))
  }
}
