import {
  catalogNode,
  catalogNodes,
  catalogServices,
  connectInstances,
  type Found,
  type Instance,
  type Narrowing,
  serviceInstances,
} from '../../../actors/catalog/queries.ts'
import { nearestDatacenters } from '../../../actors/datacenters/nearest.ts'
import { type Datacenters, datacentersRef } from '../../../actors/datacenters/protocol.ts'
import type { View } from '../../kernel/tables.ts'
import { cacheHeaders } from '../answers.ts'
import { nodeShape, serviceNodeShape, serviceShape } from '../catalog-shapes.ts'
import { keptBy, nodeFilters, serviceFilters, serviceNodeFilters } from '../filters.ts'
import { narrowingOf } from '../parameters.ts'
import { question, type ReadRoute, type Route } from '../route.ts'
import { fromAbroad, nodeFromAbroad } from '../wan-addresses.ts'

/** GET /v1/catalog/datacenters: the own one, then the others, the nearest first. */
export const datacentersRoute: Route = {
  method: 'GET',
  path: '/v1/catalog/datacenters',
  ask: () => question(datacentersRef, 'show', null),
  reply: (known: Datacenters, request, settings) => ({
    headers: cacheHeaders(request, settings),
    json: nearestDatacenters(known, settings).map(({ name }) => name),
  }),
}

/** GET /v1/catalog/nodes */
export const catalogNodesRoute: Route = {
  method: 'GET',
  path: '/v1/catalog/nodes',
  saysConsistency: true,
  read({ query }, view, settings) {
    const { index, nodes } = catalogNodes(view, narrowingOf(query, settings))
    const shown = nodes.map((node) => nodeShape(settings.isAbroad ? nodeFromAbroad(node) : node, settings.datacenter))
    const kept = keptBy(query, nodeFilters, shown)
    return Array.isArray(kept) ? { index, json: kept } : kept
  },
}

/** GET /v1/catalog/services */
export const catalogServicesRoute: Route = {
  method: 'GET',
  path: '/v1/catalog/services',
  saysConsistency: true,
  saysCache: true,
  read({ query }, view, settings) {
    const { index, services } = catalogServices(view, narrowingOf(query, settings))
    return { index, json: Object.fromEntries(services) }
  },
}

/** GET /v1/catalog/service/:name */
export const catalogServiceRoute: Route = instancesRoute('/v1/catalog/service/*name', serviceInstances)

/** GET /v1/catalog/connect/:name: what speaks Connect for a service. */
export const catalogConnectRoute: Route = instancesRoute('/v1/catalog/connect/*name', connectInstances)

/** GET /v1/catalog/node/:node, services by id */
export const catalogNodeRoute: Route = {
  method: 'GET',
  path: '/v1/catalog/node/*node',
  saysConsistency: true,
  read({ rest: name, query }, view, { datacenter, isAbroad = false }) {
    if (name === '') return { status: 400, text: 'Missing node name' }
    const { index, node, services } = catalogNode(view, name)
    const kept = keptBy(query, serviceFilters, services.map(serviceShape))
    if (!Array.isArray(kept)) return kept
    if (!node) return { index, json: null }
    const byId = Object.fromEntries(kept.map((service) => [service['ID'], service]))
    return { index, json: { Node: nodeShape(isAbroad ? nodeFromAbroad(node) : node, datacenter), Services: byId } }
  },
}

/** GET /v1/catalog/node-services/:node, services as a list */
export const catalogNodeServicesRoute: Route = {
  method: 'GET',
  path: '/v1/catalog/node-services/*node',
  saysConsistency: true,
  read({ rest: name, query }, view, { datacenter, isAbroad = false }) {
    if (name === '') return { status: 400, text: 'Missing node name' }
    const { index, node, services } = catalogNode(view, name)
    const kept = keptBy(query, serviceFilters, services.map(serviceShape))
    if (!Array.isArray(kept)) return kept
    const shown = node && nodeShape(isAbroad ? nodeFromAbroad(node) : node, datacenter)
    return { index, json: shown ? { Node: shown, Services: kept } : { Node: null, Services: null } }
  },
}

function instancesRoute(path: string, find: (view: View, name: string, narrowing: Narrowing) => Found<'instances', Instance[]>): ReadRoute {
  return {
    method: 'GET',
    path,
    saysConsistency: true,
    saysCache: true,
    read({ rest: name, query }, view, settings) {
      if (name === '') return { status: 400, text: 'Missing service name' }
      const { index, instances } = find(view, name, narrowingOf(query, settings))
      const shown = instances.map((instance) => serviceNodeShape(settings.isAbroad ? fromAbroad(instance) : instance, settings.datacenter))
      const kept = keptBy(query, serviceNodeFilters, shown)
      return Array.isArray(kept) ? { index, json: kept } : kept
    },
  }
}
