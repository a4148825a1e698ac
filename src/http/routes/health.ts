import {
  connectInstances,
  type Found,
  type Instance,
  type Narrowing,
  nodeChecks,
  onlyPassing,
  type PlacedCheck,
  serviceChecks,
  serviceInstances,
  stateChecks,
} from '../../../actors/catalog/queries.ts'
import type { View } from '../../kernel/tables.ts'
import { healthShape, placedCheckShape } from '../catalog-shapes.ts'
import { checkFilters, healthFilters, keptBy } from '../filters.ts'
import { narrowingOf, parseBool } from '../parameters.ts'
import type { HttpReply, Reading, ReadRoute, Route } from '../route.ts'
import { fromAbroad } from '../wan-addresses.ts'

/** GET /v1/health/node/:node: checks of a node and of everything on it */
export const healthNodeRoute: Route = {
  method: 'GET',
  path: '/v1/health/node/*node',
  saysConsistency: true,
  read({ rest: node, query }, view) {
    if (node === '') return { status: 400, text: 'Missing node name' }
    const { index, checks } = nodeChecks(view, node)
    return filtered(query, index, checks)
  },
}

/** GET /v1/health/checks/:service */
export const healthChecksRoute: Route = {
  method: 'GET',
  path: '/v1/health/checks/*service',
  saysConsistency: true,
  read({ rest: service, query }, view, settings) {
    if (service === '') return { status: 400, text: 'Missing service name' }
    const { index, checks } = serviceChecks(view, service, { ...narrowingOf(query, settings), tags: [] })
    return filtered(query, index, checks)
  },
}

/** GET /v1/health/state/:state */
export const healthStateRoute: Route = {
  method: 'GET',
  path: '/v1/health/state/*state',
  saysConsistency: true,
  read({ rest: state, query }, view, settings) {
    if (state === '') return { status: 400, text: 'Missing check state' }
    const { index, checks } = stateChecks(view, state, narrowingOf(query, settings))
    return filtered(query, index, checks)
  },
}

/** GET /v1/health/service/:name */
export const healthServiceRoute: Route = instancesRoute('/v1/health/service/*name', serviceInstances)

/** GET /v1/health/connect/:name */
export const healthConnectRoute: Route = instancesRoute('/v1/health/connect/*name', connectInstances)

function instancesRoute(path: string, find: (view: View, name: string, narrowing: Narrowing) => Found<'instances', Instance[]>): ReadRoute {
  return {
    method: 'GET',
    path,
    saysConsistency: true,
    saysCache: true,
    read({ rest: name, query }, view, settings) {
      if (name === '') return { status: 400, text: 'Missing service name' }
      const passingText = query.get('passing')
      const passing = passingText === null ? false : passingText === '' ? true : parseBool(passingText)
      const { index, instances } = find(view, name, narrowingOf(query, settings))
      const shown = passing ? onlyPassing(instances) : instances
      const kept = keptBy(
        query,
        healthFilters,
        shown.map((instance) => healthShape(settings.isAbroad ? fromAbroad(instance) : instance, settings.datacenter)),
      )
      if (!Array.isArray(kept)) return kept
      return passing === undefined ? { status: 400, text: 'Invalid value for ?passing' } : { index, json: kept }
    },
  }
}

function filtered(query: URLSearchParams, index: number, checks: readonly PlacedCheck[]): Reading | HttpReply {
  const kept = keptBy(query, checkFilters, checks.map(placedCheckShape))
  return Array.isArray(kept) ? { index, json: kept } : kept
}
