import { perRun } from './per-run.ts'
import type { Run } from './run.ts'

/** What a fault leaves behind may last so long after it. */
const AFTERMATH_MS = 45_000

/** Which trouble came when. */
export class Troubles {
  readonly #run: Run
  #count = 0
  #untilMs = 0
  /** Whether nothing was wrong when the newest fault came. */
  #wasCalm = true

  constructor(run: Run) {
    this.#run = run
  }

  /** A fault comes, which lasts so long. */
  came(forMs: number): void {
    this.#count++
    this.#wasCalm = this.#untilMs <= this.#run.world.nowMs
    this.#untilMs = Math.max(this.#untilMs, this.#run.world.nowMs + forMs + AFTERMATH_MS)
  }

  /** To be called by a fault that has just come: says whether it has been alone, without another one before it, until it is asked. */
  mark(): () => boolean {
    const own = this.#count
    const wasCalm = this.#wasCalm
    return () => wasCalm && this.#count === own
  }
}

export const troublesOf = perRun((run: Run) => new Troubles(run))
