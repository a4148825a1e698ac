/** A first-in first-out queue without shifting: items are taken from the front in constant time. */
export class Queue<Item> {
  #items: (Item | undefined)[] = []
  #front = 0

  get length(): number {
    return this.#items.length - this.#front
  }

  push(item: Item): void {
    this.#items.push(item)
  }

  take(): Item | undefined {
    if (this.#front === this.#items.length) return undefined
    const item = this.#items[this.#front]
    this.#items[this.#front++] = undefined
    if (this.#front === this.#items.length) {
      this.#items = []
      this.#front = 0
    } else if (this.#front > 4_096 && this.#front * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#front)
      this.#front = 0
    }
    return item
  }
}
