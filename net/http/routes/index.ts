import type { Route } from '../route.ts'
import { kvDeleteRoute, kvGetRoute, kvPutRoute } from './kv.ts'

/** Every endpoint. */
export const routes: readonly Route[] = [kvGetRoute, kvPutRoute, kvDeleteRoute]
