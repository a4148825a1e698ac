import {
  connectInstances,
  type Found,
  type Instance,
  type Narrowing,
  nodeChecks,
  onlyPassing,
  serviceChecks,
  serviceInstances,
  stateChecks,
} from '../../../actors/catalog/queries.ts'
import type { View } from '../../kernel/tables.ts'
import { healthShape, placedCheckShape } from '../catalog-shapes.ts'
import { filterWrong, narrowingOf, parseBool } from '../parameters.ts'
import type { ReadRoute, Route } from '../route.ts'

/** GET /v1/health/node/:node: checks of a node and of everything on it */
export const healthNodeRoute: Route = {
  method: 'GET',
  path: '/v1/health/node/*node',
  saysConsistency: true,
  read({ rest: node, query }, view) {
    if (node === '') return { status: 400, text: 'Missing node name' }
    const wrong = filterWrong(query)
    if (wrong) return wrong
    const { index, checks } = nodeChecks(view, node)
    return { index, json: checks.map(placedCheckShape) }
  },
}

/** GET /v1/health/checks/:service */
export const healthChecksRoute: Route = {
  method: 'GET',
  path: '/v1/health/checks/*service',
  saysConsistency: true,
  read({ rest: service, query }, view, settings) {
    if (service === '') return { status: 400, text: 'Missing service name' }
    const wrong = filterWrong(query)
    if (wrong) return wrong
    const { index, checks } = serviceChecks(view, service, narrowingOf(query, settings))
    return { index, json: checks.map(placedCheckShape) }
  },
}

/** GET /v1/health/state/:state */
export const healthStateRoute: Route = {
  method: 'GET',
  path: '/v1/health/state/*state',
  saysConsistency: true,
  read({ rest: state, query }, view, settings) {
    if (state === '') return { status: 400, text: 'Missing check state' }
    const wrong = filterWrong(query)
    if (wrong) return wrong
    const { index, checks } = stateChecks(view, state, narrowingOf(query, settings))
    return { index, json: checks.map(placedCheckShape) }
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
    read({ rest: name, query }, view, settings) {
      if (name === '') return { status: 400, text: 'Missing service name' }
      const wrong = filterWrong(query)
      if (wrong) return wrong
      const passingText = query.get('passing')
      const passing = passingText === null ? false : passingText === '' ? true : parseBool(passingText)
      if (passing === undefined) return { status: 400, text: 'Invalid value for ?passing' }
      const { index, instances } = find(view, name, narrowingOf(query, settings))
      const shown = passing ? onlyPassing(instances) : instances
      return { index, json: shown.map((instance) => healthShape(instance, settings.datacenter)) }
    },
  }
}
