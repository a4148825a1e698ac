import { type LocalList, localRef } from '../../../actors/local/protocol.ts'
import { checkFromApi } from '../../config/definitions.ts'
import type { HealthStatus } from '../../kernel/ports.ts'
import { isRefused } from '../../kernel/refusal.ts'
import { agentCheckShape } from '../agent-shapes.ts'
import { decodeBody } from '../decode-body.ts'
import { checkFilters, keptBy } from '../filters.ts'
import { jsonOf } from '../parameters.ts'
import { question, type Route } from '../route.ts'

/** GET /v1/agent/checks */
export const agentChecksRoute: Route = {
  method: 'GET',
  path: '/v1/agent/checks',
  ask: () => question(localRef, 'list', null),
  reply({ checks }: LocalList, { query }, { node }) {
    const shown = checks.map((check) => agentCheckShape(check, node))
    const kept = keptBy(query, checkFilters, shown)
    return Array.isArray(kept) ? { json: Object.fromEntries(kept.map((check) => [check['CheckID'], check])) } : kept
  },
}

/** PUT /v1/agent/check/register */
export const checkRegisterRoute: Route = {
  method: 'PUT',
  path: '/v1/agent/check/register',
  ask({ body, token }) {
    const decoded = jsonOf(body)
    if (isRefused(decoded)) return { status: 400, text: `Request decode failed: ${decoded.why}` }
    const check = checkFromApi(decoded.value)
    if (isRefused(check)) return { status: 400, text: check.why }
    return question(localRef, 'registerCheck', { check, token: token === '' ? check.token : token })
  },
  reply: () => ({}),
}

/** PUT /v1/agent/check/deregister/:id */
export const checkDeregisterRoute: Route = {
  method: 'PUT',
  path: '/v1/agent/check/deregister/*id',
  ask({ rest: checkId, token }) {
    if (checkId === '') return { status: 400, text: 'Missing check ID' }
    return question(localRef, 'deregisterCheck', { checkId, token })
  },
  reply: () => ({}),
}

/** PUT /v1/agent/check/pass/:id, warn, fail: a TTL check's owner says how it is. */
export const checkPassRoute: Route = ttlRoute('/v1/agent/check/pass/*id', 'passing')
export const checkWarnRoute: Route = ttlRoute('/v1/agent/check/warn/*id', 'warning')
export const checkFailRoute: Route = ttlRoute('/v1/agent/check/fail/*id', 'critical')

/** PUT /v1/agent/check/update/:id: the same, with the status in the body. */
export const checkUpdateRoute: Route = {
  method: 'PUT',
  path: '/v1/agent/check/update/*id',
  ask({ rest: checkId, body, token }) {
    if (checkId === '') return { status: 400, text: 'Missing check ID' }
    const decoded = decodeBody(body, { Status: 'string', Output: 'string' })
    if (isRefused(decoded)) return { status: 400, text: `Request decode failed: ${decoded.why}` }
    const { Status: status = '', Output: output = '' } = decoded
    if (!isStatus(status)) return { status: 400, text: `Invalid check status: '${status}'` }
    return question(localRef, 'ttlUpdate', { checkId, status, output, token })
  },
  reply: () => ({}),
}

function ttlRoute(path: string, status: HealthStatus): Route {
  return {
    method: 'PUT',
    path,
    ask({ rest: checkId, query, token }) {
      if (checkId === '') return { status: 400, text: 'Missing check ID' }
      return question(localRef, 'ttlUpdate', { checkId, status, output: query.get('note') ?? '', token })
    },
    reply: () => ({}),
  }
}

function isStatus(text: string): text is HealthStatus {
  return text === 'passing' || text === 'warning' || text === 'critical'
}
