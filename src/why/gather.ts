import { caRoots } from '../../actors/ca/queries.ts'
import { catalogServices, connectInstances, type Instance, serviceInstances } from '../../actors/catalog/queries.ts'
import { decisionsRef } from '../../actors/decisions/protocol.ts'
import { intentionsRef } from '../../actors/intentions/index.ts'
import { localRef } from '../../actors/local/protocol.ts'
import { type ManagedProxy, proxiesRef } from '../../actors/proxies/protocol.ts'
import { fellSilent, proxyReports } from '../../actors/reports/queries.ts'
import type { ProxyReport } from '../../actors/reports/tables.ts'
import type { EdgeContext } from '../http/context.ts'
import type { Device, ProbeOutcome, ProbeRequest } from '../kernel/ports.ts'
import { isRefused, type Result } from '../kernel/refusal.ts'
import type { View } from '../kernel/tables.ts'
import { applicationOf, type RootFact, type Side, type SidecarFact, targetOf, type WhyFacts } from './facts.ts'

export type WhyQuestion = { source: string; destination: string; token: string }

const DIAL_WITHIN_MS = 2_000
const DIALS_MAX = 32

/** Looks at everything that lies between two services, and tries the ports of the destination from here. */
export async function gatherWhy(context: EdgeContext, { source, destination, token }: WhyQuestion): Promise<Result<WhyFacts>> {
  const { host, settings, asked } = context
  const [explanation, managed, refusals, agent] = await Promise.all([
    asked(intentionsRef, 'explain', { source, destination, token }),
    asked(proxiesRef, 'list', { token }),
    asked(decisionsRef, 'list', { source, destination, token }),
    asked(localRef, 'facts', null),
  ])
  if (isRefused(explanation)) return explanation
  if (isRefused(managed)) return managed
  if (isRefused(refusals)) return refusals
  if (isRefused(agent)) return agent
  const view = host.ports.tables.view()
  const { node } = settings
  const { reports } = proxyReports(view)
  const side = (service: string) => sideOf(view, service, sidecarsOf(service, node, reports, managed))
  const to = side(destination)
  return {
    nowMs: host.ports.clock.wallMs(),
    node,
    source,
    destination,
    services: catalogServices(view).services.map(([name]) => name),
    from: side(source),
    to,
    dns: { enabled: agent.ports.dns > 0, domain: String(agent.debugConfig['DNSDomain'] ?? 'consul').replace(/\.$/, '') },
    roots: rootsOf(view),
    explanation,
    dialled: await dialAll(host.ports.devices.probes, addressesOf(to.members, node)),
    refusals,
  }
}

function sideOf(view: View, service: string, sidecars: SidecarFact[]): Side {
  const members = connectInstances(view, service).instances.filter(({ instance }) => {
    return (instance.proxy?.destinationServiceName || instance.name) === service
  })
  return { instances: serviceInstances(view, service).instances, members, sidecars }
}

/** What agents told of sidecars and applications, and of sidecars that run here what they say now. */
function sidecarsOf(service: string, node: string, reports: readonly ProxyReport[], managed: readonly ManagedProxy[]): SidecarFact[] {
  const here = managed.filter((one) => one.service === service)
  const told = reports.filter((report) => report.service === service && (report.node !== node || report.lease) && !fellSilent(report))
  return [
    ...here.map(({ serviceId, phase, why, status }): SidecarFact => {
      const { upstreams = [], ...inForce } = status ?? NOTHING_IN_FORCE
      return { node, serviceId, inForce, here: { phase, why, upstreams } }
    }),
    ...told.map((report): SidecarFact => {
      const { node: where, serviceId, lease } = report
      return { node: where, serviceId, inForce: report, ...(lease?.kind === 'native' && { native: true }) }
    }),
  ]
}

const NOTHING_IN_FORCE = { upstreams: [], bundle: [], leafSerial: '', leafKeyId: '', leafValidUntilMs: 0, leafWhy: '' }

function rootsOf(view: View): RootFact[] | undefined {
  return caRoots(view)?.roots.map(({ id, signingKeyId, active, notAfterMs, intermediatesPem }) => {
    return { id, signingKeyId, active, notAfterMs, isCrossSigned: intermediatesPem.length > 0 }
  })
}

/** Where the destination is reached, and on this node where the applications behind it are. */
function addressesOf(members: readonly Instance[], node: string): string[] {
  const applications = members.filter((member) => member.node.name === node).map(applicationOf)
  const all = [...members.filter(({ instance }) => instance.port > 0).map(targetOf), ...applications]
  return [...new Set(all.filter((address) => address !== undefined))].slice(0, DIALS_MAX)
}

async function dialAll(probes: Device<ProbeRequest, ProbeOutcome> | undefined, addresses: readonly string[]): Promise<Map<string, string>> {
  if (!probes) return new Map()
  const dialled = addresses.map(
    (address) =>
      new Promise<[address: string, why: string]>((resolve) => {
        const done = (outcome: Result<ProbeOutcome>) => resolve([address, whyNot(outcome)])
        probes.perform({ kind: 'tcp', address, timeoutMs: DIAL_WITHIN_MS }, done, () => undefined)
      }),
  )
  return new Map(await Promise.all(dialled))
}

function whyNot(outcome: Result<ProbeOutcome>): string {
  if (isRefused(outcome)) return outcome.why
  return outcome.status === 'passing' ? '' : outcome.output
}
