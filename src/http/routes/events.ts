import { type EventFire, eventsRef, type RecentEvents, type UserEvent } from '../../../actors/events/protocol.ts'
import { waitOf } from '../blocking.ts'
import { type HttpReply, type HttpRequest, question, type Route } from '../route.ts'

/** PUT /v1/event/fire/:name */
export const eventFireRoute: Route = {
  method: 'PUT',
  path: '/v1/event/fire/*name',
  statusOf: { conflict: 500 },
  ask(request) {
    const fire = fireOf(request)
    return fire.name === '' ? { status: 400, text: 'Missing name' } : question(eventsRef, 'fire', { ...fire, token: request.token })
  },
  reply: ({ id }: { id: string }, request) => ({ json: shown({ ...fireOf(request), id, version: 1, lamportTime: 0 }) }),
}

/** GET /v1/event/list */
export const eventListRoute: Route = {
  method: 'GET',
  path: '/v1/event/list',
  begin({ query, token }, context, done) {
    const wait = waitOf(query, context.settings)
    if (!('waitMs' in wait)) return done(wait)
    const known = BigInt(query.get('index') || 0)
    const request = { name: query.get('name') ?? '', token }
    const isWanted = ({ index }: RecentEvents) => known === 0n || index !== known
    context.untilFound(eventsRef, 'recent', request, isWanted, wait.waitMs, (found) =>
      done(found ? listed(found.value) : { status: 503, text: 'the events of this agent cannot be had now' }),
    )
  },
}

function listed({ events, index }: RecentEvents): HttpReply {
  return { headers: { 'X-Consul-Index': String(index) }, json: events.map(shown) }
}

function fireOf({ rest: name, query, body }: HttpRequest): EventFire {
  return {
    name,
    payload: body,
    nodeFilter: query.get('node') ?? '',
    serviceFilter: query.get('service') ?? '',
    tagFilter: query.get('tag') ?? '',
  }
}

function shown({ id, name, payload, nodeFilter, serviceFilter, tagFilter, version, lamportTime }: UserEvent): object {
  return {
    ID: id,
    Name: name,
    Payload: payload.byteLength === 0 ? null : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('base64'),
    NodeFilter: nodeFilter,
    ServiceFilter: serviceFilter,
    TagFilter: tagFilter,
    Version: version,
    LTime: lamportTime,
  }
}
