import type { Route } from '../route.ts'
import { leaveRoute, reloadRoute } from './agent-life.ts'
import { authorizeRoute, leafRoute } from './connect-agent.ts'
import { agentCaRootsRoute, caConfigurationRoute, caConfigureRoute, caRootsRoute } from './connect-ca.ts'
import { intentionRoutes } from './intentions.ts'
import { kvDeleteRoute, kvGetRoute, kvPutRoute } from './kv.ts'
import { proxiesRoute } from './proxies.ts'
import { actorsRoute } from './tribune.ts'

/** Every endpoint. */
export const routes: readonly Route[] = [
  kvGetRoute,
  kvPutRoute,
  kvDeleteRoute,
  reloadRoute,
  leaveRoute,
  actorsRoute,
  proxiesRoute,
  caRootsRoute,
  agentCaRootsRoute,
  caConfigurationRoute,
  caConfigureRoute,
  leafRoute,
  authorizeRoute,
  ...intentionRoutes,
]
