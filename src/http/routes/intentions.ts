import { intentionsRef, type Warned } from '../../../actors/intentions/index.ts'
import {
  type Intention,
  intentionById,
  intentionExact,
  intentionList,
  intentionsFrom,
  intentionsTo,
} from '../../../actors/intentions/queries.ts'
import { isRefused } from '../../kernel/refusal.ts'
import { intentionFilters, keptBy } from '../filters.ts'
import { type HttpReply, question, type Reading, type Route } from '../route.ts'
import { warningHeaders } from '../warnings.ts'
import { badNamespace, exactBody, legacyBody, nameOf, namesOf, shownIntention } from './intention-bodies.ts'

/** Texts of refusals are errors of the server in Consul, not of the client. */
const STATUS_OF = { invalid: 500, missing: 500, conflict: 500 } as const
const NOT_FOUND = 'Intention not found'

/** GET /v1/connect/intentions */
export const intentionListRoute: Route = {
  method: 'GET',
  path: '/v1/connect/intentions',
  read({ query }, view) {
    const { index, intentions } = intentionList(view)
    const kept = keptBy(query, intentionFilters, intentions.map(shownIntention))
    return Array.isArray(kept) ? { index, json: kept } : kept
  },
}

/** POST /v1/connect/intentions */
export const intentionCreateRoute: Route = {
  method: 'POST',
  path: '/v1/connect/intentions',
  statusOf: STATUS_OF,
  ask({ body, token }) {
    const intention = legacyBody(body, '')
    return 'status' in intention ? intention : question(intentionsRef, 'create', { ...intention, token })
  },
  enforces: destinationOf,
  reply: ({ id, warnings }: { id: string } & Warned) => ({ json: { ID: id }, ...warningHeaders(warnings) }),
}

/** GET /v1/connect/intentions/:id */
export const intentionGetRoute: Route = {
  method: 'GET',
  path: '/v1/connect/intentions/*id',
  read({ rest: id }, view) {
    return badId(id) ?? one(intentionById(view, id))
  },
}

/** PUT /v1/connect/intentions/:id */
export const intentionUpdateRoute: Route = {
  method: 'PUT',
  path: '/v1/connect/intentions/*id',
  statusOf: STATUS_OF,
  ask({ rest: id, body, token }) {
    const intention = badId(id) ?? legacyBody(body, id)
    return 'status' in intention ? intention : question(intentionsRef, 'update', { ...intention, id, token })
  },
  enforces: destinationOf,
  reply: ({ id, warnings }: { id: string } & Warned) => ({ json: { ID: id }, ...warningHeaders(warnings) }),
}

/** DELETE /v1/connect/intentions/:id */
export const intentionDeleteRoute: Route = {
  method: 'DELETE',
  path: '/v1/connect/intentions/*id',
  statusOf: STATUS_OF,
  ask: ({ rest: id, token }) => badId(id) ?? question(intentionsRef, 'delete', { id, token }),
  enforces: ({ id }: { id: string }, view) => intentionById(view, id).intention?.destination,
  reply: () => ({ json: true }),
}

/** GET /v1/connect/intentions/exact */
export const intentionExactGetRoute: Route = {
  method: 'GET',
  path: '/v1/connect/intentions/exact',
  read({ query }, view) {
    const names = namesOf(query)
    return 'status' in names ? names : one(intentionExact(view, names.source, names.destination))
  },
}

/** PUT /v1/connect/intentions/exact */
export const intentionExactPutRoute: Route = {
  method: 'PUT',
  path: '/v1/connect/intentions/exact',
  statusOf: STATUS_OF,
  ask({ query, body, token }) {
    const names = namesOf(query)
    if ('status' in names) return names
    const text = exactBody(body, names)
    return 'status' in text ? text : question(intentionsRef, 'put', { ...text, ...names, token })
  },
  enforces: destinationOf,
  reply: ({ warnings }: Warned) => ({ json: true, ...warningHeaders(warnings) }),
}

/** DELETE /v1/connect/intentions/exact */
export const intentionExactDeleteRoute: Route = {
  method: 'DELETE',
  path: '/v1/connect/intentions/exact',
  statusOf: STATUS_OF,
  ask({ query, token }) {
    const names = namesOf(query)
    return 'status' in names ? names : question(intentionsRef, 'deleteExact', { ...names, token })
  },
  enforces: destinationOf,
  reply: () => ({ json: true }),
}

/** GET /v1/connect/intentions/match?by=source|destination&name=… */
export const intentionMatchRoute: Route = {
  method: 'GET',
  path: '/v1/connect/intentions/match',
  saysConsistency: true,
  saysCache: true,
  read({ query }, view) {
    const by = query.get('by') ?? ''
    if (by === '') return { status: 500, text: `required query parameter 'by' not set` }
    if (by !== 'source' && by !== 'destination') return { status: 500, text: `'by' parameter must be one of 'source' or 'destination'` }
    const written = query.getAll('name')
    if (written.length === 0) return { status: 500, text: `required query parameter 'name' not set` }
    const matches: [string, object[] | null][] = []
    let highest = 0
    for (const text of written) {
      const name = nameOf(text)
      if (isRefused(name)) return badNamespace('name', name.why)
      const { index, intentions } = by === 'source' ? intentionsFrom(view, name) : intentionsTo(view, name)
      highest = Math.max(highest, index)
      matches.push([text, intentions.length > 0 ? intentions.map(shownIntention) : null])
    }
    return { index: highest, json: Object.fromEntries(matches) }
  },
}

/** GET /v1/connect/intentions/check?source=&destination= */
export const intentionCheckRoute: Route = {
  method: 'GET',
  path: '/v1/connect/intentions/check',
  statusOf: STATUS_OF,
  ask({ query, token }) {
    const type = query.get('source-type') ?? ''
    if (type !== '' && type !== 'consul') return { status: 500, text: `unsupported SourceType: ${JSON.stringify(type)}` }
    const names = namesOf(query)
    return 'status' in names ? names : question(intentionsRef, 'check', { ...names, token })
  },
  reply: ({ allowed }: { allowed: boolean }) => ({ json: { Allowed: allowed } }),
}

export const intentionRoutes: readonly Route[] = [
  intentionListRoute,
  intentionCreateRoute,
  intentionGetRoute,
  intentionUpdateRoute,
  intentionDeleteRoute,
  intentionExactGetRoute,
  intentionExactPutRoute,
  intentionExactDeleteRoute,
  intentionMatchRoute,
  intentionCheckRoute,
]

function destinationOf({ destination }: { destination: string }): string {
  return destination
}

function one({ index, intention }: { index: number; intention: Intention | undefined }): Reading {
  return intention ? { index, json: shownIntention(intention) } : { index, status: 404, text: NOT_FOUND }
}

function badId(id: string): (HttpReply & { status: number }) | undefined {
  const why =
    id.length !== 36
      ? 'UUID must be 36 characters'
      : /^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/.test(id)
        ? ''
        : 'UUID must be hexadecimal in groups of 8-4-4-4-12'
  return why === '' ? undefined : { status: 400, text: `Bad request: failed config entry lookup: index error: ${why}` }
}
