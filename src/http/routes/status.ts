import { serviceInstances } from '../../../actors/catalog/queries.ts'
import { SERVER_SERVICE } from '../../../actors/catalog/tables.ts'
import { leaderOf } from '../../../actors/servers/commands.ts'
import type { View } from '../../kernel/tables.ts'
import type { Route } from '../route.ts'

/** GET /v1/status/leader: nobody while that is not known. */
export const leaderRoute: Route = {
  method: 'GET',
  path: '/v1/status/leader',
  atAnyTime: true,
  read: (_request, view, { isLed = () => true }) => ({ json: isLed() ? (servers(view, leaderOf(view))[0] ?? '') : '' }),
}

/** GET /v1/status/peers */
export const peersRoute: Route = {
  method: 'GET',
  path: '/v1/status/peers',
  atAnyTime: true,
  read: (_request, view) => ({ json: servers(view) }),
}

/** Addresses of all servers, or of the one with this node id. */
function servers(view: View, id?: string): string[] {
  const { instances } = serviceInstances(view, SERVER_SERVICE)
  return instances
    .filter(({ node }) => id === undefined || node.id === id)
    .map(({ node: { address }, instance: { port } }) => (address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`))
}
