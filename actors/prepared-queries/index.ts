import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import { keyFault } from '../../src/kernel/keys.ts'
import { type Call, type Caller, type Cast, LATER, refOf } from '../../src/kernel/protocol.ts'
import { type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import { authorize, type Token } from '../authorize.ts'
import { commit } from '../ledger.ts'
import { queryById } from './queries.ts'
import { isTemplate, type PreparedQuery, templateKey } from './tables.ts'

/** Changes of prepared queries. Reading and asking them needs no actor: see queries.ts and execute.ts. */
export type QueriesProtocol = {
  create: Call<{ query: PreparedQuery; token: Token }, { id: string }>
  /** `missing` if there is no query with this id; it is a UUID in lower case. */
  update: Call<{ id: string; query: PreparedQuery; token: Token }, null>
  delete: Call<{ id: string; token: Token }, null>
}
type QueriesOwn = {
  created: Cast<{ caller: Caller<{ id: string }>; result: Result<{ id: string }> }>
  done: Cast<{ caller: Caller<null>; result: Result<null> }>
}

/** What stands for a token that may not be seen. */
export const HIDDEN_TOKEN = '<hidden>'

export const queriesRef = refOf<QueriesProtocol>('prepared-queries')

export const preparedQueries = defineActor<QueriesProtocol, QueriesOwn, null>({
  name: 'prepared-queries',
  mailboxMax: 16_384,
  remote: ['create', 'update', 'delete'],
  init: () => null,
  on: {
    create(_state, { query, token }, turn, caller) {
      const wrong = mayNotWrite(turn, token, query) ?? queryWrong(query)
      if (wrong) return wrong
      const request = { id: turn.random.uuid(), query: bound(query) }
      commit(turn, 'queries.create', request, (result) => ({ name: 'created', request: { caller, result } }))
      return LATER
    },

    update(_state, { id, query, token }, turn, caller) {
      const before = queryById(turn.view, id).query
      const denied = mayNotWrite(turn, token, query) ?? (before && mayNotWrite(turn, token, before))
      if (denied) return denied
      if (!before) return refuse('missing', `Cannot modify non-existent prepared query: '${id}'`)
      const wrong = queryWrong(query)
      if (wrong) return wrong
      commit(turn, 'queries.update', { id, query: bound(query) }, (result) => ({ name: 'done', request: { caller, result } }))
      return LATER
    },

    delete(_state, { id, token }, turn, caller) {
      const before = queryById(turn.view, id).query
      const denied = before && mayNotWrite(turn, token, before)
      if (denied) return denied
      commit(turn, 'queries.delete', { id }, (result) => ({ name: 'done', request: { caller, result } }))
      return LATER
    },

    created(_state, { caller, result }, turn) {
      turn.answer(caller, result)
    },

    done(_state, { caller, result }, turn) {
      turn.answer(caller, result)
    },
  },
})

/** What is wrong with a query by itself. Source: http-api §9. */
export function queryFault({ name, session, token, template, service }: PreparedQuery): string | undefined {
  if (name === '' && session === '' && !isTemplate({ template })) return 'Must be bound to a session'
  if (token === HIDDEN_TOKEN) return `Bad Token '${token}', it looks like a query definition with a redacted token was submitted`
  if (service.service === '') return 'Must provide a Service name to query'
  if (service.failover.nearestN < 0) return `Bad NearestN '${service.failover.nearestN}', must be >= 0`
  return keyFault(templateKey(name))
}

/** Session ids are stored in lower case. */
function bound(query: PreparedQuery): PreparedQuery {
  return { ...query, session: query.session.toLowerCase() }
}

/** Names are protected by prefix; a query without one by the session it is bound to. */
function mayNotWrite(turn: Turn<QueriesOwn>, token: Token, query: PreparedQuery): Refusal | undefined {
  if (query.name === '' && !isTemplate(query)) return undefined
  return authorize(turn.view, token, { resource: 'query', name: query.name, access: 'write' })
}

function queryWrong(query: PreparedQuery): Refusal | undefined {
  const why = queryFault(query)
  return why === undefined ? undefined : refuse('invalid', `Invalid prepared query: ${why}`)
}
