/** Keeps the last `bytesMax` bytes of a stream. */
export class Tail {
  /** How many bytes were ever added. */
  bytesTotal = 0
  readonly #bytesMax: number
  #chunks: Buffer[] = []
  #bytesKept = 0

  constructor(bytesMax: number) {
    this.#bytesMax = Math.max(0, bytesMax)
  }

  add(chunk: Buffer): void {
    this.bytesTotal += chunk.length
    this.#chunks.push(chunk)
    this.#bytesKept += chunk.length
    while (this.#bytesKept - (this.#chunks[0]?.length ?? 0) >= this.#bytesMax && this.#chunks.length > 0) {
      this.#bytesKept -= this.#chunks.shift()?.length ?? 0
    }
  }

  /** What is kept as text; a character that was cut in two is left out. */
  text(): string {
    const kept = Buffer.concat(this.#chunks)
    let start = Math.max(0, kept.length - this.#bytesMax)
    if (this.bytesTotal > this.#bytesMax) {
      for (let skipped = 0; skipped < 3 && ((kept[start] ?? 0) & 0xc0) === 0x80; skipped += 1) start += 1
    }
    return kept.toString('utf8', start)
  }
}
