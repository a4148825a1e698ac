/** What one answer may still spend on comparing texts, so that no expression can hold up a thread. A step is about 20 ns. */
export class Work {
  #left: number

  constructor(steps: number) {
    this.#left = steps
  }

  /** Throws `OutOfWork` when nothing is left. */
  spend(steps: number): void {
    this.#left -= steps
    if (this.#left < 0) throw new OutOfWork()
  }
}

/** An expression needs more work than one answer may take. */
export class OutOfWork extends Error {}
