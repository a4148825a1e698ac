import type { Route } from '../route.ts'
import { leaveRoute, reloadRoute } from './agent-life.ts'
import { kvDeleteRoute, kvGetRoute, kvPutRoute } from './kv.ts'
import { actorsRoute } from './tribune.ts'

/** Every endpoint. */
export const routes: readonly Route[] = [kvGetRoute, kvPutRoute, kvDeleteRoute, reloadRoute, leaveRoute, actorsRoute]
