import { IntentionModel } from './models/intentions.ts'
import { perRun } from './per-run.ts'
import type { Run } from './run.ts'

/** A deny is in force everywhere after this long, on agents that can be reached. */
export const DENY_WITHIN_MS = 1_000

/** A connection between two programs, as the one who dialled knows it. */
export type Dialled = { source: string; destination: string; atMs: number; why: 'upstream' | 'own leaf' | 'no valid leaf' }

/** What clients know of connections in a run. */
export class Connections {
  /** What operators asked for. */
  readonly asked: IntentionModel
  /** The service that dialled with a certificate of its own, by where it dialled from. */
  readonly strangers = new Map<string, string>()
  /** The first connection that carried bytes and should not have. */
  wrong: string | undefined
  readonly #run: Run

  constructor(run: Run) {
    const { agents, upstreams } = run.cluster.estate
    this.#run = run
    this.asked = new IntentionModel(agents[0]?.config.acl.defaultPolicy === 'allow', upstreams)
  }

  /** Bytes came back from the destination. */
  heard({ source, destination, atMs, why }: Dialled): void {
    if (this.wrong !== undefined) return
    const { nowMs } = this.#run.world
    const what = `a connection from ${source} to ${destination}, dialled at ${atMs.toFixed(0)} ms, carried bytes at ${nowMs.toFixed(0)} ms`
    if (why === 'no valid leaf') this.wrong = `${what}, with a certificate that nobody may believe`
    const deniedSinceMs = this.asked.deniedSinceMs(source, destination)
    if (deniedSinceMs === undefined) return
    const calmSinceMs = Math.max(...[...this.#run.cluster.nodes.keys()].map((name) => this.#run.cluster.disturbedUntil(name)))
    if (Math.max(deniedSinceMs, calmSinceMs) + DENY_WITHIN_MS > atMs) return
    this.wrong = `${what}, and is denied since ${deniedSinceMs.toFixed(0)} ms`
  }
}

export const connectionsOf = perRun((run: Run) => new Connections(run))

/** Where one end of a connection is, for everybody: loopback addresses mean another machine on each. */
export function placeOf(node: string, address: string): string {
  return address.startsWith('127.') ? `${node} ${address}` : address
}
