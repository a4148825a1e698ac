import type { ManagedProxyDefinition, ServiceDefinition } from '../../actors/definitions.ts'
import { type Plan as ProxyPlan, planOf } from '../../actors/proxies/plan.ts'
import type { Config } from '../../src/config/index.ts'
import { proxiesArgs } from '../../src/connect-args.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import type { Application, Upstream } from '../estate.ts'

/** The services of one agent as they are simulated, the programs behind them and whom these want to reach. */
export type SimulatedServices = { services: ServiceDefinition[]; applications: Application[]; upstreams: Upstream[] }

/** The agents on which a service can be reached through the mesh, by its name. */
export type Places = ReadonlyMap<string, readonly string[]>

/** Where the services of these agents can be reached: on agents that run a proxy for them. */
export function placesOf(configs: readonly Config[]): Places {
  const places = new Map<string, string[]>()
  for (const config of configs) {
    for (const service of config.services) {
      const nodes = places.get(service.name) ?? []
      places.set(service.name, nodes)
      if (proxyPlan(config, service) !== undefined && !nodes.includes(config.node.name)) nodes.push(config.node.name)
    }
  }
  return places
}

/**
 * The services of an agent with what stands for the outside in a simulation: every program listens on its own machine's
 * loopback address, and so do the ways to upstreams. What is left out is noted.
 */
export function simulatedServices(config: Config, places: Places, note: (text: string) => void): SimulatedServices {
  const simulated: SimulatedServices = { services: [], applications: [], upstreams: [] }
  const taken = new Map<number, string>()
  // Of several with one id the last one counts.
  for (const service of new Map(config.services.map((one) => [one.id, one])).values()) {
    if (service.kind !== '') {
      note(
        `${service.name} is a ${service.kind}, a process of its own, and is not simulated: only managed proxies (connect { proxy {} }) run inside the agent`,
      )
      continue
    }
    const proxy = proxyPlan(config, service, note)
    const port = proxy?.inbound.localPort ?? service.port
    const upstreams = (proxy?.upstreams ?? []).filter(
      (one) => isSimulated(service.name, one, note) && isReachable(service.name, one.service, places, note),
    )
    const kept = upstreams.filter((one) => isFree(one.port, `the upstream ${one.service} of ${service.name}`, taken, note))
    if (port > 0 && isFree(port, `the program ${service.name}`, taken, note)) {
      simulated.applications.push({ node: config.node.name, service: service.name, id: service.id, address: LOOPBACK, port })
    }
    for (const { service: destination, port } of kept) {
      simulated.upstreams.push({ node: config.node.name, source: service.name, destination, address: LOOPBACK, port })
    }
    noteChecks(service, note)
    simulated.services.push(simulatedService(service, proxy, kept))
  }
  return simulated
}

const LOOPBACK = '127.0.0.1'

/** How the agent would run the proxy of a service; undefined if it runs none. */
function proxyPlan(config: Config, service: ServiceDefinition, note: (text: string) => void = () => undefined): ProxyPlan | undefined {
  const { connect } = service
  if (connect?.sidecarService) {
    note(
      `${service.name} has a sidecar that is a process of its own and is not simulated: only managed proxies (connect { proxy {} }) run inside the agent`,
    )
  }
  if (connect?.native) note(`${service.name} speaks Connect by itself, which is not simulated: no other service reaches it`)
  if (!connect?.proxy) return undefined
  if (!config.connect.enabled) {
    note(`the proxy of ${service.name} does not run: connect.enabled is not true`)
    return undefined
  }
  const plan = planOf(service, proxiesArgs(config).settings)
  if (isRefused(plan)) {
    note(`the proxy of ${service.name} does not run: ${plan.why}`)
    return undefined
  }
  if (plan.inbound.sendProxy) note(`the program of ${service.name} is not told who connects: the PROXY protocol is not simulated`)
  if (plan.inbound.localSocketPath === '') return plan
  note(`the program of ${service.name} listens on a path, which is not simulated: its proxy is left out`)
  return undefined
}

function isSimulated(
  source: string,
  { service, query, socketPath }: ProxyPlan['upstreams'][number],
  note: (text: string) => void,
): boolean {
  if (query) note(`${source} has the prepared query ${JSON.stringify(service)} as an upstream, which is not simulated: it is left out`)
  else if (socketPath) note(`${source} has the upstream ${JSON.stringify(service)} on a path, which is not simulated: it is left out`)
  return !query && !socketPath
}

function isReachable(source: string, destination: string, places: Places, note: (text: string) => void): boolean {
  const nodes = places.get(destination)
  if (nodes === undefined)
    note(`${source} has the upstream ${JSON.stringify(destination)}, but no agent has a service of that name: it is left out`)
  else if (nodes.length === 0)
    note(`${source} has the upstream ${JSON.stringify(destination)}, but no agent runs a proxy for it: it is left out`)
  return nodes !== undefined && nodes.length > 0
}

/** Whether nobody else on the machine listens on the port. */
function isFree(port: number, what: string, taken: Map<number, string>, note: (text: string) => void): boolean {
  const other = taken.get(port)
  if (other !== undefined) note(`${what} and ${other} both listen on port ${port}: ${what} is left out`)
  else taken.set(port, what)
  return other === undefined
}

function noteChecks({ name, checks }: ServiceDefinition, note: (text: string) => void): void {
  if (checks.some(({ type }) => type === 'ttl'))
    note(`${name} has a TTL check: its program says every half second that it is well, unless it is stopped`)
}

/** Nobody but the proxy is told of addresses that are not simulated. */
function simulatedService(service: ServiceDefinition, proxy: ProxyPlan | undefined, upstreams: ProxyPlan['upstreams']): ServiceDefinition {
  const { connect: _written, ...rest } = service
  const plain: ServiceDefinition = { ...rest, address: '', taggedAddresses: {} }
  if (!proxy) return plain
  return { ...plain, connect: { native: false, proxy: managedProxy(proxy, upstreams) } }
}

function managedProxy({ inbound, drainMs }: ProxyPlan, upstreams: ProxyPlan['upstreams']): ManagedProxyDefinition {
  return {
    execMode: 'daemon',
    command: [],
    config: {
      ...(inbound.port > 0 && { bindPort: inbound.port }),
      localServiceAddress: `${LOOPBACK}:${inbound.localPort}`,
      localConnectTimeoutMs: inbound.connectWithinMs,
      handshakeTimeoutMs: inbound.handshakeMs,
      ...(inbound.connectionsMax && { maxInboundConnections: inbound.connectionsMax }),
      ...(inbound.perSecondMax && { maxInboundConnectionsPerSecond: inbound.perSecondMax }),
      ...(drainMs && { drainMs }),
      // Whether a proxy listens is for the simulated network to say, not for a probe.
      disableTcpCheck: true,
      upstreams: upstreams.map(({ service, port, connectWithinMs, connectionsMax, ejection }) => ({
        destinationType: 'service',
        destinationName: service,
        destinationNamespace: '',
        datacenter: '',
        localBindAddress: LOOPBACK,
        localBindPort: port,
        localBindSocketPath: '',
        localBindSocketMode: '',
        connectTimeoutMs: connectWithinMs,
        ...(connectionsMax && { connectionsMax }),
        ...(ejection && { ejection }),
        config: {},
        meshGateway: { mode: '' },
      })),
      opaque: {},
    },
  }
}
