/** Everything that happened in a run, as one number; with `keep`, also as lines, to find where two runs begin to differ. */
export class Trace {
  readonly lines: string[] = []
  readonly #keep: boolean
  #low = 0x811c9dc5
  #high = 0x01000193
  count = 0

  constructor(keep: boolean) {
    this.#keep = keep
  }

  add(nowMs: number, what: string, bytes?: Uint8Array): void {
    this.count++
    this.#mixText(what)
    this.#mix(Math.round(nowMs * 1_000))
    if (bytes) for (const byte of bytes) this.#mix(byte)
    if (this.#keep)
      this.lines.push(
        `${nowMs.toFixed(3)} ms  ${what}${
          bytes
            ? ` ${Buffer.from(bytes)
                .toString('latin1')
                .replace(/[^ -~]+/g, '.')}`
            : ''
        }`,
      )
  }

  get hash(): string {
    return (this.#high >>> 0).toString(16).padStart(8, '0') + (this.#low >>> 0).toString(16).padStart(8, '0')
  }

  #mixText(text: string): void {
    for (let at = 0; at < text.length; at++) this.#mix(text.charCodeAt(at))
  }

  #mix(value: number): void {
    this.#low = Math.imul(this.#low ^ value, 0x01000193)
    this.#high = Math.imul(this.#high ^ value ^ (this.#low >>> 15), 0x85ebca6b)
  }
}
