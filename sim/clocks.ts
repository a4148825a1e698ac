import { perRun } from './per-run.ts'
import type { Run } from './run.ts'

/** They are corrected by less every day. */
const SET_BY_MS = 5_000
/** After a clock was set, what is due by it is done within this. */
const SETTLED_MS = 120_000

/** Which clocks were set when. */
export class Clocks {
  /** No clock was ever wrong. */
  wereSteady = true
  readonly #run: Run
  readonly #known = new Map<string, { offsetMs: number; setAtMs: number }>()

  constructor(run: Run) {
    this.#run = run
  }

  /** Notices clocks that were set since it looked last. */
  look(): void {
    const { world, cluster } = this.#run
    for (const { name, clock } of cluster.nodes.values()) {
      const offsetMs = clock.wallMs() - world.nowMs
      const before = this.#known.get(name)
      const isSet = before !== undefined && Math.abs(offsetMs - before.offsetMs) > SET_BY_MS
      if (isSet) this.wereSteady = false
      this.#known.set(name, { offsetMs, setAtMs: isSet ? world.nowMs : (before?.setAtMs ?? Number.NEGATIVE_INFINITY) })
    }
  }

  /** When a clock was set last by which a machine's certificates are made: its own or, on a client, that of a server; -Infinity if none ever was. */
  setAtMs(name: string): number {
    this.look()
    const { cluster } = this.#run
    const signers = cluster.nodes.get(name)?.isServer === false ? cluster.servers : []
    return Math.max(
      ...[name, ...signers.map((server) => server.name)].map((one) => this.#known.get(one)?.setAtMs ?? Number.NEGATIVE_INFINITY),
    )
  }

  /** Whether a clock is right, and has been for a while. */
  isSteady(name: string): boolean {
    const { world } = this.#run
    return world.nowMs - this.setAtMs(name) > SETTLED_MS
  }
}

export const clocksOf = perRun((run: Run) => new Clocks(run))
