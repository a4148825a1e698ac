import { catalogRef } from '../../../actors/catalog/index.ts'
import { isRefused } from '../../kernel/refusal.ts'
import { deregistrationOf, registrationOf } from '../catalog-bodies.ts'
import { jsonOf } from '../parameters.ts'
import { elsewhere, type HttpReply, question, type Route } from '../route.ts'

/** PUT /v1/catalog/register */
export const catalogRegisterRoute: Route = {
  method: 'PUT',
  path: '/v1/catalog/register',
  statusOf: { invalid: 500 },
  datacenterInBody: true,
  ask({ body, query, token }, { datacenter }) {
    const decoded = jsonOf(body)
    if (isRefused(decoded)) return undecodable(decoded.why)
    const registration = registrationOf(decoded.value)
    if ('undecodable' in registration) return undecodable(registration.undecodable)
    if (isRefused(registration)) return registration
    const { datacenter: wanted, ...request } = registration
    return { ...question(catalogRef, 'register', { ...request, token }), ...elsewhere(wanted || (query.get('dc') ?? ''), datacenter) }
  },
  reply: () => ({ json: true }),
}

/** PUT /v1/catalog/deregister */
export const catalogDeregisterRoute: Route = {
  method: 'PUT',
  path: '/v1/catalog/deregister',
  statusOf: { invalid: 500 },
  datacenterInBody: true,
  ask({ body, query, token }, { datacenter }) {
    const decoded = jsonOf(body)
    if (isRefused(decoded)) return undecodable(decoded.why)
    const request = deregistrationOf(decoded.value)
    if ('undecodable' in request) return undecodable(request.undecodable)
    const { datacenter: wanted, ...ids } = request
    return { ...question(catalogRef, 'deregister', { ...ids, token }), ...elsewhere(wanted || (query.get('dc') ?? ''), datacenter) }
  },
  reply: () => ({ json: true }),
}

function undecodable(why: string): HttpReply {
  return { status: 400, text: `Request decode failed: ${why}` }
}
