import { parseIdentity } from '../actors/spiffe.ts'
import { isRefused } from '../src/kernel/refusal.ts'
import { clocksOf } from './clocks.ts'
import type { SimNode } from './node.ts'
import { perRun } from './per-run.ts'
import type { CertificateFacts, SimHandshake } from './ports/mesh-identity.ts'
import type { Run } from './run.ts'
import { snapshotsOf } from './snapshots.ts'

/** Sidecars have leaves of a root that a restore brought back by then. */
const RESTORED_MS = 45_000
/** Agents put themselves back into the catalog by then. */
const FORGOTTEN_MS = 150_000
/** A fault of a certificate that a wrong clock may see on either side. */
const OF_TIME = /not valid yet|has expired/

/** What the two sides of handshakes made of each other's certificates. */
export class Handshakes {
  /** The first sidecar that was not believed and should have been. */
  unbelieved: string | undefined
  /** The first sidecar that showed a certificate of another service. */
  foreign: string | undefined
  readonly #run: Run
  /** Services that have a sidecar. Others speak for themselves, and show what they like. */
  readonly #members: ReadonlySet<string>
  /** When somebody took a node out of the catalog last. */
  readonly #forgottenMs = new Map<string, number>()

  constructor(run: Run) {
    this.#run = run
    const services = run.cluster.estate.agents.flatMap(({ config }) => config.services)
    this.#members = new Set(services.filter(({ connect }) => connect?.proxy).map(({ name }) => name))
  }

  /** Somebody takes a node out of the catalog: nobody waits for its sidecars any more, until its agent has put it back. */
  forgotten(node: string): void {
    this.#forgottenMs.set(node, this.#run.world.nowMs)
  }

  /** One side has judged the other. */
  judged(node: SimNode, { owner, side, peer, peerNode, shown, keyId, own, fault }: SimHandshake): void {
    const { nowMs } = this.#run.world
    const [leaf] = shown
    const service = serviceOf(node, owner)
    const ownName = serviceIn(own?.chain[0])
    if (own && ownName !== service) this.foreign ??= `${owner} on ${node.name} shows a certificate of ${ownName}, and it is ${service}`
    // A service that has no sidecar, or somebody with a certificate that is not its own.
    if (leaf && (!this.#members.has(serviceIn(leaf)) || leaf.keyId !== keyId)) return
    if (fault === undefined) {
      if (leaf?.authorityKeyId !== own?.chain[0]?.authorityKeyId) this.#run.reach('handshake between two roots')
      return
    }
    if (this.#isForgivable(node, peerNode, fault)) return
    const who = leaf
      ? `${serviceIn(leaf)} at ${peer} (certificate ${leaf.serial} of key ${short(leaf.authorityKeyId)})`
      : `somebody at ${peer}`
    const trusted = own ? `, which trusts ${own.roots.map(({ keyId }) => short(keyId)).join(' ')}` : ''
    this.unbelieved ??= `${side} ${owner} on ${node.name} ended a handshake with ${who} at ${nowMs.toFixed(0)} ms: ${fault}${trusted}`
  }

  #isForgivable(node: SimNode, peerNode: string, fault: string): boolean {
    const { world, cluster } = this.#run
    const names = [node.name, ...(cluster.nodes.has(peerNode) ? [peerNode] : [])]
    if (OF_TIME.test(fault) && !names.every((name) => clocksOf(this.#run).isSteady(name))) return true
    if (names.some((name) => world.nowMs - (this.#forgottenMs.get(name) ?? Number.NEGATIVE_INFINITY) < FORGOTTEN_MS)) return true
    return snapshotsOf(this.#run).mayRestoreBetween(world.nowMs - RESTORED_MS, world.nowMs)
  }
}

export const handshakesOf = perRun((run: Run) => new Handshakes(run))

/** The name of the service with this id. */
export function serviceOf({ config }: SimNode, id: string): string {
  return config.services.find((service) => service.id === id)?.name ?? id
}

function serviceIn(leaf: CertificateFacts | undefined): string {
  const identity = parseIdentity(leaf?.uris?.[0] ?? '')
  return !isRefused(identity) && identity.kind === 'service' ? identity.service : ''
}

function short(keyId: string | undefined): string {
  return keyId?.slice(0, 8) ?? 'unknown'
}
