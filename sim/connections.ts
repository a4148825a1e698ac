import type { Application } from './estate.ts'
import { IntentionModel } from './models/intentions.ts'
import { perRun } from './per-run.ts'
import type { Run } from './run.ts'

/** A deny is in force everywhere after this long, on agents that can be reached. */
export const DENY_WITHIN_MS = 1_000

/** A connection between two programs, as the one who dialled knows it. */
export type Dialled = {
  source: string
  destination: string
  atMs: number
  /** It shows a certificate that may be believed. */
  hasLeaf: boolean
}

/** What clients know of connections in a run. */
export class Connections {
  /** What operators asked for. */
  readonly asked: IntentionModel
  /** The service that dialled with a certificate of its own, by where it dialled from. */
  readonly strangers = new Map<string, string>()
  /** The first connection that carried bytes and should not have, and the first that led elsewhere than it should. */
  wrong: string | undefined
  astray: string | undefined
  readonly #dialled: Dialled[] = []
  readonly #run: Run

  constructor(run: Run) {
    const { agents, upstreams } = run.cluster.estate
    this.#run = run
    this.asked = new IntentionModel(agents[0]?.config.acl.defaultPolicy === 'allow', upstreams)
  }

  /** A program dials. What it answers is what the program must send, so that the other end knows whose bytes they are. */
  dialled(dialled: Dialled): Uint8Array {
    this.#dialled.push(dialled)
    return Buffer.from(`${GREETING}${this.#dialled.length - 1};`)
  }

  /** The program behind a service got bytes. */
  heard({ service, node }: Application, bytes: Uint8Array): void {
    const number = NUMBER.exec(Buffer.from(bytes).toString('latin1'))?.[1]
    const dialled = number === undefined ? undefined : this.#dialled[Number(number)]
    if (!dialled) return
    const { source, destination, atMs, hasLeaf } = dialled
    const { nowMs } = this.#run.world
    const what = `${service} on ${node} got bytes at ${nowMs.toFixed(0)} ms from ${source}, which dialled ${destination} at ${atMs.toFixed(0)} ms`
    const deniedSinceMs = this.asked.deniedSinceMs(source, destination)
    const names = [...this.#run.cluster.nodes.keys()]
    const calmSinceMs = Math.max(...names.map((name) => this.#run.cluster.disturbedUntil(name)))
    if (service !== destination) this.astray ??= what
    else if (!hasLeaf) this.wrong ??= `${what} with a certificate that nobody may believe`
    else if (deniedSinceMs !== undefined && Math.max(deniedSinceMs, calmSinceMs) + DENY_WITHIN_MS <= atMs)
      this.wrong ??= `${what} and is denied since ${deniedSinceMs.toFixed(0)} ms`
  }
}

const GREETING = 'connection '
const NUMBER = /^connection (\d+);/

export const connectionsOf = perRun((run: Run) => new Connections(run))

/** Where one end of a connection is, for everybody: loopback addresses mean another machine on each. */
export function placeOf(node: string, address: string): string {
  return address.startsWith('127.') ? `${node} ${address}` : address
}
