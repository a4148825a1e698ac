import type { Instance } from '../../actors/catalog/queries.ts'
import type { RefusedRow } from '../../actors/decisions/protocol.ts'
import type { Explanation } from '../../actors/intentions/explain.ts'
import type { InForce, ProxyPhase } from '../../actors/proxy/protocol.ts'

/** Everything that is known when somebody asks why one service cannot reach another. */
export type WhyFacts = {
  nowMs: number
  /** The agent that was asked: what else runs on its node can be looked at. */
  node: string
  source: string
  destination: string
  /** Names of all services. */
  services: readonly string[]
  from: Side
  to: Side
  dns: { enabled: boolean; domain: string }
  /** Undefined while there is no certificate authority. */
  roots: readonly RootFact[] | undefined
  explanation: Explanation
  /** By address and port: '' for one that took a connection, or why it did not. Those that were not tried are not there. */
  dialled: ReadonlyMap<string, string>
  /** Refusals about the pair on this agent, the newest last. */
  refusals: readonly RefusedRow[]
}

/** One of the two services. */
export type Side = {
  instances: readonly Instance[]
  /** Who speaks for it in the mesh: its proxies, and instances that are native. */
  members: readonly Instance[]
  /** What agents tell of sidecars that they run, and applications that are native of themselves. */
  sidecars: readonly SidecarFact[]
}

export type SidecarFact = {
  node: string
  /** Of the service that it is the sidecar of. */
  serviceId: string
  inForce: Pick<InForce, 'bundle' | 'leafSerial' | 'leafKeyId' | 'leafValidUntilMs' | 'leafWhy'>
  /** An application, without a sidecar. */
  native?: true
  /** Only of sidecars that the asked agent runs. */
  here?: { phase: ProxyPhase | 'stopped'; why: string; upstreams: readonly UpstreamFact[] }
}

export type UpstreamFact = { service: string; address: string; port: number; phase: ProxyPhase; why: string }

export type RootFact = {
  id: string
  signingKeyId: string
  active: boolean
  notAfterMs: number
  /** Leaves come with a certificate that leads to an older root. */
  isCrossSigned: boolean
}

/** `unknown`: it cannot be checked from the asked agent. */
export type StepState = 'ok' | 'broken' | 'unknown'

/** One link between the two services. */
export type Step = {
  name: StepName
  state: StepState
  /** What was seen, as a sentence. */
  seen: string
  /** What to do about it; only where something is broken. */
  advice?: string
}

export type StepName = 'catalog' | 'health' | 'dns' | 'upstream' | 'leaf' | 'sidecar' | 'roots' | 'intention' | 'application' | 'decisions'

/** Where others of the mesh find an instance. */
export function targetOf({ node, instance }: Instance): string {
  return hostPort(instance.address === '' ? node.address : instance.address, instance.port)
}

/** Where the application behind an instance listens, as its own node sees it; undefined if it is not at a port. */
export function applicationOf({ instance: { proxy } }: Instance): string | undefined {
  if (!proxy || proxy.localServicePort === 0) return undefined
  return hostPort(proxy.localServiceAddress || '127.0.0.1', proxy.localServicePort)
}

export function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** `"web-1" on n1` */
export function placeOf({ node, instance }: Instance): string {
  return `${JSON.stringify(instance.id)} on ${node.name}`
}

/** `one instance`, `3 instances` */
export function counted(count: number, thing: string): string {
  return count === 1 ? `one ${thing}` : `${count} ${thing}s`
}

/** A name as it is shown in a sentence. */
export function quoted(name: string): string {
  return JSON.stringify(name)
}
