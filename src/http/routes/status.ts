import { serviceInstances } from '../../../actors/catalog/queries.ts'
import { SERVER_SERVICE } from '../../../actors/catalog/tables.ts'
import type { View } from '../../kernel/tables.ts'
import type { Route } from '../route.ts'

/** GET /v1/status/leader */
export const leaderRoute: Route = {
  method: 'GET',
  path: '/v1/status/leader',
  read: (_request, view) => ({ json: servers(view)[0] ?? '' }),
}

/** GET /v1/status/peers */
export const peersRoute: Route = {
  method: 'GET',
  path: '/v1/status/peers',
  read: (_request, view) => ({ json: servers(view) }),
}

function servers(view: View): string[] {
  return serviceInstances(view, SERVER_SERVICE).instances.map(({ node: { address }, instance: { port } }) => {
    return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
  })
}
