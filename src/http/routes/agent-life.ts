import { agentRef } from '../../../actors/agent.ts'
import { question, type Route } from '../route.ts'

/** PUT /v1/agent/reload */
export const reloadRoute: Route = {
  method: 'PUT',
  path: '/v1/agent/reload',
  statusOf: { invalid: 500 },
  ask: ({ token }) => question(agentRef, 'reload', { token }),
  reply: () => ({}),
}

/** PUT /v1/agent/leave */
export const leaveRoute: Route = {
  method: 'PUT',
  path: '/v1/agent/leave',
  ask: ({ token }) => question(agentRef, 'leave', { token }),
  reply: () => ({}),
}
