import { sessionId } from '../../../actors/sessions/ids.ts'
import { sessionsRef } from '../../../actors/sessions/protocol.ts'
import { allSessions, type FoundSessions, nodeSessions, type Session, sessionById } from '../../../actors/sessions/queries.ts'
import { isRefused } from '../../kernel/refusal.ts'
import { type HttpReply, question, type Reading, type Route } from '../route.ts'
import { sessionOf } from '../session-bodies.ts'

const MISSING_ID: HttpReply = { status: 400, text: 'Missing session' }

/** PUT /v1/session/create */
const sessionCreateRoute: Route = {
  method: 'PUT',
  path: '/v1/session/create',
  ask({ body, token }, { node }) {
    const session = sessionOf(body, node)
    if ('undecodable' in session) return { status: 400, text: `Request decode failed: ${session.undecodable}` }
    return isRefused(session) ? session : question(sessionsRef, 'create', { ...session, token })
  },
  reply: ({ id }: { id: string }) => ({ json: { ID: id } }),
}

/** PUT /v1/session/destroy/:id */
const sessionDestroyRoute: Route = {
  method: 'PUT',
  path: '/v1/session/destroy/*id',
  ask({ rest, token }) {
    if (rest === '') return MISSING_ID
    const id = sessionId(rest)
    // What cannot be a session is none, and has ended as such.
    return isRefused(id) ? { json: true } : question(sessionsRef, 'destroy', { id, token })
  },
  reply: () => ({ json: true }),
}

/** PUT /v1/session/renew/:id */
const sessionRenewRoute: Route = {
  method: 'PUT',
  path: '/v1/session/renew/*id',
  ask({ rest, token }) {
    if (rest === '') return MISSING_ID
    const id = sessionId(rest)
    return isRefused(id) ? id : question(sessionsRef, 'renew', { id, token })
  },
  reply: (session: Session) => ({ json: [shown(session)] }),
}

/** GET /v1/session/info/:id */
const sessionInfoRoute: Route = {
  method: 'GET',
  path: '/v1/session/info/*id',
  read({ rest }, view) {
    if (rest === '') return MISSING_ID
    const id = sessionId(rest)
    return isRefused(id) ? id : reading(sessionById(view, id))
  },
}

/** GET /v1/session/node/:node */
const sessionNodeRoute: Route = {
  method: 'GET',
  path: '/v1/session/node/*node',
  read: ({ rest: node }, view) => (node === '' ? { status: 400, text: 'Missing node name' } : reading(nodeSessions(view, node))),
}

/** GET /v1/session/list */
const sessionListRoute: Route = {
  method: 'GET',
  path: '/v1/session/list',
  read: (_request, view) => reading(allSessions(view)),
}

export const sessionRoutes: readonly Route[] = [
  sessionCreateRoute,
  sessionDestroyRoute,
  sessionRenewRoute,
  sessionInfoRoute,
  sessionNodeRoute,
  sessionListRoute,
]

function reading({ index, sessions }: FoundSessions): Reading {
  return { index, json: sessions.map(shown) }
}

function shown({
  id,
  name,
  node,
  lockDelayMs,
  behavior,
  ttl,
  nodeChecks,
  serviceChecks,
  checks,
  createIndex,
  modifyIndex,
}: Session): object {
  return {
    ID: id,
    Name: name,
    Node: node,
    LockDelay: Math.round(lockDelayMs * 1e6),
    Behavior: behavior,
    TTL: ttl,
    NodeChecks: nodeChecks,
    ServiceChecks: serviceChecks?.map((check) => ({ ID: check.id, Namespace: check.namespace })) ?? null,
    ...(checks && checks.length > 0 && { Checks: checks }),
    CreateIndex: createIndex,
    ModifyIndex: modifyIndex,
  }
}
