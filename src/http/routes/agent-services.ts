import { type LocalList, type LocalService, localRef } from '../../../actors/local/protocol.ts'
import { serviceFromApi } from '../../config/definitions.ts'
import { isRefused } from '../../kernel/refusal.ts'
import { agentServiceShape, hashedServiceShape } from '../agent-shapes.ts'
import { waitOf } from '../blocking.ts'
import { keptBy, serviceFilters } from '../filters.ts'
import { jsonOf, parseBool } from '../parameters.ts'
import { type HttpReply, question, type Route } from '../route.ts'

/** GET /v1/agent/services */
export const agentServicesRoute: Route = {
  method: 'GET',
  path: '/v1/agent/services',
  ask: () => question(localRef, 'list', null),
  reply({ services }: LocalList, { query }, { datacenter }) {
    const shown = services.map(({ definition }) => agentServiceShape(definition, datacenter))
    const kept = keptBy(query, serviceFilters, shown)
    return Array.isArray(kept) ? { json: Object.fromEntries(kept.map((service) => [service['ID'], service])) } : kept
  },
}

/** GET /v1/agent/service/:id: blocks while the content hash is the one that the client knows. */
export const agentServiceRoute: Route = {
  method: 'GET',
  path: '/v1/agent/service/*id',
  async run({ rest: serviceId, query }, { settings, asked, awaited }) {
    const wait = waitOf(query, settings)
    if (!('waitMs' in wait)) return wait
    const known = query.get('hash') ?? ''
    const found = await asked(localRef, 'service', { serviceId })
    if (isRefused(found)) return found
    const isOther = (service: LocalService | null) => !service || hashedServiceShape(service.definition, settings.datacenter).hash !== known
    const next =
      known === '' || isOther(found.service) ? undefined : await awaited(localRef, 'serviceChanges', { serviceId }, isOther, wait.waitMs)
    const service = next ? next.value : found.service
    if (!service) return { status: 404, text: `unknown service ID: ${serviceId}` }
    const { hash, shape } = hashedServiceShape(service.definition, settings.datacenter)
    return { json: shape, headers: { 'X-Consul-Contenthash': hash } }
  },
}

/** PUT /v1/agent/service/register */
export const serviceRegisterRoute: Route = {
  method: 'PUT',
  path: '/v1/agent/service/register',
  ask({ body, query, token }) {
    const decoded = jsonOf(body)
    if (isRefused(decoded)) return { status: 400, text: `Request decode failed: ${decoded.why}` }
    const service = serviceFromApi(decoded.value)
    if (isRefused(service)) return { status: 400, text: service.why }
    const replace = query.get('replace-existing-checks')
    const replaceExistingChecks = replace === '' || replace === 'true'
    return question(localRef, 'registerService', { service, replaceExistingChecks, token: token === '' ? service.token : token })
  },
  reply: () => ({}),
}

/** PUT /v1/agent/service/deregister/:id */
export const serviceDeregisterRoute: Route = {
  method: 'PUT',
  path: '/v1/agent/service/deregister/*id',
  ask({ rest: serviceId, token }) {
    if (serviceId === '') return { status: 400, text: 'Missing service ID' }
    return question(localRef, 'deregisterService', { serviceId, token })
  },
  reply: () => ({}),
}

/** PUT /v1/agent/service/maintenance/:id */
export const serviceMaintenanceRoute: Route = {
  method: 'PUT',
  path: '/v1/agent/service/maintenance/*id',
  ask({ rest: serviceId, query, token }) {
    if (serviceId === '') return { status: 400, text: 'Missing service ID' }
    const enable = enableOf(query)
    if (typeof enable !== 'boolean') return enable
    return question(localRef, 'serviceMaintenance', { serviceId, enable, reason: query.get('reason') ?? '', token })
  },
  reply: () => ({}),
}

/** PUT /v1/agent/maintenance */
export const nodeMaintenanceRoute: Route = {
  method: 'PUT',
  path: '/v1/agent/maintenance',
  ask({ query, token }) {
    const enable = enableOf(query)
    if (typeof enable !== 'boolean') return enable
    return question(localRef, 'nodeMaintenance', { enable, reason: query.get('reason') ?? '', token })
  },
  reply: () => ({}),
}

function enableOf(query: URLSearchParams): boolean | HttpReply {
  const text = query.get('enable')
  if (text === null) return { status: 400, text: 'Missing value for enable' }
  return parseBool(text) ?? { status: 400, text: `Invalid value for enable: ${JSON.stringify(text)}` }
}
