import { type LocalCheck, type LocalList, type LocalProtocol, type LocalService, localRef } from '../../../actors/local/protocol.ts'
import { agentCheckShape, agentServiceShape } from '../agent-shapes.ts'
import { type AnswerTo, type EdgeSettings, type HttpReply, type HttpRequest, question, type Route } from '../route.ts'

type Health = 'passing' | 'warning' | 'critical' | 'maintenance'

const STATUS: Record<Health, number> = { passing: 200, warning: 429, critical: 503, maintenance: 503 }
const WORST_FIRST: readonly Health[] = ['maintenance', 'critical', 'warning']

/** GET /v1/agent/health/service/id/:id */
export const healthByIdRoute: Route = {
  method: 'GET',
  path: '/v1/agent/health/service/id/*id',
  statusOf: { missing: 500 },
  ask({ rest: serviceId }) {
    if (serviceId === '') return { status: 500, text: 'Bad request: Missing serviceID' }
    return question(localRef, 'service', { serviceId })
  },
  reply({ service, checks }: AnswerTo<LocalProtocol, 'service'>, request, settings) {
    if (!service) {
      const reason = `ServiceId ${request.rest} not found`
      return {
        status: 404,
        headers: { 'X-Consul-Reason': reason },
        json: wantsText(request) ? reason : { AggregatedStatus: 'critical', Service: null, Checks: null },
      }
    }
    const health = worst(checks)
    return answer(request, health, shown(health, service, checks, settings))
  },
}

/** GET /v1/agent/health/service/name/:name */
export const healthByNameRoute: Route = {
  method: 'GET',
  path: '/v1/agent/health/service/name/*name',
  ask({ rest: name }) {
    if (name === '') return { status: 500, text: 'Bad request: Missing service Name' }
    return question(localRef, 'list', null)
  },
  reply(list: LocalList, request, settings) {
    const { rest: name } = request
    const services = list.services.filter(({ definition }) => definition.name === name)
    if (services.length === 0) {
      const reason = `ServiceName ${name} Not Found`
      return { status: 404, headers: { 'X-Consul-Reason': reason }, json: wantsText(request) ? reason : [] }
    }
    const found = services.map((service) => {
      const checks = checksOf(list, service)
      const health = worst(checks)
      return { health, shape: shown(health, service, checks, settings) }
    })
    const health = WORST_FIRST.find((one) => found.some((service) => service.health === one)) ?? 'passing'
    return answer(
      request,
      health,
      found.map(({ shape }) => shape),
    )
  },
}

function answer(request: HttpRequest, health: Health, json: unknown): HttpReply {
  const reply = { status: STATUS[health], headers: { 'X-Consul-Reason': health } }
  return wantsText(request) ? { ...reply, text: health } : { ...reply, json }
}

function wantsText({ query, headers }: HttpRequest): boolean {
  const format = query.get('format')
  return format === null ? String(headers['accept'] ?? '').startsWith('text/plain') : format === 'text'
}

function shown(health: Health, { definition }: LocalService, checks: readonly LocalCheck[], { datacenter, node }: EdgeSettings): object {
  return {
    AggregatedStatus: health,
    Service: agentServiceShape(definition, datacenter),
    Checks: checks.map((check) => agentCheckShape(check, node)),
  }
}

function checksOf({ checks }: LocalList, { definition }: LocalService): LocalCheck[] {
  return checks.filter(({ serviceId }) => serviceId === '' || serviceId === definition.id)
}

function worst(checks: readonly LocalCheck[]): Health {
  if (checks.some(({ type }) => type === 'maintenance')) return 'maintenance'
  return WORST_FIRST.find((health) => checks.some(({ status }) => status === health)) ?? 'passing'
}
