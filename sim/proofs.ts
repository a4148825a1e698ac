import { enforcement } from '../actors/reports/queries.ts'
import { connectionsOf } from './connections.ts'
import type { AskedRule } from './models/intentions.ts'
import type { SimNode } from './node.ts'
import { perRun } from './per-run.ts'
import type { Run } from './run.ts'

/** Answers that said that a deny is in force everywhere, held against the connections that are open. */
export class Proofs {
  /** The first connection that was open although a proof said otherwise. */
  wrong: string | undefined
  readonly #run: Run

  constructor(run: Run) {
    this.#run = run
  }

  /** An agent has just said that every sidecar of the rule's destination has the intentions of this index in force. */
  came(at: SimNode, rule: AskedRule, index: number): void {
    const { nowMs } = this.#run.world
    // A pair that another change denied meanwhile is not what this proof is about.
    const pairs = [...connectionsOf(this.#run).asked.denied()].filter(
      ({ source, destination, sinceMs }) =>
        matches(rule.source, source) && matches(rule.destination, destination) && (sinceMs <= rule.askedMs || sinceMs === nowMs),
    )
    for (const { node, serviceId, service, done } of enforcement(this.#run.cluster.stateFor(at.name).tables.view(), {
      destination: rule.destination,
      index,
    }).proxies) {
      const denied = pairs.filter(({ destination }) => destination === service)
      if (!done || denied.length === 0) continue
      this.#run.reach('proof looked at')
      for (const { owner, connection, phase, peer } of this.#run.cluster.nodes.get(node)?.mesh?.open() ?? []) {
        const pair = owner === serviceId && phase === 'spliced' && denied.find(({ source }) => peer?.uri.endsWith(`/svc/${source}`))
        if (pair)
          this.wrong ??= `connection ${connection} from ${pair.source} to ${service} is open on ${node}, and ${at.name} has the proof`
      }
    }
  }
}

export const proofsOf = perRun((run: Run) => new Proofs(run))

function matches(rule: string, name: string): boolean {
  return rule === '*' || rule === name
}
