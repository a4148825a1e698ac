import type { LocalList } from '../../actors/local/protocol.ts'
import { localRef } from '../../actors/local/protocol.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import type { Upstream } from '../estate.ts'
import { queriesOf } from '../queries.ts'
import type { Run } from '../run.ts'
import { readEveryKey } from '../workloads/kv.ts'
import { noteRegistrations } from '../workloads/registrations.ts'
import { conditions } from './conditions.ts'

/** Everything must be at rest this long after trouble ended. Anti-entropy tries again after up to 30 s. */
export const REST_WITHIN_MS = 90_000
const ASK_EVERY_MS = 500
const TRY_WITHIN_MS = 2_000

/** What an agent said of itself, and when it was asked. */
export type Said = { list: LocalList; askedMs: number; answeredMs: number }

/** After trouble: asks the agents and tries the upstreams until everything is as it must be, or too much time has passed. */
export class Rest {
  readonly said = new Map<string, Said>()
  /** When bytes last came back through an upstream. */
  readonly echoedMs = new Map<Upstream, number>()
  readonly beganMs: number
  isDone = false
  readonly #run: Run
  #askAtMs = 0
  #heldAtMs: number | undefined
  readonly #tries = new Set<Upstream>()

  constructor(run: Run) {
    this.#run = run
    this.beganMs = run.world.nowMs
  }

  /** Looks whether everything is at rest. What is not after `REST_WITHIN_MS` is a broken promise. */
  look(sinceMs: number): void {
    const { nowMs } = this.#run.world
    for (const { name, sentence, notYet } of conditions) {
      const reason = notYet(this.#run, this)
      if (reason === undefined) continue
      this.#heldAtMs = undefined
      if (sinceMs > Math.max(REST_WITHIN_MS, this.#run.restsByMs - this.beganMs)) {
        this.#run.fail(name, sentence, `${reason}, ${(sinceMs / 1_000).toFixed(0)} s after all trouble has ended`)
        return
      }
      if (nowMs >= this.#askAtMs) this.#ask()
      return
    }
    // What was said must have been said after everything else held.
    if (this.#heldAtMs === undefined) {
      this.#heldAtMs = nowMs
      this.#ask()
    } else if ([...this.said.values()].every(({ askedMs }) => askedMs >= (this.#heldAtMs as number))) {
      for (const [node, said] of this.said) noteRegistrations(this.#run, node, said)
      readEveryKey(this.#run)
      queriesOf(this.#run).readEvery()
      this.isDone = true
    }
  }

  #ask(): void {
    const { cluster, world } = this.#run
    this.#askAtMs = world.nowMs + ASK_EVERY_MS
    for (const node of cluster.nodes.values()) {
      if (!node.isUp) continue
      const askedMs = world.nowMs
      node.edge.ask(localRef, 'list', null, TRY_WITHIN_MS, (list) => {
        if (!isRefused(list)) this.said.set(node.name, { list, askedMs, answeredMs: world.nowMs })
      })
    }
    for (const upstream of cluster.estate.upstreams) if (!this.#tries.has(upstream)) this.#try(upstream)
  }

  /** Sends something through an upstream and waits for it to come back. */
  #try(upstream: Upstream): void {
    const { cluster, world } = this.#run
    const { node, address, port } = upstream
    this.#tries.add(upstream)
    const over = () => {
      this.#tries.delete(upstream)
      giveUp()
    }
    const giveUp = cluster.network.dial(node, { host: address, port }, (socket) => {
      if (isRefused(socket)) return over()
      socket.handlers = {
        data: () => {
          this.echoedMs.set(upstream, world.nowMs)
          socket.end()
        },
        closed: over,
      }
      socket.resume()
      socket.write(PROBE)
      world.after(TRY_WITHIN_MS, () => socket.reset())
    })
    world.after(TRY_WITHIN_MS * 2, () => this.#tries.has(upstream) && over())
  }
}

const PROBE = new Uint8Array([1])
