import { indexOf } from '../../actors/command.ts'
import { decide } from '../../actors/intentions/decide.ts'
import { intentionsTo } from '../../actors/intentions/queries.ts'
import { parseIdentity } from '../../actors/spiffe.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { currentCopy } from '../../src/kernel/tables.ts'
import { connectionsOf, DENY_WITHIN_MS, placeOf } from '../connections.ts'
import { serviceOf } from '../handshakes.ts'
import type { SimNode } from '../node.ts'
import { perRun } from '../per-run.ts'
import type { SimOpenConnection } from '../ports/mesh-connections.ts'
import type { Run } from '../run.ts'
import type { Invariant } from './invariant.ts'

const IDENTITIES_EVERY_MS = 1_000

export const deniedIsDenied: Invariant = {
  name: 'denied-is-denied',
  sentence:
    'one second after a deny is acknowledged, or after an agent knows of it, no connection between the two services is open on any agent that can be reached',
  when: 'always',
  marks: [
    { name: 'deny looked at', kind: 'intention.deny', events: 4, chance: 0.1 },
    { name: 'deny looked at in trouble', kind: 'partition', events: 2, chance: 0.03 },
  ],
  broken(run) {
    const { asked } = connectionsOf(run)
    for (const node of run.cluster.nodes.values()) {
      if (!node.mesh) continue
      const known = knownDenies(run, node)
      if (node.mesh.size === 0) continue
      const open = node.mesh.open()
      for (const deny of known) {
        // Who knows of it needs nobody to close connections.
        const fault = openAgainst(run, node, open, { ...deny, calmSinceMs: run.cluster.stoppedUntil(node.name) })
        if (fault) return `${fault} ${node.name} knew of the deny`
      }
      for (const deny of asked.denied()) {
        const fault = openAgainst(run, node, open, { ...deny, calmSinceMs: run.cluster.disturbedUntil(node.name) })
        if (fault) return `${fault} the deny`
      }
    }
    return undefined
  },
}

export const deniedCarriesNothing: Invariant = {
  name: 'denied-carries-nothing',
  sentence: 'a program never gets a byte from a service that was denied when it dialled or showed a certificate that nobody may believe',
  when: 'always',
  broken: (run) => connectionsOf(run).wrong,
}

export const identitiesAreTrue: Invariant = {
  name: 'identities-are-true',
  sentence: 'the identity of a connection is that of the service that dialled it, and it leads to the service that was asked for',
  when: 'always',
  marks: [{ name: 'identity looked at', kind: 'traffic', events: 20 }],
  broken(run) {
    const { astray } = connectionsOf(run)
    const looked = lookedAt(run)
    if (astray !== undefined) return astray
    if (run.world.nowMs < looked.nextMs) return undefined
    looked.nextMs = run.world.nowMs + IDENTITIES_EVERY_MS
    const dialledBy = whoDialled(run)
    for (const node of run.cluster.nodes.values()) {
      for (const connection of node.mesh?.open() ?? []) {
        const fault = strangeDestination(run, node, connection) ?? strangeSource(node, connection, dialledBy)
        if (fault !== undefined) return fault
        if (connection.peer) run.reach('identity looked at')
      }
    }
    return undefined
  },
}

const lookedAt = perRun((_run: Run) => ({ nextMs: 0 }))

type Deny = { source: string; destination: string; sinceMs: number }
/** `calmSinceMs`: from when on something may be expected of the node. */
type LookedAt = Deny & { calmSinceMs: number }
type Known = { index: number; copy: number; denies: Deny[] }
const knownByNode = perRun((_run: Run) => new Map<string, Known>())

/** What the tables of a node deny, and since when. */
function knownDenies(run: Run, node: SimNode): Deny[] {
  // A client is told of them by feeds, not by tables.
  if (!node.isServer) return []
  const view = node.tables.view()
  const index = indexOf(view, 'intentions')
  const all = knownByNode(run)
  const before = all.get(node.name)
  const copy = currentCopy(view)
  if (before?.index === index && before.copy === copy) return before.denies
  const defaultAllow = node.config.acl.defaultPolicy === 'allow'
  const denies = connectionsOf(run)
    .asked.pairs()
    .filter(({ source, destination }) => !decide(intentionsTo(view, destination).intentions, source, destination, defaultAllow).allowed)
    .map(({ source, destination }) => {
      const known = before?.copy === copy && before.denies.find((deny) => deny.source === source && deny.destination === destination)
      return known || { source, destination, sinceMs: run.world.nowMs }
    })
  all.set(node.name, { index, copy, denies })
  return denies
}

function openAgainst(run: Run, node: SimNode, open: readonly SimOpenConnection[], { source, destination, sinceMs, calmSinceMs }: LookedAt) {
  const { nowMs } = run.world
  if (nowMs - Math.max(sinceMs, calmSinceMs) <= DENY_WITHIN_MS) return undefined
  run.reach('deny looked at')
  if (run.cluster.disturbedUntil(node.name) > nowMs) run.reach('deny looked at in trouble')
  for (const { connection, owner, phase, peer } of open) {
    if (phase === 'spliced' && peer?.uri.endsWith(`/svc/${source}`) && serviceOf(node, owner) === destination)
      return `connection ${connection} from ${source} to ${destination} is open on ${node.name}, ${(nowMs - sinceMs).toFixed(0)} ms after`
  }
  return undefined
}

/** The service of every end that something was dialled from. */
function whoDialled(run: Run): Map<string, string> {
  const services = new Map(connectionsOf(run).strangers)
  for (const node of run.cluster.nodes.values()) {
    for (const { owner, dialledFrom } of node.mesh?.open() ?? []) {
      if (dialledFrom !== undefined) services.set(placeOf(node.name, dialledFrom), serviceOf(node, owner))
    }
  }
  return services
}

function strangeSource(node: SimNode, { from, peer, owner }: SimOpenConnection, dialledBy: Map<string, string>): string | undefined {
  if (!peer) return undefined
  const service = dialledBy.get(placeOf(node.name, from))
  if (service === undefined || service === serviceIn(peer.uri)) return undefined
  return `a connection to ${serviceOf(node, owner)} on ${node.name} has the identity ${peer.uri}, and ${service} dialled it`
}

function strangeDestination(run: Run, node: SimNode, { dialledPeer, owner }: SimOpenConnection): string | undefined {
  if (!dialledPeer) return undefined
  const source = serviceOf(node, owner)
  const wanted = run.cluster.estate.upstreams.filter((upstream) => upstream.node === node.name && upstream.source === source)
  if (wanted.some(({ destination }) => destination === serviceIn(dialledPeer.uri))) return undefined
  return `${source} on ${node.name} is connected to ${dialledPeer.uri}, which is none of its upstreams`
}

function serviceIn(uri: string): string {
  const identity = parseIdentity(uri)
  return !isRefused(identity) && identity.kind === 'service' ? identity.service : ''
}
