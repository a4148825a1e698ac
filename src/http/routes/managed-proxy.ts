import { createHash } from 'node:crypto'
import { daemonsRef } from '../../../actors/daemons/protocol.ts'
import type { ServiceDefinition } from '../../../actors/definitions.ts'
import { type AgentFacts, localRef, managedProxyId } from '../../../actors/local/protocol.ts'
import { isObject } from '../../kernel/plain.ts'
import { isRefused } from '../../kernel/refusal.ts'
import { waitOf } from '../blocking.ts'
import type { Route } from '../route.ts'

/** GET /v1/agent/connect/proxy/:id, by the id of the proxy's own service: blocks while the content hash is the one that the client knows. */
export const managedProxyRoute: Route = {
  method: 'GET',
  path: '/v1/agent/connect/proxy/*id',
  async run({ rest: proxyId, query, token }, { settings, asked, awaited }) {
    const wait = waitOf(query, settings)
    if (!('waitMs' in wait)) return wait
    const missing = { status: 404, text: `unknown proxy service ID: ${proxyId}` }
    if (!proxyId.endsWith(PROXY_ID_END)) return missing
    const serviceId = proxyId.slice(0, -PROXY_ID_END.length)
    const facts = await asked(localRef, 'facts', null)
    if (isRefused(facts)) return facts
    const proxy = await asked(localRef, 'service', { serviceId: proxyId })
    if (isRefused(proxy)) return proxy
    const found = await asked(localRef, 'service', { serviceId })
    if (isRefused(found)) return found
    const owner = token === '' ? null : await asked(daemonsRef, 'ownerOf', { token })
    if (isRefused(owner)) return owner
    // It may hold secrets: only the proxy itself sees it.
    const telemetry = owner?.daemon.id === proxyId ? owner.telemetry : undefined
    const shownNow = (service: ServiceDefinition | undefined) => shown(service, proxy.service?.definition.port ?? 0, facts, telemetry)
    const known = query.get('hash') ?? ''
    const first = shownNow(found.service?.definition)
    if (first === undefined || known === '' || first.hash !== known) return first?.reply ?? missing
    const next = await awaited(
      localRef,
      'serviceChanges',
      { serviceId },
      (value) => shownNow(value?.definition)?.hash !== known,
      wait.waitMs,
    )
    return (next ? shownNow(next.value?.definition) : first)?.reply ?? missing
  },
}

const PROXY_ID_END = managedProxyId('')
/** The built-in proxy, which runs inside the agent, under the command that would start it. */
const BUILT_IN: readonly string[] = ['tribune', 'connect', 'proxy']

/** `port`: the one that the proxy was given; 0 while it has none. Undefined for a service without a managed proxy. */
function shown(
  service: ServiceDefinition | undefined,
  port: number,
  { debugConfig }: AgentFacts,
  telemetry: Record<string, unknown> | undefined,
) {
  const proxy = service?.connect?.proxy
  if (service === undefined || proxy === undefined) return undefined
  const { execMode, command, config } = proxy
  const bindPort = config.bindPort || port
  const content = {
    ProxyServiceID: managedProxyId(service.id),
    TargetServiceID: service.id,
    TargetServiceName: service.name,
  }
  const rest = {
    ExecMode: execMode,
    Command: command.length > 0 ? command : BUILT_IN,
    Config: {
      bind_address: debugConfig['BindAddr'],
      ...(bindPort !== 0 && { bind_port: bindPort }),
      ...(service.port !== 0 && { local_service_address: `127.0.0.1:${service.port}` }),
      ...config.opaque,
      ...(telemetry && { telemetry: merged(telemetry, service, config.opaque['telemetry']) }),
    },
  }
  const digest = createHash('sha256')
    .update(JSON.stringify([content, rest]))
    .digest()
  const hash = digest.readBigUInt64BE(0).toString(16)
  return { hash, reply: { json: { ...content, ContentHash: hash, ...rest }, headers: { 'X-Consul-Contenthash': hash } } }
}

/** The proxy's own settings go before the agent's; its metrics have a name of their own. */
function merged({ metrics_prefix: prefix, ...agents }: Record<string, unknown>, { id }: ServiceDefinition, own: unknown): object {
  return { ...agents, metrics_prefix: `${String(prefix)}.proxy.${id}`, ...(isObject(own) && own) }
}
