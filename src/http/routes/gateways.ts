import { catalogNode } from '../../../actors/catalog/queries.ts'
import type { View } from '../../kernel/tables.ts'
import { healthFilters, keptBy } from '../filters.ts'
import { parseBool } from '../parameters.ts'
import type { Route } from '../route.ts'

/** What nobody configures changes never. */
const NEVER_CHANGED = 1
const GO_ZERO_TIME = '0001-01-01T00:00:00Z'

/** GET /v1/health/ingress/:name: no entry makes any gateway let a service in. */
export const healthIngressRoute: Route = {
  method: 'GET',
  path: '/v1/health/ingress/*name',
  saysConsistency: true,
  saysCache: true,
  read({ rest: name, query }) {
    if (name === '') return { status: 400, text: 'Missing service name' }
    const kept = keptBy(query, healthFilters, [])
    if (!Array.isArray(kept)) return kept
    const passing = query.get('passing') || 'true'
    return parseBool(passing) === undefined ? { status: 400, text: 'Invalid value for ?passing' } : { index: NEVER_CHANGED, json: kept }
  },
}

/** GET /v1/catalog/gateway-services/:gateway */
export const gatewayServicesRoute: Route = {
  method: 'GET',
  path: '/v1/catalog/gateway-services/*gateway',
  saysConsistency: true,
  read: ({ rest: gateway }) => (gateway === '' ? { status: 400, text: 'Missing gateway name' } : { index: NEVER_CHANGED, json: null }),
}

/** GET /v1/internal/federation-states: this datacenter, which nobody federates with. */
export const federationStatesRoute: Route = {
  method: 'GET',
  path: '/v1/internal/federation-states',
  read(_request, view, { node, datacenter }) {
    const { index, state } = ownState(view, node, datacenter)
    return { index, json: state ? [state] : [] }
  },
}

/** GET /v1/internal/federation-states/mesh-gateways: by datacenter, those that have any. */
export const federationGatewaysRoute: Route = {
  method: 'GET',
  path: '/v1/internal/federation-states/mesh-gateways',
  read: () => ({ index: NEVER_CHANGED, json: {} }),
}

/** GET /v1/internal/federation-state/:datacenter */
export const federationStateRoute: Route = {
  method: 'GET',
  path: '/v1/internal/federation-state/*datacenter',
  read({ rest: wanted }, view, { node, datacenter }) {
    if (wanted === '') return { status: 400, text: 'Bad request: Missing datacenter name' }
    const { index, state } = ownState(view, node, datacenter)
    if (wanted !== datacenter || state === undefined) return { status: 404 }
    const meta = { Index: index, LastContact: 0, KnownLeader: true, ConsistencyLevel: 'leader', NotModified: false, Backend: 0 }
    return { index, json: { State: state, ...meta } }
  },
}

/** It is there since the server is. When it was last looked at is not kept, since nothing about it changes. */
function ownState(view: View, name: string, datacenter: string): { index: number; state: object | undefined } {
  const { node } = catalogNode(view, name)
  if (!node) return { index: NEVER_CHANGED, state: undefined }
  const index = node.createIndex
  return {
    index,
    state: { Datacenter: datacenter, UpdatedAt: GO_ZERO_TIME, PrimaryModifyIndex: index, CreateIndex: index, ModifyIndex: index },
  }
}
